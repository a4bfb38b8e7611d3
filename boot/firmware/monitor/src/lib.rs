//! What the EL3 monitor decides, without hardware.
//!
//! The image (`main.rs`) does what this library says: register values per
//! world, SMC routing, PSCI, the device tree's additions, the RMM's boot
//! manifest, the monitor's own translation tables. Facts about the machine
//! (QEMU `virt` with `secure=on`) are in [`layout`] and nowhere else.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic
    )
)]

extern crate alloc;

pub mod el3;
pub mod fdt;
pub mod features;
pub mod interface;
pub mod layout;
pub mod manifest;
pub mod map;
pub mod psci;
pub mod reserve;
pub mod rmm_image;
pub mod smc;
pub mod trap;
