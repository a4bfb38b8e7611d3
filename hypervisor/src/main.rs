//! Suzerain: a Type-1 hypervisor at EL2 that hosts Arm CCA Realms.
#![no_std]
#![no_main]

extern crate alloc;

mod arch;
mod console;
mod memory;
mod panic;
mod power;
mod sync;

use addr::PhysRange;
use arch::mmu::{Map, Use};
use entry::BootInfo;
use memory::{Ram, phys};
use platform::Platform;

fn el2_main(boot: BootInfo) -> ! {
    let blob = phys::device_tree(&boot).unwrap();
    let fdt = PhysRange::with_size(boot.fdt, blob.len() as u64).unwrap();
    let platform = Platform::from_fdt(blob).unwrap();
    let mut map = Map::new(&boot, fdt).unwrap();
    map.add(platform.uart.registers, Use::Device).unwrap();
    map.activate();
    console::open(&platform.uart);
    log::info!("Suzerain at {}", boot.image.whole());
    power::off()
}
