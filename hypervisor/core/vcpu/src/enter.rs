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
    ($to:expr, $from:expr, $([$($name:ident $index:literal),*])*) => {
        $(
            $(let $name = $from[$index];)*
            $($to[$index] = $name;)*
        )*
    };
}

/// Gives a host call's registers back as they came; the RMM copies all 31.
#[inline]
pub fn echo(enter: &mut RecEnter, exit: &RecExit) {
    copy_registers(&mut enter.gprs, &exit.gprs);
}

/// Copies the registers one by one, because the compiler makes a call of `memcpy` of
/// an array or a loop, which costs several times as much. It takes two at once where
/// it sees them at small offsets, so this is a function of its own.
#[inline(never)]
fn copy_registers(to: &mut [u64; 31], from: &[u64; 31]) {
    copy!(
        to, from,
        [a 0, b 1, c 2, d 3, e 4, f 5, g 6, h 7]
        [a 8, b 9, c 10, d 11, e 12, f 13, g 14, h 15]
        [a 16, b 17, c 18, d 19, e 20, f 21, g 22, h 23]
        [a 24, b 25, c 26, d 27, e 28, f 29, g 30]
    );
}

/// Sets the first register of a host call's answer.
#[inline]
pub fn set_first(enter: &mut RecEnter, value: u64) {
    let [first, ..] = &mut enter.gprs;
    *first = value;
}
