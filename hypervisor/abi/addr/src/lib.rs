//! Addresses as types.
//!
//! An address space is part of an address's type, so that a guest's
//! intermediate physical address can never stand where a physical one is
//! meant. Arithmetic is checked: there is no `Add<u64>`, and a sum that would
//! wrap is `None`.
//!
//! - [`PhysAddr`], [`Ipa`]: any byte of the two spaces.
//! - [`GranuleAddr`]: a physical address that is 4 KiB aligned, checked once.
//! - [`PhysRange`], [`IpaRange`]: half-open and never wrapping.
//! - [`Pas`]: the physical address spaces of RME (DDI0487, D9).
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

mod granule;
mod range;
mod space;

pub use granule::{GRANULE_SHIFT, GRANULE_SIZE, GranuleAddr, Misaligned};
pub use range::{BadRange, IpaRange, PhysRange, Range};
pub use space::{Address, Ipa, Pas, PhysAddr};

#[cfg(test)]
mod tests;
