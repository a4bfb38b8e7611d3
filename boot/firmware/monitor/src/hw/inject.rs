//! Hands an instruction that EL3 keeps closed back as undefined.
#![expect(unsafe_code, reason = "writing another level's exception registers")]

use crate::hw::entry::Frame;
use arm_sysregs::el1::accessors::read_vbar_el1;
use arm_sysregs::el2::accessors::{read_hcr_el2, read_vbar_el2};
use core::arch::asm;
use monitor_logic::trap::{self, ESR_UNDEFINED, Target};

/// Makes `frame` continue at the vector of the level that tried the
/// instruction; `false` if it runs AArch32 code, whose vectors EL3 does not serve.
pub fn undefined(frame: &mut Frame) -> bool {
    let Some(injection) = trap::undefined(frame.spsr, read_hcr_el2().bits()) else {
        return false;
    };
    let base = match injection.target {
        Target::El2 => {
            // SAFETY: these registers hold nothing of value while their level
            // runs: hardware overwrites them the same way at any exception.
            unsafe {
                asm!(
                    "msr elr_el2, {}", "msr spsr_el2, {}", "msr esr_el2, {}",
                    in(reg) frame.elr, in(reg) frame.spsr, in(reg) ESR_UNDEFINED,
                    options(nomem, nostack)
                )
            }
            read_vbar_el2().bits()
        }
        Target::El1 => {
            // SAFETY: as above, for EL1's registers.
            unsafe {
                asm!(
                    "msr elr_el1, {}", "msr spsr_el1, {}", "msr esr_el1, {}",
                    in(reg) frame.elr, in(reg) frame.spsr, in(reg) ESR_UNDEFINED,
                    options(nomem, nostack)
                )
            }
            read_vbar_el1().bits()
        }
    };
    frame.elr = base + injection.vector;
    frame.spsr = injection.spsr;
    true
}
