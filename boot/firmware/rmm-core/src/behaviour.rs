//! Where RMMs of RMI 2.0 differ, and the ways that are known.
//!
//! The specification leaves room, and the RMMs there are fill it differently. A
//! host is tested against each of them by this RMM behaving like it.

/// How `PSCI_COMPLETE` of RMI 2.0 names the REC that is meant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Completion {
    /// The host does: three arguments (TF-RMM's head).
    ByHost,
    /// The RMM finds it: two arguments (2.0-bet3).
    ByRmm,
}

/// What an RMM does where the specification leaves a choice.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Behaviour {
    /// Granules that one call delegates or undelegates at most.
    pub granules_per_call: u64,
    /// Granules that one call maps or unmaps at most, one entry in any case. It
    /// never goes beyond one table.
    pub granules_per_map: u64,
    /// Arguments of `PSCI_COMPLETE`.
    pub completion: Completion,
    /// Granules that the creation of a REC asks for: 1 to 16.
    pub rec_granules: u8,
    /// How often an operation says that it is not ready yet before it goes on.
    pub pauses: u8,
    /// Whether the creation of a REC can be called off.
    pub can_cancel: bool,
}

impl Behaviour {
    /// Granules that the creation of a REC asks for.
    pub(crate) fn rec_granules(&self) -> u64 {
        u64::from(self.rec_granules).clamp(1, 16)
    }
}

impl Default for Behaviour {
    fn default() -> Self {
        Known::Own.behaviour()
    }
}

/// The ways that have a name.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(u64)]
pub enum Known {
    /// This RMM's own.
    #[default]
    Own = 0,
    /// TF-RMM's head: one granule per range call, 16 granules for a REC, no way
    /// back once an operation has begun.
    TfRmmHead = 1,
    /// The specification's 2.0-bet3: `PSCI_COMPLETE` with two arguments, other
    /// descriptors.
    Bet3 = 2,
    /// No RMM's, and allowed: a few granules per call, and every operation is not
    /// ready yet for a while.
    Slow = 3,
}

impl Known {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Own, Self::TfRmmHead, Self::Bet3, Self::Slow];

    /// The one that a number stands for, which whoever builds the image writes
    /// into it.
    pub fn from_word(word: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|known| *known as u64 == word)
    }

    /// What it is called.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Own => "itself",
            Self::TfRmmHead => "TF-RMM's head",
            Self::Bet3 => "2.0-bet3",
            Self::Slow => "a slow RMM",
        }
    }

    /// What it does.
    pub const fn behaviour(self) -> Behaviour {
        let own = Behaviour {
            granules_per_call: 4096,
            granules_per_map: 4096,
            completion: Completion::ByHost,
            rec_granules: 1,
            pauses: 0,
            can_cancel: true,
        };
        match self {
            Self::Own => own,
            Self::TfRmmHead => Behaviour {
                granules_per_call: 1,
                rec_granules: 16,
                can_cancel: false,
                ..own
            },
            Self::Bet3 => Behaviour {
                completion: Completion::ByRmm,
                rec_granules: 16,
                ..own
            },
            Self::Slow => Behaviour {
                granules_per_call: 3,
                granules_per_map: 3,
                rec_granules: 5,
                pauses: 3,
                ..own
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Known;

    #[test]
    fn a_number_names_one_way_and_an_unknown_number_none() {
        for known in Known::ALL {
            assert_eq!(Known::from_word(known as u64), Some(known));
        }
        assert_eq!(Known::from_word(4), None);
        assert_eq!(Known::from_word(u64::MAX), None);
    }
}
