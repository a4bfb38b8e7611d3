//! The end of the road: a defect in the RMM stops it, loudly and for good.
//!
//! A stopped RMM answers every RMI as if there were none (-1), so that the host
//! can report it and power off. Realm memory stays where it is, unreadable.
#![expect(unsafe_code, reason = "the syndrome registers are read by MRS")]

use crate::hw::{console, layout, smc, sysreg};
use core::sync::atomic::{AtomicBool, Ordering};

/// Set once a CPU has stopped; all of them then answer -1.
static STOPPED: AtomicBool = AtomicBool::new(false);
/// Whether the boot is over, which decides by which call EL3 is answered.
static SERVING: AtomicBool = AtomicBool::new(false);

const NOT_SUPPORTED: u64 = u64::MAX;
const BOOT_CODE_UNKNOWN: i64 = -1;
const VECTORS: [&str; 4] = ["synchronous exception", "IRQ", "FIQ", "SError"];
/// What the vectors pass when `sp` itself lies in a guard.
const STACK_OVERFLOW: u64 = 8;

/// Notes that from here on RMIs are pending, not the boot.
pub fn serving() {
    SERVING.store(true, Ordering::Relaxed);
}

/// Whether some CPU has stopped.
pub fn is_stopped() -> bool {
    STOPPED.load(Ordering::Relaxed)
}

/// Answers this and every further RMI with -1.
pub fn stop() -> ! {
    STOPPED.store(true, Ordering::Relaxed);
    if !SERVING.load(Ordering::Relaxed) {
        smc::boot_complete(BOOT_CODE_UNKNOWN);
    }
    loop {
        smc::request_complete([NOT_SUPPORTED, 0, 0, 0, 0, 0, 0, 0]);
    }
}

/// Called by the vectors on an exception that has no place at R-EL2.
pub extern "C" fn fatal_exception(vector: u64) -> ! {
    let esr = sysreg::read!("esr_el2");
    let elr = sysreg::read!("elr_el2");
    let far = sysreg::read!("far_el2");
    // A fault while reporting a fault: say nothing more.
    if !STOPPED.swap(true, Ordering::Relaxed) {
        let what = match vector {
            STACK_OVERFLOW => "stack overflow",
            _ if layout::is_stack_slot(far) => "stack overflow",
            _ => VECTORS
                .get(vector as usize % VECTORS.len())
                .copied()
                .unwrap_or("exception"),
        };
        console::print(format_args!(
            "\nrmm: error: unexpected {what} (vector {vector}): ESR_EL2 {esr:#x}, ELR_EL2 {elr:#x} (image {:#x}), FAR_EL2 {far:#x}, SPSR_EL2 {:#x}. The RMM stops; RMI calls answer -1 from here on.\n",
            layout::image_base(),
            sysreg::read!("spsr_el2"),
        ));
    }
    stop()
}

/// What the panic handler does.
pub fn panicked(info: &core::panic::PanicInfo<'_>) -> ! {
    if !STOPPED.swap(true, Ordering::Relaxed) {
        console::print(format_args!(
            "\nrmm: error: {info}. The RMM stops; RMI calls answer -1 from here on.\n"
        ));
    }
    stop()
}
