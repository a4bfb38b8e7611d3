//! The SMC conduit: the one instruction through which firmware is called.
#![expect(unsafe_code, reason = "the SMC instruction")]

use conduit::{Conduit, Regs};
use core::arch::asm;

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
        // SAFETY: SMCCC functions change registers as declared here and memory
        // only as their specifications say; whoever names a function that
        // writes memory owns that memory (the run page) or gives it away
        // (delegation), which the typed callers in `rmi` and `realm` track.
        unsafe {
            asm!(
                "smc #0",
                inlateout("x0") x0, inlateout("x1") x1,
                inlateout("x2") x2, inlateout("x3") x3,
                inlateout("x4") x4, inlateout("x5") x5,
                inlateout("x6") x6, inlateout("x7") x7,
                lateout("x8") _, lateout("x9") _, lateout("x10") _,
                lateout("x11") _, lateout("x12") _, lateout("x13") _,
                lateout("x14") _, lateout("x15") _, lateout("x16") _,
                lateout("x17") _,
                options(nostack),
            );
        }
        Regs([x0, x1, x2, x3, x4, x5, x6, x7])
    }
}
