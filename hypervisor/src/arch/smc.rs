//! The SMC conduit: the one instruction through which firmware is called.
//!
//! For benches the conduit notes when it leaves and when it is back, so that
//! what firmware and guests spend can be told from what this hypervisor does.
#![expect(unsafe_code, reason = "the SMC instruction")]

use conduit::{Conduit, Regs};
use core::arch::asm;
use core::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};

use crate::flight;

/// What is done with the stamps of a call; zero if they are not taken.
static MODE: AtomicU8 = AtomicU8::new(0);
/// They are added up for benches.
const BENCH: u8 = 1;
/// The call is noted in the flight recorder.
const NOTE: u8 = 2;

static LEFT: AtomicU64 = AtomicU64::new(0);
static BACK: AtomicU64 = AtomicU64::new(0);
static AWAY: AtomicU64 = AtomicU64::new(0);

/// When the conduit was last left and come back through, and for how long it
/// was away since the start, in ticks.
#[derive(Clone, Copy, Debug)]
pub struct Stamps {
    /// Just before the last call.
    pub left: u64,
    /// Just after the last call.
    pub back: u64,
    /// Inside calls, all told.
    pub away: u64,
}

impl Stamps {
    /// None taken yet.
    pub const NONE: Self = Self {
        left: 0,
        back: 0,
        away: 0,
    };
}

/// Starts taking stamps for benches.
pub fn start_stamping() {
    MODE.fetch_or(BENCH, Relaxed);
}

/// Says whether calls are noted in the flight recorder.
pub fn set_noting(wanted: bool) {
    match wanted {
        true => MODE.fetch_or(NOTE, Relaxed),
        false => MODE.fetch_and(!NOTE, Relaxed),
    };
}

/// Whether calls are noted in the flight recorder.
#[inline(always)]
pub fn is_noting() -> bool {
    MODE.load(Relaxed) & NOTE != 0
}

/// The stamps so far; all zero unless they are taken.
pub fn stamps() -> Stamps {
    Stamps {
        left: LEFT.load(Relaxed),
        back: BACK.load(Relaxed),
        away: AWAY.load(Relaxed),
    }
}

/// Calls firmware at EL3 (SMCCC 1.2, DEN0028).
#[derive(Clone, Copy, Debug)]
pub struct SmcConduit;

impl Conduit for SmcConduit {
    #[inline(always)]
    fn call(&self, regs: Regs) -> Regs {
        let [
            mut x0,
            mut x1,
            mut x2,
            mut x3,
            mut x4,
            mut x5,
            mut x6,
            mut x7,
        ] = regs.0;
        let mode = MODE.load(Relaxed);
        let (left, back): (u64, u64);
        // SAFETY: SMCCC functions change registers as declared here and memory
        // only as their specifications say; whoever names a function that
        // writes memory owns that memory (the run page) or gives it away
        // (delegation), which the typed callers in `rmi` and `realm` track.
        unsafe {
            asm!(
                "cbz {stamping:w}, 2f",
                "isb",
                "mrs {left}, cntpct_el0",
                "smc #0",
                "mrs {back}, cntpct_el0",
                "b 3f",
                "2: smc #0",
                "3:",
                stamping = in(reg) u32::from(mode),
                left = out(reg) left,
                back = out(reg) back,
                inlateout("x0") x0, inlateout("x1") x1,
                inlateout("x2") x2, inlateout("x3") x3,
                inlateout("x4") x4, inlateout("x5") x5,
                inlateout("x6") x6, inlateout("x7") x7,
                out("x8") _, out("x9") _, out("x10") _,
                out("x11") _, out("x12") _, out("x13") _,
                out("x14") _, out("x15") _, out("x16") _,
                out("x17") _,
                options(nostack),
            );
        }
        if mode & BENCH != 0 {
            LEFT.store(left, Relaxed);
            BACK.store(back, Relaxed);
            AWAY.store(AWAY.load(Relaxed) + (back - left), Relaxed);
        }
        if mode & NOTE != 0 {
            let [function, argument, ..] = regs.0;
            flight::called(function, argument, x0, back.wrapping_sub(left));
        }
        Regs([x0, x1, x2, x3, x4, x5, x6, x7])
    }
}
