//! Identification, waiting, and the few registers no crate has.
#![expect(unsafe_code, reason = "instructions without a safe wrapper")]

use core::arch::asm;

use aarch64_cpu::registers::{HCR_EL2, MPIDR_EL1, Readable, TPIDR_EL2};
use arm_sysregs::el1::accessors::read_id_aa64pfr0_el1;

/// Whether the CPU has the Realm Management Extension. Without it nothing
/// answers RMI calls, so none is made.
pub fn has_rme() -> bool {
    read_id_aa64pfr0_el1().is_feat_rme_present()
}

/// Whether EL2 runs with the layout of registers that VHE brings.
pub fn has_e2h() -> bool {
    HCR_EL2.is_set(HCR_EL2::E2H)
}

/// The affinity of this CPU as GIC and PSCI spell it.
pub fn affinity() -> u64 {
    MPIDR_EL1.get() & 0xff_00ff_ffff
}

/// The dense number of this CPU, which its entry path was given: 0 for the CPU
/// that booted.
#[inline(always)]
pub fn number() -> usize {
    TPIDR_EL2.get() as usize
}

/// Waits until an interrupt is pending, masked or not.
pub fn wait_for_interrupt() {
    // SAFETY: WFI changes no state; DSB completes the stores before it.
    unsafe { asm!("dsb sy", "wfi", options(nostack)) }
}

/// Sets the compare value of the EL2 physical timer.
pub fn set_timer_compare(at: u64) {
    // SAFETY: the register holds a number that only the timer compares; the ISB
    // orders it before the write that enables the timer.
    unsafe { asm!("msr cnthp_cval_el2, {}", "isb", in(reg) at, options(nomem, nostack)) }
}

/// The compare value of the EL2 physical timer.
pub fn timer_compare() -> u64 {
    let at;
    // SAFETY: reading the register has no effect.
    unsafe { asm!("mrs {}, cnthp_cval_el2", out(reg) at, options(nomem, nostack)) };
    at
}

/// Makes what this CPU has stored visible before the interrupt that tells
/// another of it.
pub fn publish() {
    // SAFETY: a barrier changes no state.
    unsafe { asm!("dsb ishst", options(nostack)) }
}

/// Lets an SError reach its vector instead of staying pending.
pub fn unmask_serror() {
    // SAFETY: the vectors are installed and describe what they get.
    unsafe { asm!("msr daifclr, #4", options(nostack)) }
}

/// Stops this CPU for good.
pub fn park() -> ! {
    loop {
        wait_for_interrupt();
    }
}
