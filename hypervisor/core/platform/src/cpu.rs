//! CPUs, and the firmware call that starts them.

use crate::error::PlatformError;
use crate::tree::{Here, Located};
use dtoolkit::{Node, Property};
use heapless::Vec;

/// CPUs at most.
pub const MAX_CPUS: usize = 64;

/// Affinity fields of `MPIDR_EL1` (DDI0487 D24.2): Aff3 and Aff2 to Aff0.
const AFFINITY: u64 = 0xff_00ff_ffff;

/// What `/psci` is compatible with, the later version first.
pub(crate) const PSCI: [&str; 2] = ["arm,psci-1.0", "arm,psci-0.2"];

/// One CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cpu {
    /// Its affinity, as `MPIDR_EL1` holds it and PSCI names it.
    pub mpidr: u64,
}

/// The instruction that reaches PSCI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PsciConduit {
    /// `SMC`.
    Smc,
    /// `HVC`.
    Hvc,
}

/// The lowest PSCI version the tree vouches for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PsciVersion {
    /// 0.2.
    V0_2,
    /// 1.0 or later.
    V1_0,
}

/// How to call PSCI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Psci {
    /// The instruction.
    pub conduit: PsciConduit,
    /// The version.
    pub version: PsciVersion,
}

/// Adds the CPU a node describes, if it does.
pub(crate) fn read_cpu(
    here: Here<'_, '_>,
    cpus: &mut Vec<Cpu, MAX_CPUS>,
) -> Result<(), PlatformError> {
    if !here.is_below("cpus") || here.node.name_without_address() != "cpu" {
        return Ok(());
    }
    let cpu = here.locate();
    let entry = cpu
        .node
        .reg()
        .map_err(|_| cpu.bad("reg", "does not fit the cells of /cpus"))?
        .ok_or_else(|| cpu.missing("reg"))?
        .next()
        .ok_or_else(|| cpu.bad("reg", "is empty"))?;
    let mpidr = entry
        .address::<u64>()
        .map_err(|_| cpu.bad("reg", "has over 64 bits"))?;
    if mpidr & !AFFINITY != 0 {
        return Err(cpu.bad("reg", "is not an affinity of MPIDR_EL1"));
    }
    if cpus.iter().any(|other| other.mpidr == mpidr) {
        return Err(cpu.bad("reg", "is also the affinity of another CPU"));
    }
    cpus.push(Cpu { mpidr })
        .map_err(|_| PlatformError::TooMany {
            what: "CPUs",
            limit: MAX_CPUS,
        })
}

pub(crate) fn read_psci(psci: &Located<'_>) -> Result<Psci, PlatformError> {
    let version = if psci.is_compatible(&[PSCI[0]]) {
        PsciVersion::V1_0
    } else {
        PsciVersion::V0_2
    };
    let method = psci
        .node
        .property("method")
        .ok_or_else(|| psci.missing("method"))?;
    let conduit = match method.value() {
        b"smc\0" => PsciConduit::Smc,
        b"hvc\0" => PsciConduit::Hvc,
        _ => return Err(psci.bad("method", "is neither \"smc\" nor \"hvc\"")),
    };
    Ok(Psci { conduit, version })
}
