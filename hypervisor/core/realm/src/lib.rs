//! Granules, the ledger, and the life of a Realm as its host drives it.
//!
//! - [`Granules`]: the right to granules, typed by who holds them;
//! - [`Ledger`]: what every granule of RAM is, and whose;
//! - [`RealmSpec`]: what a Realm shall be;
//! - [`Realm`]: one type for its whole life, from building over faults and
//!   changes of RIPAS to teardown;
//! - [`rim`]: the measurement the host expects;
//! - [`intent`]: what this asks of an RMM, implemented in [`v1_0`] and [`v2_0`];
//! - [`open`]: which of them the RMM at hand speaks.
//!
//! Everything here decides and calls the RMM through a conduit; nothing touches
//! memory or registers. What the RMM answers is input from another side: wrong
//! answers become errors, loops are bounded by what the host itself has done,
//! and no granule leaves the books unless it came back.
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
pub mod intent;
mod ledger;
mod life;
mod memory;
pub mod open;
pub mod plan;
mod realm;
mod region;
pub mod rim;
mod spec;
pub mod v1_0;
pub mod v2_0;

pub use granule::{Delegated, Granules, Undelegated};
pub use ledger::{Counts, Kind, Ledger, LedgerError, MAX_BANKS, Owner, Refusal, VmId};
pub use life::{BadTransition, State};
pub use memory::Memory;
pub use realm::{Cause, Fault, Progress, Realm, RealmError, RipasAnswer, Step, Teardown};
pub use region::Region;
pub use spec::{
    Image, Lacking, MAX_IMAGES, MAX_VCPUS, Populate, RamRequests, RealmSpec, SpecError,
};

#[cfg(test)]
mod tests;
