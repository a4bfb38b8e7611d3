//! Device registers through the shared alias.
#![expect(unsafe_code, reason = "touches device registers by address")]

/// A device's registers.
#[derive(Clone, Copy, Debug)]
pub struct Mmio {
    base: u64,
}

impl Mmio {
    /// The registers at `base`, an address of the unprotected half.
    pub const fn new(base: u64) -> Self {
        Self { base }
    }

    /// Reads a 32-bit register.
    pub fn read(self, offset: u64) -> u32 {
        let value;
        // SAFETY: the register lies in the unprotected half, where no Rust
        // object is; one plain load, so that the host can emulate it.
        unsafe {
            core::arch::asm!("ldr {0:w}, [{1}]", out(reg) value, in(reg) self.base + offset,
                options(nostack, preserves_flags));
        }
        value
    }

    /// Writes a 32-bit register.
    pub fn write(self, offset: u64, value: u32) {
        // SAFETY: as for `read`, with one plain store.
        unsafe {
            core::arch::asm!("str {0:w}, [{1}]", in(reg) value, in(reg) self.base + offset,
                options(nostack, preserves_flags));
        }
    }
}
