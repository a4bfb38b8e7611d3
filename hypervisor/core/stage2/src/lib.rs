//! Stage-2 translation tables of plain VMs (DDI0487 D8: VMSAv8-64).
//!
//! - [`Tables`]: 4 KiB granule, pages of 4 KiB and blocks of 2 MiB, start tables
//!   concatenated as the width of the IPA space asks for;
//! - [`Maintenance`]: barriers, TLB and caches, which somebody else acts on;
//! - [`Features`]: what the CPU can do;
//! - [`Vmids`]: which VMIDs are taken.
//!
//! Rules that every path keeps, and the tests' memory checks:
//!
//! - break before make: an entry that was valid is invalid, and forgotten by
//!   every TLB, before it is valid again with another meaning;
//! - a table is all zero for every CPU before an entry leads to it;
//! - memory leaves the tables only once no TLB can lead to it any more;
//! - taking tables down allocates nothing and visits each entry once.
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

mod descriptor;
mod features;
mod tables;
mod vmid;

pub use descriptor::Size;
pub use features::{Features, Registers, Unsupported};
pub use tables::{MapError, Place, Tables};
pub use vmid::{MAX_LIVE, Vmid, Vmids};

use addr::{GranuleAddr, Ipa};

/// What changes of tables and of a guest's memory need beside stores.
pub trait Maintenance {
    /// Makes stores to tables visible to walks of every CPU, in order with
    /// what comes after.
    fn publish(&mut self);

    /// Makes every CPU forget what it cached for `ipa`, whose entry is invalid
    /// now, and all that was combined from it.
    fn forget(&mut self, stage2: &Registers, ipa: Ipa);

    /// Makes every CPU forget everything of this stage 2.
    fn forget_all(&mut self, stage2: &Registers);

    /// The host has written `pages` pages that a guest gets; one whose caches are
    /// off must find the same.
    fn written(&mut self, base: GranuleAddr, pages: usize);

    /// The host has written contents into a page that may be executed.
    fn executable(&mut self, page: GranuleAddr);
}

#[cfg(test)]
extern crate std;
#[cfg(test)]
mod tests;
