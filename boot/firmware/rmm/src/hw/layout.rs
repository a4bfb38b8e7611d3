//! Where things are: the image's sections and the RMM's virtual address space.
//!
//! | virtual | what |
//! |---|---|
//! | physical address | image, granule table, Realm memory, console |
//! | [`STACK_VA`] + slot | per-CPU stacks, the lower half of each slot unmapped |
//! | physical address + [`NS_OFFSET`] | Non-secure memory |
#![expect(unsafe_code, reason = "the linker's symbols are extern statics")]

use rmm_image::manifest::PA_LIMIT;
pub use rmm_image::stage1::NS_OFFSET;

/// CPUs the image has room for.
pub const MAX_CPUS: usize = 64;
/// Base-two logarithm of the bytes in a CPU's stack.
pub const STACK_SHIFT: u32 = 16;
/// Bytes in a CPU's stack.
pub const STACK_SIZE: usize = 1 << STACK_SHIFT;
/// Base-two logarithm of a stack's slot: as much again, unmapped, is its guard.
pub const STACK_SLOT_SHIFT: u32 = STACK_SHIFT + 1;
/// Where the slots begin.
pub const STACK_VA: u64 = PA_LIMIT;
/// Whether an address lies in the stacks or their guards.
pub fn is_stack_slot(address: u64) -> bool {
    (STACK_VA..STACK_VA + ((MAX_CPUS as u64) << STACK_SLOT_SHIFT)).contains(&address)
}

/// Bytes from the image's base that EL3 keeps in the Realm world for the RMM.
pub const CARVE_OUT: u64 = 24 << 20;

unsafe extern "C" {
    static __image_start: u8;
    static __rodata_start: u8;
    static __data_start: u8;
    static __image_end: u8;
}

macro_rules! section {
    ($(#[$doc:meta])* $name:ident, $symbol:ident) => {
        $(#[$doc])*
        pub fn $name() -> u64 {
            &raw const $symbol as u64
        }
    };
}

section!(
    /// Where the image was loaded; its code comes first.
    image_base,
    __image_start
);
section!(
    /// End of code, start of constants.
    rodata_base,
    __rodata_start
);
section!(
    /// End of constants, start of data, which reaches to [`image_end`].
    data_base,
    __data_start
);
section!(
    /// End of data, zeroed data and stacks.
    image_end,
    __image_end
);

/// The stacks, as physical memory.
#[repr(C, align(4096))]
pub struct Stacks(core::cell::UnsafeCell<[[u8; STACK_SIZE]; MAX_CPUS]>);

// SAFETY: Rust never reads or writes it; each CPU's `sp` owns one element.
unsafe impl Sync for Stacks {}

// SAFETY: the section name is link.ld's for memory that is not zeroed.
#[unsafe(link_section = ".stacks")]
pub static STACKS: Stacks = Stacks(core::cell::UnsafeCell::new([[0; STACK_SIZE]; MAX_CPUS]));
