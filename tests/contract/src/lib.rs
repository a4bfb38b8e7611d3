//! One table of RMI cases, run against any RMM.
//!
//! - [`cases`]: the table: data, without allocation or std, so that an EL2
//!   payload runs the very same one over real SMCs;
//! - [`crowd`]: what many CPUs do at once, written the same way;
//! - [`bench`]: what a case needs of the place it runs in, and the interpreter;
//! - [`model`] (feature `model`): the RMM core over a machine in memory, with
//!   a scripted Realm in place of the CPU. The hypervisor's host code plugs
//!   onto it through [`model::ModelConduit`].
#![cfg_attr(not(feature = "model"), no_std)]
#![forbid(unsafe_code)]

pub mod bench;
pub mod case;
pub mod cases;
pub mod crowd;
pub mod fixture;
pub mod fixture2;
#[cfg(feature = "model")]
pub mod model;
