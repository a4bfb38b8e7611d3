//! One table of RMI cases, run against any RMM.
//!
//! - [`model`] (feature `model`): the RMM core over a machine in memory, with
//!   a scripted Realm in place of the CPU. The hypervisor's host code plugs
//!   onto it through [`model::ModelConduit`].
#![cfg_attr(not(feature = "model"), no_std)]
#![forbid(unsafe_code)]

#[cfg(feature = "model")]
pub mod model;
