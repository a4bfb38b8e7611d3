//! RMI 1.0: commands and structures.

mod command;
mod params;
mod run;

pub use command::{Command, FID_BASE, FID_COUNT, SVE_HINT};
pub use params::{HashAlgo, MAX_AUX, Mpidr, PARAMS_SIZE, RealmParams, RecParams};
pub use params::{REALM_FLAG_LPA2, REALM_FLAG_PMU, REALM_FLAG_SVE, REC_FLAG_RUNNABLE};
pub use run::{
    ENTER_FLAG_EMUL_MMIO, ENTER_FLAG_INJECT_SEA, ENTER_FLAG_RIPAS_RESPONSE, ENTER_FLAG_TRAP_WFE,
    ENTER_FLAG_TRAP_WFI, ExitReason, GICV3_HCR_MASK, RecEnter, RecExit, RecRun,
};
