//! What runs before the hypervisor's main: image header, relocation, stack, early MMU.
//!
//! `entry.S` takes over from the boot loader as the arm64 boot protocol says
//! (EL2, MMU off, x0 = device tree, any 2 MiB aligned address), relocates the
//! image, turns on MMU and caches with a map in which nothing is writable and
//! executable, and calls `suz_main` with what [`BootInfo::new`] wants. MMU and
//! caches are on before the first line of Rust, because Rust's atomics have no
//! meaning without.
//!
//! The linking image provides `suz_main(fdt, image_base, time) -> !`,
//! `suz_secondary_main(cpu) -> !`, `suz_vectors` and the symbols of the root
//! `linker.ld`.
#![no_std]

mod boot;
mod image;
mod tables;

pub use boot::{BootInfo, SecondaryBoot, secondary_entry};
pub use image::{Image, MAX_CPUS, STACK_BIT, STACK_SIZE, STACK_STRIDE, stack_guard, stack_top};
pub use tables::{MAIR_DEVICE, MAIR_NORMAL};
