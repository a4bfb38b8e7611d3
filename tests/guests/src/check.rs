//! Checks that a payload makes, and how it ends.

use crate::{power, println};
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

static MADE: AtomicU32 = AtomicU32::new(0);
static FAILED: AtomicU32 = AtomicU32::new(0);
static QUIET: AtomicBool = AtomicBool::new(false);

/// Prints from here on only what does not hold.
pub fn quietly() {
    QUIET.store(true, Ordering::Relaxed);
}

/// Records and prints whether what `text` says is so.
pub fn that(holds: bool, text: core::fmt::Arguments<'_>) {
    MADE.fetch_add(1, Ordering::Relaxed);
    if holds {
        if !QUIET.load(Ordering::Relaxed) {
            println!("  ok    {text}");
        }
    } else {
        FAILED.fetch_add(1, Ordering::Relaxed);
        println!("  FAIL  {text}");
    }
}

/// Powers off if every check held and at least one was made, else resets, which
/// the host reports as an outcome nobody asked for.
pub fn end() -> ! {
    let made = MADE.load(Ordering::Relaxed);
    let failed = FAILED.load(Ordering::Relaxed);
    println!("{made} checks, {failed} failed");
    if failed == 0 && made > 0 {
        power::off()
    }
    power::reset()
}

/// [`that`] with a format string.
#[macro_export]
macro_rules! check {
    ($holds:expr, $($text:tt)*) => {
        $crate::check::that($holds, format_args!($($text)*))
    };
}
