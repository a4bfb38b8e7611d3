//! Accesses that may fail: a fault becomes a value.
#![expect(unsafe_code, reason = "touches addresses that may abort")]

use crate::bits;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// A synchronous exception that a guarded access took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// `ESR_EL1`.
    pub esr: u64,
    /// `FAR_EL1`.
    pub far: u64,
}

impl Fault {
    /// Exception class.
    pub const fn class(self) -> u64 {
        self.esr >> 26 & 0x3f
    }

    /// Whether it is a synchronous external abort on data.
    pub const fn is_external_abort(self) -> bool {
        matches!(self.class(), 0x24 | 0x25) && matches!(self.esr & 0x3f, 0x10 | 0x13..=0x17)
    }

    /// Whether it is an external abort on an instruction fetch.
    pub const fn is_external_fetch_abort(self) -> bool {
        matches!(self.class(), 0x20 | 0x21) && matches!(self.esr & 0x3f, 0x10 | 0x13..=0x17)
    }

    /// Whether the instruction was undefined.
    pub const fn is_undefined(self) -> bool {
        self.class() == 0
    }
}

static ARMED: AtomicBool = AtomicBool::new(false);
static TAKEN: AtomicBool = AtomicBool::new(false);
static ESR: AtomicU64 = AtomicU64::new(0);
static FAR: AtomicU64 = AtomicU64::new(0);

/// Called by the vectors: takes the fault if an access is guarded.
pub fn take(esr: u64, far: u64) -> bool {
    if !ARMED.load(Ordering::Relaxed) {
        return false;
    }
    ESR.store(esr, Ordering::Relaxed);
    FAR.store(far, Ordering::Relaxed);
    TAKEN.store(true, Ordering::Relaxed);
    true
}

/// Runs `access`; a synchronous exception in it skips the instruction.
pub fn run<T>(access: impl FnOnce() -> T) -> Result<T, Fault> {
    TAKEN.store(false, Ordering::Relaxed);
    ARMED.store(true, Ordering::SeqCst);
    let value = access();
    ARMED.store(false, Ordering::SeqCst);
    if TAKEN.load(Ordering::Relaxed) {
        return Err(Fault {
            esr: ESR.load(Ordering::Relaxed),
            far: FAR.load(Ordering::Relaxed),
        });
    }
    Ok(value)
}

/// Reads eight bytes, wherever that is.
pub fn read(address: u64) -> Result<u64, Fault> {
    run(|| {
        let value: u64;
        // SAFETY: a load has no effect on memory; a fault skips it.
        unsafe {
            core::arch::asm!("mov {0}, #0", "ldr {0}, [{1}]", out(reg) value, in(reg) address,
                options(nostack, readonly));
        }
        value
    })
}

/// Writes eight bytes where the payload has no object of its own: to devices,
/// to the shared half, or where no memory is.
///
/// # Panics
///
/// If `address` lies in the payload's image or stack.
pub fn write(address: u64, value: u64) -> Result<(), Fault> {
    let own = vm_config::map::RAM_BASE.raw()..bits::SCRATCH;
    assert!(
        !own.contains(&address) && !own.contains(&address.saturating_add(7)),
        "{address:#x} is the payload's own memory"
    );
    run(|| {
        // SAFETY: no Rust object lives at `address`, as checked above: image and
        // stack end below SCRATCH. A fault skips the store.
        unsafe {
            core::arch::asm!("str {0}, [{1}]", in(reg) value, in(reg) address, options(nostack));
        }
    })
}

/// Loads with write-back, which no host can emulate.
pub fn read_with_write_back(address: u64) -> Result<u64, Fault> {
    run(|| {
        let value: u64;
        // SAFETY: as for `read`; the base register is a copy.
        unsafe {
            core::arch::asm!("mov {0}, #0", "ldr {0}, [{1}], #8", out(reg) value,
                inout(reg) address => _, options(nostack, readonly));
        }
        value
    })
}

/// Calls an address that nobody should be able to execute.
pub fn fetch(address: u64) -> Result<(), Fault> {
    run(|| {
        // SAFETY: the vectors return to the link register on a fault of the
        // fetch; an address that can be executed is none this is called with.
        unsafe {
            core::arch::asm!("blr {0}", in(reg) address, clobber_abi("C"));
        }
    })
}
