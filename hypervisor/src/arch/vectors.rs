//! Exceptions taken at EL2.
//!
//! Interrupts are never unmasked here (they are acknowledged by polling after
//! each exit of a guest), so every exception of this level is unexpected but one kind: the
//! fault of an instruction listed in the fix-up table, which goes on at the
//! address the table names. Anything else is described in words and stops the
//! machine.
#![expect(unsafe_code, reason = "vector table, exception frame, fix-up table")]

use core::arch::global_asm;
use core::cell::UnsafeCell;
use core::mem::{offset_of, size_of};

use addr::PhysAddr;

use recorder::{Event, Who};

use crate::{flight, power};

const EMERGENCY_STACK_SIZE: usize = 8 << 10;

/// What the vectors save. Laid out as `vectors.S` stores it.
#[repr(C, align(16))]
struct Frame {
    x: [u64; 31],
    elr: u64,
    esr: u64,
    far: u64,
}

const _: () = {
    assert!(offset_of!(Frame, elr) == 248);
    assert!(offset_of!(Frame, far) == offset_of!(Frame, esr) + 8);
    assert!(size_of::<Frame>().is_multiple_of(16));
};

#[repr(C, align(16))]
struct EmergencyStack(UnsafeCell<[u8; EMERGENCY_STACK_SIZE]>);

// SAFETY: only `suz_stack_overflow` uses it, through its address, and never
// returns; two CPUs that overflow at once both end in SYSTEM_OFF.
unsafe impl Sync for EmergencyStack {}

static EMERGENCY_STACK: EmergencyStack = EmergencyStack(UnsafeCell::new([0; EMERGENCY_STACK_SIZE]));

global_asm!(
    include_str!("vectors.S"),
    FRAME_SIZE = const size_of::<Frame>(),
    FRAME_ESR = const offset_of!(Frame, esr),
    STACK_BIT = const entry::STACK_BIT,
    EMERGENCY_STACK = sym EMERGENCY_STACK,
    EMERGENCY_STACK_SIZE = const EMERGENCY_STACK_SIZE,
);

unsafe extern "C" {
    fn suz_guarded_read(from: u64, to: *mut u64) -> u64;
    static __fixup_start: [u64; 2];
    static __fixup_end: [u64; 2];
}

/// Why a guarded read gave no value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReadFault {
    /// The granule belongs to another world.
    GranuleProtection,
    /// Anything else, by its syndrome.
    Other(u64),
}

/// Reads eight bytes that may not be ours to read.
pub fn guarded_read(address: PhysAddr) -> Result<u64, ReadFault> {
    let mut value = 0;
    // SAFETY: the load is named in the fix-up table, so that whatever it meets
    // comes back as a syndrome; the store goes to a local.
    let syndrome = unsafe { suz_guarded_read(address.raw(), &raw mut value) };
    match syndrome {
        0 => Ok(value),
        esr if esr & 0x3f == 0x28 => Err(ReadFault::GranuleProtection),
        esr => Err(ReadFault::Other(esr)),
    }
}

fn fixups() -> &'static [[u64; 2]] {
    let start = &raw const __fixup_start;
    let end = &raw const __fixup_end;
    let len = (end as usize - start as usize) / size_of::<[u64; 2]>();
    // SAFETY: the linker script puts pairs of words, relocated before Rust ran,
    // between the two symbols.
    unsafe { core::slice::from_raw_parts(start, len) }
}

/// Called by the vectors, which hand over the frame they have just saved.
// SAFETY: the symbol's name is unique to this image.
#[unsafe(no_mangle)]
extern "C" fn suz_exception_rust(frame: &mut Frame, kind: u64) {
    const CURRENT_EL_SYNC: u64 = 4;
    if kind == CURRENT_EL_SYNC {
        for [at, go_on] in fixups() {
            if frame.elr == *at {
                frame.x[0] = frame.esr;
                frame.elr = *go_on;
                return;
            }
        }
    }
    unexpected(frame, kind)
}

// SAFETY: the symbol's name is unique to this image.
#[unsafe(no_mangle)]
extern "C" fn suz_stack_overflow_rust(_sp: u64, elr: u64, far: u64) -> ! {
    crate::console::seize();
    log::error!("stack overflow at EL2: {} touched {far:#x}", Place(elr));
    power::off()
}

fn unexpected(frame: &Frame, kind: u64) -> ! {
    const WHAT: [&str; 4] = ["synchronous exception", "IRQ", "FIQ", "SError"];
    const FROM: [&str; 2] = ["EL2 on SP_EL0", "EL2"];
    crate::console::seize();
    log::error!(
        "unexpected {} from {}: {} at {}, FAR {:#x}, ESR {:#x}",
        WHAT[(kind & 3) as usize],
        FROM[(kind >> 2 & 1) as usize],
        describe(frame.esr),
        Place(frame.elr),
        frame.far,
        frame.esr,
    );
    let event = Event::Crash {
        syndrome: frame.esr,
        address: frame.far,
    };
    flight::note(Who::HOST, event);
    for (n, pair) in frame.x.chunks(4).enumerate() {
        log::error!("x{:<2} {:x?}", n * 4, pair);
    }
    crate::console::tell_last();
    power::off()
}

/// A code address, told as an offset that the ELF file's symbols know.
struct Place(u64);

impl core::fmt::Display for Place {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let text = entry::Image::this().text;
        match PhysAddr::new(self.0).offset_from(text.base()) {
            Some(offset) if text.contains(PhysAddr::new(self.0)) => {
                write!(f, "image+{offset:#x}")
            }
            _ => write!(f, "{:#x} (outside the image)", self.0),
        }
    }
}

/// `ESR_ELx` in words (DDI0487, D24.2.40).
fn describe(esr: u64) -> &'static str {
    match (esr >> 26, esr & 0x3f) {
        (0x00, _) => "unknown instruction",
        (0x07, _) => "use of FP or SIMD, which this image is built without",
        (0x18, _) => "trapped system register access",
        (0x21 | 0x25, 0x28) => "granule protection fault",
        (0x21, 0x04..=0x07) => "instruction fetch from an unmapped address",
        (0x21, 0x0c..=0x0f) => "instruction fetch without permission",
        (0x21, _) => "instruction abort",
        (0x22, _) => "misaligned PC",
        (0x25, 0x04..=0x07) => "access to an unmapped address",
        (0x25, 0x0c..=0x0f) => "access without permission",
        (0x25, 0x10) => "external abort",
        (0x25, 0x21) => "misaligned access",
        (0x25, _) => "data abort",
        (0x26, _) => "misaligned stack pointer",
        (0x3c, _) => "BRK",
        _ => "exception",
    }
}
