//! The Realm Services Interface (DEN0137) and what Suzerain and its guests
//! agree on above it.
//!
//! - [`Command`], [`Status`], [`RealmConfig`], [`HostCall`]: RSI 1.0;
//! - [`host_call`]: the meaning of `RSI_HOST_CALL` immediates;
//! - [`psci`]: the PSCI function identifiers a guest uses (DEN0022).
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

mod command;
pub mod host_call;
pub mod psci;
mod structs;

pub use command::{
    Command, FID_BASE, FID_COUNT, IPA_STATE_CHANGE_DESTROYED, RESPONSE_ACCEPT, RESPONSE_REJECT,
    Status, VERSION_1_0,
};
pub use structs::{HOST_CALL_ALIGN, HostCall, RealmConfig};

#[cfg(test)]
mod tests;
