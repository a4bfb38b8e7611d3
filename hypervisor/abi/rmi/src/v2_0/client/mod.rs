//! Typed calls of RMI 2.0 for the host, named like the commands.
//!
//! [`Rmi`] has one method per command a host without devices needs. Errors and
//! counters are those of [`client`](crate::client), so that code above need not
//! know the dialect. Commands that the RMM may interrupt are continued here;
//! those that move memory take a [`Reserve`](super::sro::Reserve) and a list
//! page, and [`Rmi::operate`] runs any operation step by step.

mod calls;
mod drive;
mod memory;
mod rtt;

pub use calls::{Rmi, Tracking, TrackingCategory, TrackingState};
pub use drive::OpError;
pub use memory::Unmapped;

#[cfg(test)]
mod tests;
