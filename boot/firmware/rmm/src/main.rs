//! The Realm Management Monitor at R-EL2 (DEN0137, RMI 1.0).
//!
//! `rmm-core` decides; this image gives it a machine. [`boot`] takes over from
//! EL3, [`serve`] passes each RMI to the core and its answer back, `hw` is the
//! core's hardware. It is firmware for development and tests.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod boot;
#[cfg(target_os = "none")]
mod hw;
#[cfg(target_os = "none")]
mod serve;

#[cfg(target_os = "none")]
#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    hw::stop::panicked(info)
}

/// There is nothing to run on a host; the library is what is tested there.
#[cfg(not(target_os = "none"))]
fn main() {}
