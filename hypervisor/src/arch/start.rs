//! The symbols that the entry path of crate `entry` jumps to.
#![expect(unsafe_code, reason = "symbols called from assembly")]

use entry::BootInfo;

/// First Rust of the boot CPU: MMU and caches are on, BSS is zero.
// SAFETY: the symbol's name is unique to this image.
#[unsafe(no_mangle)]
extern "C" fn suz_main(fdt: u64, image_base: u64, entered: u64) -> ! {
    crate::el2_main(BootInfo::new(fdt, image_base, entered))
}

/// First Rust of any other CPU, on its own stack and the final map.
// SAFETY: the symbol's name is unique to this image.
#[unsafe(no_mangle)]
extern "C" fn suz_secondary_main(cpu: u64) -> ! {
    crate::cpus::arrive(cpu as usize)
}
