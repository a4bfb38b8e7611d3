//! What the payloads share: entry, vectors, memory map, console, RSI.
//!
//! A payload is a flat binary at the bottom of guest RAM that names its main
//! function with [`entry!`]. It can print from its first instruction on: the
//! console is a host call. Stage 1 maps RAM and, through the shared alias,
//! devices, one to one.
//!
//! A payload ends with [`power::off`], or, when a check failed, with
//! [`power::reset`], which the host reports as another outcome.
#![no_std]

pub mod bits;
pub mod check;
pub mod console;
pub mod cpus;
pub mod gic;
pub mod guard;
pub mod hostile;
pub mod map;
pub mod mmio;
pub mod plain;
pub mod power;
pub mod realm;
pub mod smc;
pub mod timer;
mod vectors;
pub mod virtio;

/// Names the payload's main function, `fn(dtb: u64)`.
#[macro_export]
macro_rules! entry {
    ($main:path) => {
        /// Called by the runtime once stack, vectors and stage 1 are up.
        #[expect(unsafe_code, reason = "the runtime's assembly calls it by name")]
        #[unsafe(no_mangle)]
        extern "C" fn guest_main(dtb: u64) -> ! {
            let main: fn(u64) = $main;
            main(dtb);
            $crate::check::end()
        }
    };
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    println!("guest panic: {info}");
    power::reset()
}
