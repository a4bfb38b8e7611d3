//! Where the linker script put the parts of the image.
#![expect(unsafe_code, reason = "linker symbols are foreign statics")]

use addr::{PhysAddr, PhysRange};

/// CPUs this image has stacks for.
pub const MAX_CPUS: usize = 8;
/// Bytes of one CPU's stack.
pub const STACK_SIZE: usize = 64 << 10;
/// Distance of two stacks. The half below each stack is its guard and belongs
/// to no one; a stack pointer has bit [`STACK_BIT`] clear exactly when it lies in that half,
/// which is how the vectors notice an overflow.
pub const STACK_STRIDE: usize = 2 * STACK_SIZE;
/// The bit that is set in every address of a stack.
pub const STACK_BIT: u32 = STACK_SIZE.trailing_zeros();

unsafe extern "C" {
    static suz_head: u8;
    static __text_end: u8;
    static __rodata_end: u8;
    static __image_end: u8;
    static __stacks: u8;
}

/// The parts of the image by permission. All bounds are page aligned.
#[derive(Clone, Copy, Debug)]
pub struct Image {
    /// Readable and executable.
    pub text: PhysRange,
    /// Readable.
    pub rodata: PhysRange,
    /// Readable and writable.
    pub data: PhysRange,
}

impl Image {
    /// The image this code is part of.
    pub fn this() -> Self {
        // The image runs where it was loaded, so that addresses are physical.
        let base = phys(&raw const suz_head);
        let text_end = phys(&raw const __text_end);
        let rodata_end = phys(&raw const __rodata_end);
        let end = phys(&raw const __image_end);
        Self {
            text: range(base, text_end),
            rodata: range(text_end, rodata_end),
            data: range(rodata_end, end),
        }
    }

    /// The image from its first to its last byte.
    pub fn whole(&self) -> PhysRange {
        range(self.text.base(), self.data.top())
    }
}

/// What lies below the stack of `cpu` and is to be left unmapped.
pub fn stack_guard(cpu: usize) -> PhysRange {
    assert!(cpu < MAX_CPUS, "no stack for CPU {cpu}");
    let bottom = stacks() + (cpu * STACK_STRIDE + STACK_SIZE) as u64;
    range(
        PhysAddr::new(bottom - STACK_SIZE as u64),
        PhysAddr::new(bottom),
    )
}

/// The first stack pointer of `cpu`.
pub fn stack_top(cpu: usize) -> PhysAddr {
    assert!(cpu < MAX_CPUS, "no stack for CPU {cpu}");
    PhysAddr::new(stacks() + ((cpu + 1) * STACK_STRIDE) as u64)
}

fn stacks() -> u64 {
    phys(&raw const __stacks).raw()
}

fn phys(symbol: *const u8) -> PhysAddr {
    PhysAddr::new(symbol as u64)
}

fn range(start: PhysAddr, end: PhysAddr) -> PhysRange {
    match PhysRange::new(start, end) {
        Ok(range) => range,
        Err(_) => panic!("linker script puts {end:?} before {start:?}"),
    }
}
