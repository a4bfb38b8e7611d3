//! Exits of virtual CPUs, decoded, and what to do about them.
//!
//! - [`Exit`]: why a virtual CPU stopped, in one type for Realms and plain VMs
//!   (decoded by [`decode`] from `RmiRecExit`, which plain VMs exit with too);
//! - [`Action`]: what the loop that runs virtual CPUs does next, decided by
//!   [`step`] under a [`Policy`], without touching anything;
//! - [`enter`]: the answers, written into the page a REC is entered with;
//! - [`host_call`]: what a Realm wants of the host by `RSI_HOST_CALL`;
//! - [`timer`]: the guest's timers as an exit reports them;
//! - [`Counters`]: exits by reason;
//! - [`mpidr`]: which virtual CPU an affinity names.
//!
//! Everything an exit says comes from the RMM or from the guest. Nothing here
//! panics on it, and nothing here ends a Realm for exiting often: the run's
//! deadline bounds a guest that exits without end. Only a fault that comes back for
//! ever although it was dealt with is noticed ([`Repeats`]).
//!
//! Spec: DEN0137 A4.3 (REC exit), DDI0487 D24.2.37 (`ESR_EL2`).
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

mod action;
mod count;
pub mod enter;
mod exit;
pub mod host_call;
pub mod mpidr;
mod rec;
mod repeat;
pub mod timer;

pub use action::{Action, Mmio, Policy, Stop, Why, step};
pub use count::Counters;
pub use exit::{Abort, Access, Exit, FaultKind, Half, PsciCall, Register, Width};
pub use rec::decode;
pub use repeat::Repeats;

#[cfg(test)]
extern crate std;
#[cfg(test)]
mod tests;
