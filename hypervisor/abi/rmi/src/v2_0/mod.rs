//! RMI 2.0: commands, statuses, structures, stateful operations, typed calls.
//!
//! Three flavours answer `VERSION` with 2.0. This module knows what they share,
//! and where they differ takes the flavour's habit as a value (the width of a
//! descriptor's state, the arguments of `PSCI_COMPLETE`), never as a version.
//!
//! - [`Command`], [`Status`]: identifiers and answers;
//! - [`Features`], [`RmmConfig`], [`RealmParams`], [`RecParams`], [`RecRun`]:
//!   registers and pages;
//! - [`range`]: descriptors and lists of physical memory, donation requests;
//! - [`sro`]: operations that take more than one call;
//! - [`client`]: typed calls for the host.

pub mod client;
mod command;
mod features;
mod params;
pub mod range;
mod run;
pub mod sro;
mod status;

pub use command::{Command, FID_BASE, SVE_HINT, is_rmi};
pub use features::{FeatureFields, Features, Hashes, RttPlanes};
pub use params::{
    HashAlgo, MAX_AUX_PLANES, PARAMS_SIZE, REALM_FLAG_DA, REALM_FLAG_LPA2, REALM_FLAG_MEC_PRIVATE,
    REALM_FLAG_PMU, REALM_FLAG_SVE, REALM_FLAG1_RTT_TREE_PP, REALM_FLAG1_S2AP_INDIRECT,
    REC_FLAG_RUNNABLE, RealmParams, RecParams, RmiGranule, RmmConfig,
};
pub use run::{
    ENTER_FLAG_DEV_MEM_RESPONSE, ENTER_FLAG_EMUL_MMIO, ENTER_FLAG_FORCE_P0, ENTER_FLAG_INJECT_SEA,
    ENTER_FLAG_RIPAS_RESPONSE, ENTER_FLAG_S2AP_RESPONSE, ENTER_FLAG_TRAP_WFE, ENTER_FLAG_TRAP_WFI,
    ExitReason, RecEnter, RecExit, RecRun,
};
pub use status::{MemRequest, Status};

/// A REC's affinity: the same in every revision.
pub use crate::v1_0::Mpidr;

#[cfg(test)]
mod tests;
