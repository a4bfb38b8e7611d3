//! Plain VMs, which no RMM stands behind: this host is for them what the RMM is
//! for a Realm.
//!
//! - [`Context`]: the registers of a vCPU that are in memory while EL2 runs;
//! - [`Vcpu`]: what an exception means ([`Vcpu::synchronous`]) and what the answer
//!   in the run page does to the guest ([`Vcpu::answer`]). The carrier between is the
//!   page that Realms use, so that device models do not know the difference;
//! - [`IdRegisters`]: what the guest's identification registers read;
//! - [`psci`]: PSCI 1.1, the part that needs nobody else;
//! - [`Memory`](mod@memory): building, population and teardown over stage 2.
//!
//! Nothing here touches a register or memory of the machine. What a guest says is
//! input from another side.
//!
//! Spec: DDI0487 D1 (exceptions), D24 (registers), DEN0022 (PSCI), DEN0028 (SMCCC).
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

mod context;
mod features;
mod memory;
pub mod psci;
pub mod syndrome;
mod sysreg;
mod vcpu;

pub use crate::vcpu::{Exception, Next, Vcpu};
pub use context::{Context, Injection, Level1};
pub use features::{CpuFeatures, IdRegisters};
pub use memory::{GuestMemory, MemoryError, Spec};

#[cfg(test)]
extern crate std;
#[cfg(test)]
mod tests;
