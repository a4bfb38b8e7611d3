//! The end: something happened at EL3 that must not.

use crate::hw::{console, power};
use arm_sysregs::el3::accessors::{read_esr_el3, read_scr_el3, read_spsr_el3};
use core::sync::atomic::{AtomicBool, Ordering};

static DYING: AtomicBool = AtomicBool::new(false);

const VECTORS: [&str; 4] = ["synchronous exception", "IRQ", "FIQ", "SError"];
const ORIGINS: [&str; 4] = [
    "EL3 on SP_EL0",
    "EL3",
    "a lower level",
    "a lower level in AArch32",
];

/// Reports the exception of vector `number` and powers off. A second exception
/// on the way is not reported.
pub extern "C" fn unexpected(number: usize) -> ! {
    if !DYING.swap(true, Ordering::AcqRel) {
        let kind = VECTORS.get(number % 4).unwrap_or(&"exception");
        let origin = ORIGINS.get(number / 4).unwrap_or(&"nowhere");
        console::last_words(format_args!(
            "unexpected {kind} from {origin}: ESR_EL3 {:#x} ELR_EL3 {:#x} FAR_EL3 {:#x} SPSR_EL3 {:#x} SCR_EL3 {:#x}; stopping",
            read_esr_el3().bits(),
            crate::hw::cpu::read_elr(),
            crate::hw::cpu::read_far(),
            read_spsr_el3().bits(),
            read_scr_el3().bits(),
        ));
    }
    power::off()
}

/// Says why the monitor cannot go on, and powers off.
pub fn stop(why: core::fmt::Arguments<'_>) -> ! {
    if !DYING.swap(true, Ordering::AcqRel) {
        console::last_words(format_args!("{why}; stopping"));
    }
    power::off()
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    stop(format_args!("{info}"))
}
