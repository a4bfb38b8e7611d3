//! The guest's timers as an exit reports them (DEN0137 A6.2).
//!
//! A Realm's counters have no offset, so a compare value is a tick of the
//! physical counter.

use rmi::v1_0::RecExit;

const ENABLE: u64 = 1 << 0;
const IMASK: u64 = 1 << 1;
const ISTATUS: u64 = 1 << 2;
const CONTROL: u64 = ENABLE | IMASK | ISTATUS;

/// Levels of the two timer interrupts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Lines {
    /// The virtual timer's.
    pub virtual_: bool,
    /// The physical timer's.
    pub physical: bool,
}

/// Whether a timer with this control register asserts its interrupt.
#[inline]
pub const fn asserted(control: u64) -> bool {
    control & CONTROL == ENABLE | ISTATUS
}

/// The levels at this exit.
#[inline]
pub fn lines(exit: &RecExit) -> Lines {
    Lines {
        virtual_: asserted(exit.cntv_ctl),
        physical: asserted(exit.cntp_ctl),
    }
}

/// The levels at tick `now`, as the timers were set at this exit.
pub fn due(exit: &RecExit, now: u64) -> Lines {
    let due = |control: u64, compare: u64| {
        asserted(control) || (control & (ENABLE | IMASK) == ENABLE && now >= compare)
    };
    Lines {
        virtual_: due(exit.cntv_ctl, exit.cntv_cval),
        physical: due(exit.cntp_ctl, exit.cntp_cval),
    }
}

/// The tick at which a waiting guest's next timer interrupt is due, in the
/// past when one is asserted already; `None` when no timer will ever fire.
pub fn next(exit: &RecExit) -> Option<u64> {
    let armed =
        |control: u64, compare: u64| (control & (ENABLE | IMASK) == ENABLE).then_some(compare);
    let virtual_ = armed(exit.cntv_ctl, exit.cntv_cval);
    let physical = armed(exit.cntp_ctl, exit.cntp_cval);
    match (virtual_, physical) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (one, other) => one.or(other),
    }
}
