//! Granule protection tables: encode, plan, look up and change (DDI0487, RME).
//!
//! [`Tables`] works on memory that the monitor lends it as atomic words, so the
//! same code runs at EL3 and in host tests. A granule changes hands by one
//! compare-and-swap of the word that holds it: of two CPUs that move the same
//! granule one is refused, and no lock is needed. What the machine must do
//! around the change (cache and TLB maintenance) is the [`Maintenance`] trait,
//! and its order is decided here ([`Tables::delegate`], [`Tables::undelegate`]).
//!
//! Only 4 KiB granules, level-0 blocks and level-1 granule descriptors are
//! made; contiguous descriptors are neither made nor understood.
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

mod entry;
mod table;
mod transition;

pub use entry::{Gpi, L0Entry, Word};
pub use table::{Geometry, L1_WORDS, PlanError, Region, Tables};
pub use transition::{Maintenance, TransitionError};

#[cfg(test)]
mod tests;
