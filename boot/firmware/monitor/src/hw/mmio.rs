//! Device registers.
#![expect(unsafe_code, reason = "device registers are raw addresses")]

use monitor_logic::layout::{GICD_BASE, GICR_TOP, SECURE_GPIO_BASE, UART_BASE};

/// A device whose registers the monitor may touch.
#[derive(Clone, Copy)]
pub struct Device(u64);

impl Device {
    /// The serial line.
    pub const UART: Self = Self(UART_BASE);
    /// The GIC's distributor.
    pub const GICD: Self = Self(GICD_BASE);
    /// The secure PL061.
    pub const GPIO: Self = Self(SECURE_GPIO_BASE);

    /// The redistributor frame at `base`, if it lies among the redistributors.
    pub fn redistributor(base: u64) -> Option<Self> {
        let inside = base >= monitor_logic::layout::GICR_BASE && base + FRAME <= GICR_TOP;
        inside.then_some(Self(base))
    }

    fn address(self, offset: u64) -> usize {
        assert!(offset < FRAME && offset.is_multiple_of(4));
        (self.0 + offset) as usize
    }

    /// Reads a 32-bit register.
    pub fn read(self, offset: u64) -> u32 {
        // SAFETY: the address is aligned and inside a device that the monitor's
        // tables map as device memory and that no Rust object overlaps.
        unsafe { (self.address(offset) as *const u32).read_volatile() }
    }

    /// Writes a 32-bit register.
    pub fn write(self, offset: u64, value: u32) {
        // SAFETY: as for `read`; none of these devices writes memory.
        unsafe { (self.address(offset) as *mut u32).write_volatile(value) }
    }
}

/// Bytes of registers in the largest frame (two 64 KiB pages of a redistributor).
const FRAME: u64 = 0x2_0000;
