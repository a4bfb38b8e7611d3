//! CPUs, and the firmware call that starts them.

use crate::error::PlatformError;
use crate::tree::Tree;
use dtoolkit::{Node, Property};
use heapless::Vec;

/// CPUs at most.
pub const MAX_CPUS: usize = 64;

/// Affinity fields of `MPIDR_EL1` (DDI0487 D24.2): Aff3 and Aff2 to Aff0.
const AFFINITY: u64 = 0xff_00ff_ffff;

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

pub(crate) fn read_cpus(tree: &Tree<'_>) -> Result<Vec<Cpu, MAX_CPUS>, PlatformError> {
    let mut cpus = Vec::new();
    tree.walk(&mut |located| {
        let in_cpus = located.parent().is_some_and(|p| p.name() == "cpus");
        let is_cpu = located.node.name_without_address() == "cpu";
        if located.depth() != 2 || !in_cpus || !is_cpu {
            return Ok(false);
        }
        let entry = located
            .node
            .reg()
            .map_err(|_| located.bad("reg", "does not fit the cells of /cpus"))?
            .ok_or_else(|| located.missing("reg"))?
            .next()
            .ok_or_else(|| located.bad("reg", "is empty"))?;
        let mpidr = entry
            .address::<u64>()
            .map_err(|_| located.bad("reg", "has over 64 bits"))?;
        if mpidr & !AFFINITY != 0 {
            return Err(located.bad("reg", "is not an affinity of MPIDR_EL1"));
        }
        if cpus.iter().any(|cpu: &Cpu| cpu.mpidr == mpidr) {
            return Err(located.bad("reg", "is also the affinity of another CPU"));
        }
        cpus.push(Cpu { mpidr })
            .map_err(|_| PlatformError::TooMany {
                what: "CPUs",
                limit: MAX_CPUS,
            })?;
        Ok(false)
    })?;
    if cpus.is_empty() {
        return Err(PlatformError::MissingNode("CPU (node /cpus/cpu@*)"));
    }
    Ok(cpus)
}

pub(crate) fn read_psci(tree: &Tree<'_>) -> Result<Psci, PlatformError> {
    let psci = tree
        .find_compatible(&["arm,psci-1.0", "arm,psci-0.2"])?
        .ok_or(PlatformError::MissingNode(
            "PSCI (node compatible with arm,psci-1.0 or arm,psci-0.2)",
        ))?;
    let version = if psci.is_compatible(&["arm,psci-1.0"]) {
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
