//! The EL1 virtual timer, and waiting for interrupts.
#![expect(unsafe_code, reason = "timer registers, WFI and the interrupt mask")]

use crate::gic;
use core::sync::atomic::{AtomicU32, Ordering};
use vm_config::map;

/// Timer interrupts taken.
static TICKS: AtomicU32 = AtomicU32::new(0);
/// Other interrupts taken.
static OTHERS: AtomicU32 = AtomicU32::new(0);

/// Timer interrupts taken so far.
pub fn ticks() -> u32 {
    TICKS.load(Ordering::Relaxed)
}

/// Interrupts taken so far that were not the timer's.
pub fn others() -> u32 {
    OTHERS.load(Ordering::Relaxed)
}

/// The virtual counter.
pub fn now() -> u64 {
    let now;
    // SAFETY: reads a counter.
    unsafe {
        core::arch::asm!("isb", "mrs {0}, cntvct_el0", out(reg) now, options(nostack));
    }
    now
}

/// Counter ticks a second.
pub fn frequency() -> u64 {
    let frequency;
    // SAFETY: reads a constant register.
    unsafe {
        core::arch::asm!("mrs {0}, cntfrq_el0", out(reg) frequency, options(nostack));
    }
    frequency
}

/// Arms the virtual timer to fire in `ticks`.
pub fn arm(ticks: u64) {
    // SAFETY: this guest's own timer; its interrupt is handled below.
    unsafe {
        core::arch::asm!("msr cntv_cval_el0, {0}", "msr cntv_ctl_el0, {1}", "isb",
            in(reg) now() + ticks, in(reg) 1u64, options(nostack));
    }
}

fn disarm() {
    // SAFETY: this guest's own timer.
    unsafe {
        core::arch::asm!("msr cntv_ctl_el0, xzr", "isb", options(nostack));
    }
}

/// Waits in WFI, interrupts open, until `done`, or until `patience` wake-ups
/// have passed. Tells whether it was done.
pub fn wait_until(patience: u32, mut done: impl FnMut() -> bool) -> bool {
    for _ in 0..patience {
        mask();
        if done() {
            unmask();
            return true;
        }
        // Masked interrupts end a WFI too, so none is lost between the look
        // and the wait.
        wfi();
        unmask();
    }
    done()
}

/// Waits until an interrupt is pending, masked or not.
pub fn wfi() {
    // SAFETY: waits.
    unsafe {
        core::arch::asm!("dsb sy", "wfi", options(nostack));
    }
}

/// Opens interrupts.
pub fn unmask() {
    // SAFETY: vectors and stack are up since entry.
    unsafe {
        core::arch::asm!("msr daifclr, #2", "isb", options(nostack));
    }
}

/// Masks interrupts.
pub fn mask() {
    // SAFETY: masking is always allowed.
    unsafe {
        core::arch::asm!("msr daifset, #2", options(nostack));
    }
}

/// What the vectors do with an interrupt.
pub fn handle_interrupt() {
    let intid = gic::acknowledge();
    match intid {
        map::TIMER_VIRTUAL_INTID => {
            disarm();
            TICKS.fetch_add(1, Ordering::Relaxed);
            gic::end(intid);
        }
        0..=1019 => {
            OTHERS.fetch_add(1, Ordering::Relaxed);
            gic::end(intid);
        }
        _ => {}
    }
}
