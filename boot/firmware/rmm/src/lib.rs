//! The parts of the R-EL2 image that need no hardware.
//!
//! - [`interface`]: the version that EL3 offers, and what it means.
//! - [`manifest`]: what the monitor says about the machine, checked.
//! - [`stage1`]: the RMM's own translation tables, planned in plain memory.
//!
//! The image proper is `main.rs`; it acts on what these decide.
#![cfg_attr(not(test), no_std)]
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

pub mod interface;
pub mod manifest;
pub mod stage1;
