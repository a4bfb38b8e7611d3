//! The Realm Management Interface (DEN0137).
//!
//! What the host and the RMM say to each other, written once and used by both:
//!
//! - [`v1_0`]: commands, structures and their layouts of RMI 1.0;
//! - [`v2_0`]: the same of RMI 2.0, with its stateful operations;
//! - [`status`]: return codes, open to values nobody has defined yet;
//! - [`version`]: interface revisions;
//! - [`features`]: the feature registers, decoded;
//! - [`rtt`]: RTT levels, RIPAS and HIPAS, descriptors of unprotected mappings;
//! - [`client`]: typed calls for the host, named like the commands.
//!
//! Answers of the RMM are input from another side: nothing here panics on them.
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

pub mod client;
pub mod features;
pub mod rtt;
pub mod status;
pub mod v1_0;
pub mod v2_0;
pub mod version;

#[cfg(test)]
mod tests;
