//! VM descriptions: the bundle format and the plan made from it.
//!
//! A *bundle* follows the hypervisor in its image. It starts with a device
//! tree blob, used as a container: the root is compatible with
//! [`COMPATIBLE`], each VM is a node `vm@N`, each piece of its memory's first
//! contents a node `region@N` that says where in the bundle the bytes lie. The
//! contents follow the blob, each padded with zeros to whole granules, so that
//! the RMM can read them where they are.
//!
//! [`Plan::decode`] checks a bundle from end to end; [`Plan::vms`] then gives
//! one owned [`VmPlan`] after the other. Bundles are foreign data: whatever is
//! wrong with one is a [`ConfigError`] that names the VM, never a panic, and a
//! `VmPlan` upholds everything its fields promise.
//! [`check`](VmPlan::check) is the same validation for plans made in other
//! ways; `encode` (feature `encode`) writes bundles on the build host.
//!
//! [`map`] is the machine every guest sees.
#![no_std]
#![forbid(unsafe_code)]
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic
    )
)]

mod check;
mod decode;
mod devices;
#[cfg(feature = "encode")]
mod encode;
mod error;
mod geometry;
pub mod map;
mod plan;

pub use check::Limits;
pub use decode::Plan;
pub use devices::{Devices, Disk, MAX_DISKS, Mac};
#[cfg(feature = "encode")]
pub use encode::{Contents, DiskContents, DiskImage, VmSource, encode};
pub use error::{ConfigError, Problem};
pub use geometry::Geometry;
pub use plan::{
    CpuOn, Hash, MAX_NAME, MAX_REGIONS, MAX_VCPUS, MAX_VMS, Name, Pins, Populate, RamRequests,
    RealmSettings, Region, RegionKind, VmKind, VmPlan,
};

/// `compatible` of a bundle's root node.
pub const COMPATIBLE: &str = "suzerain,bundle-v1";
/// Bytes a bundle's description has at most.
pub const MAX_DESCRIPTION: usize = 256 << 10;

#[cfg(test)]
mod tests;
