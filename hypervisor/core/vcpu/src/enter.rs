//! Answers to an exit, written into the page a REC is entered with.
//!
//! Flags belong to one entry: [`begin`] clears them after every exit, before
//! an answer sets its own. Only what changes is written.

use rmi::v1_0::{
    ENTER_FLAG_EMUL_MMIO, ENTER_FLAG_INJECT_SEA, ENTER_FLAG_RIPAS_RESPONSE, ENTER_FLAG_TRAP_WFI,
    RecEnter, RecExit,
};

/// Takes the last answer back. A guest that waits for an interrupt gives the
/// physical CPU away; one that waits for an event goes on, for it will be
/// over soon.
#[inline]
pub fn begin(enter: &mut RecEnter) {
    enter.flags = ENTER_FLAG_TRAP_WFI;
}

/// The load of the last exit reads `value`.
#[inline]
pub fn load_done(enter: &mut RecEnter, value: u64) {
    enter.flags |= ENTER_FLAG_EMUL_MMIO;
    set_first(enter, value);
}

/// The store of the last exit is done.
#[inline]
pub fn store_done(enter: &mut RecEnter) {
    enter.flags |= ENTER_FLAG_EMUL_MMIO;
}

/// The access of the last exit ends in a synchronous external abort. The RMM
/// allows this for a data abort on the unprotected half only.
#[inline]
pub fn inject_sea(enter: &mut RecEnter) {
    enter.flags |= ENTER_FLAG_INJECT_SEA;
}

/// The change of RIPAS asked for is refused; without this it is accepted as
/// far as it went.
#[inline]
pub fn reject_ripas(enter: &mut RecEnter) {
    enter.flags |= ENTER_FLAG_RIPAS_RESPONSE;
}

/// Gives the value that the read of a system register returns.
#[inline]
pub fn register_read(enter: &mut RecEnter, value: u64) {
    set_first(enter, value);
}

macro_rules! copy {
    ($to:expr, $from:expr, $($index:literal)*) => {
        $($to[$index] = $from[$index];)*
    };
}

/// Gives a host call's registers back as they came; the RMM copies all 31.
///
/// Register by register, because the compiler makes a call of `memcpy` of an
/// array or a loop, which costs several times as much.
#[inline]
pub fn echo(enter: &mut RecEnter, exit: &RecExit) {
    copy!(
        enter.gprs, exit.gprs,
        0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15
        16 17 18 19 20 21 22 23 24 25 26 27 28 29 30
    );
}

/// Sets the first register of a host call's answer.
#[inline]
pub fn set_first(enter: &mut RecEnter, value: u64) {
    let [first, ..] = &mut enter.gprs;
    *first = value;
}
