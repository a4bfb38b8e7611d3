//! What the payloads at EL2 share: console, SMC, vectors, CPUs, granules.
//!
//! A payload is an image like the hypervisor's, booted in its place with the same
//! entry path. It names its functions with [`entry!`].
#![no_std]

pub mod console;
pub mod cpus;
pub mod machine;
pub mod pool;
pub mod rmm;

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    println!("Bail out! {info}");
    machine::off()
}
