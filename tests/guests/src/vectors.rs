//! Entry and exception vectors of payloads.
#![expect(unsafe_code, reason = "entry and vectors are assembly")]

use crate::{guard, map, power, println, timer};
use core::mem::offset_of;

/// Registers the vectors save.
#[repr(C)]
struct Frame {
    x: [u64; 31],
    elr: u64,
    spsr: u64,
}

const FRAME: usize = size_of::<Frame>().next_multiple_of(16);

core::arch::global_asm!(
    include_str!("vectors.S"),
    FRAME = const FRAME,
    X30 = const offset_of!(Frame, x) + 30 * 8,
    ELR = const offset_of!(Frame, elr),
    MAIR = const map::MAIR,
    TCR = const map::TCR,
    SCTLR_SET = const map::SCTLR_SET,
    TABLE = sym map::TABLE,
    SYNC = sym sync,
    IRQ = sym irq,
    UNEXPECTED = sym unexpected,
);

fn syndrome() -> (u64, u64) {
    let esr;
    let far;
    // SAFETY: reads two registers.
    unsafe {
        core::arch::asm!("mrs {0}, esr_el1", "mrs {1}, far_el1", out(reg) esr, out(reg) far,
            options(nostack));
    }
    (esr, far)
}

extern "C" fn sync(frame: &mut Frame) {
    let (esr, far) = syndrome();
    if guard::take(esr, far) {
        let class = esr >> 26 & 0x3f;
        // A fetch that failed has nothing to skip: return to the caller.
        frame.elr = if class == 0x21 || class == 0x20 {
            frame.x[30]
        } else {
            frame.elr + 4
        };
        return;
    }
    println!(
        "guest exception: ESR {esr:#x} FAR {far:#x} ELR {:#x}",
        frame.elr
    );
    power::reset()
}

extern "C" fn irq(_frame: &mut Frame) {
    timer::handle_interrupt();
}

extern "C" fn unexpected(frame: &mut Frame) {
    let (esr, far) = syndrome();
    println!(
        "guest exception of a kind nobody expects: ESR {esr:#x} FAR {far:#x} ELR {:#x} SPSR {:#x}",
        frame.elr, frame.spsr
    );
    power::reset()
}
