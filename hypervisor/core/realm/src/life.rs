//! The states of a Realm's life and the ways between them.

use core::fmt;

/// Where a Realm is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// Nothing exists in the RMM.
    None,
    /// The RMM has it; it is being filled.
    New,
    /// It can run.
    Active,
    /// It has ended and waits to be taken down.
    Stopped,
    /// It is being taken down.
    Dying,
    /// Taken down. It may be built again.
    Dead,
}

/// A step that a Realm's state does not allow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BadTransition {
    /// The state it is in.
    pub from: State,
    /// The state it should have come to.
    pub to: State,
}

impl fmt::Display for BadTransition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a Realm that is {:?} cannot become {:?}: this is a mistake of the hypervisor",
            self.from, self.to
        )
    }
}

impl core::error::Error for BadTransition {}

impl State {
    /// Goes to `to`, if there is a way. The only place that changes a state.
    pub(crate) fn transition(&mut self, to: Self) -> Result<(), BadTransition> {
        let from = *self;
        let allowed = match to {
            Self::None => from == Self::Dead,
            Self::New => from == Self::None,
            Self::Active => from == Self::New,
            Self::Stopped => from == Self::Active,
            // From any state, half-built included; again after a failed end.
            Self::Dying => from != Self::Dead,
            Self::Dead => from == Self::Dying,
        };
        if !allowed {
            return Err(BadTransition { from, to });
        }
        *self = to;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::State::{Active, Dead, Dying, New, None, Stopped};

    #[test]
    fn a_life_runs_forward_and_starts_again_only_when_dead() {
        let mut state = None;
        for next in [New, Active, Stopped, Dying, Dead, None, New] {
            state.transition(next).unwrap();
        }
    }

    #[test]
    fn every_living_state_can_be_taken_down() {
        for from in [None, New, Active, Stopped, Dying] {
            let mut state = from;
            state.transition(Dying).unwrap();
        }
    }

    #[test]
    fn steps_that_skip_or_turn_back_are_refused_and_change_nothing() {
        for (from, to) in [
            (None, Active),
            (New, Stopped),
            (Active, New),
            (Stopped, Active),
            (Dying, Active),
            (Dead, Active),
            (Dead, Dying),
        ] {
            let mut state = from;
            assert!(state.transition(to).is_err());
            assert_eq!(state, from);
        }
    }
}
