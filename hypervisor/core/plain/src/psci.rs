//! PSCI 1.1 and the SMCCC calls around it, by HVC and by SMC.
//!
//! No call of a plain guest reaches firmware. What needs only the caller is
//! answered here; what concerns other vCPUs or the VM becomes an exit.

use addr::{Ipa, IpaRange};
use rsi::psci::{
    AFFINITY_INFO_32, AFFINITY_INFO_64, AFFINITY_ON, ALREADY_ON, CPU_OFF, CPU_ON_32, CPU_ON_64,
    CPU_SUSPEND_32, CPU_SUSPEND_64, FEATURES, INVALID_ADDRESS, INVALID_PARAMETERS,
    MIGRATE_INFO_TYPE, NOT_SUPPORTED, SMCCC_ARCH_FEATURES, SMCCC_VERSION, SMCCC_VERSION_1_2,
    SUCCESS, SYSTEM_OFF, SYSTEM_RESET, VERSION, VERSION_1_1,
};
use vcpu::mpidr;

/// A call of the 64-bit convention takes its arguments whole.
const SMC64: u32 = 1 << 30;
/// `MIGRATE_INFO_TYPE`: there is no Trusted OS to migrate.
const NO_TRUSTED_OS: u64 = 2;

/// Who calls.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Caller {
    /// Its index.
    pub vcpu: usize,
    /// vCPUs of the VM.
    pub vcpus: usize,
    /// The RAM of the VM.
    pub ram: IpaRange,
}

/// What becomes of a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// x0 is this, and the guest goes on.
    Answer(u64),
    /// The host must act.
    Exit(Request),
}

/// A call for the host, as an exit tells it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Request {
    /// Its function.
    pub fid: u32,
    /// The affinity it names.
    pub mpidr: u64,
    /// What a vCPU that is turned on starts with.
    pub start: Start,
}

/// Where a vCPU starts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Start {
    /// The address.
    pub entry: u64,
    /// x0.
    pub context_id: u64,
}

const fn status(status: i64) -> Outcome {
    Outcome::Answer(status as u64)
}

/// Decides about the call in `gprs`.
#[inline]
pub fn call(gprs: &[u64; 31], caller: &Caller) -> Outcome {
    let [fid, a1, a2, a3, ..] = *gprs;
    // A function identifier has 32 bits, whatever stands above.
    let fid = fid as u32;
    let wide = |argument: u64| match fid & SMC64 {
        0 => argument & 0xffff_ffff,
        _ => argument,
    };
    match fid {
        VERSION => Outcome::Answer(VERSION_1_1),
        SMCCC_VERSION => Outcome::Answer(SMCCC_VERSION_1_2),
        FEATURES | SMCCC_ARCH_FEATURES => status(feature(fid, a1 as u32)),
        MIGRATE_INFO_TYPE => Outcome::Answer(NO_TRUSTED_OS),
        CPU_SUSPEND_32 | CPU_SUSPEND_64 | CPU_OFF | SYSTEM_OFF | SYSTEM_RESET => {
            exit(fid, 0, Start::default())
        }
        CPU_ON_32 | CPU_ON_64 => cpu_on(fid, [wide(a1), wide(a2), wide(a3)], caller),
        AFFINITY_INFO_32 | AFFINITY_INFO_64 => affinity_info(fid, [wide(a1), wide(a2)], caller),
        _ => status(NOT_SUPPORTED),
    }
}

const fn exit(fid: u32, mpidr: u64, start: Start) -> Outcome {
    Outcome::Exit(Request { fid, mpidr, start })
}

/// `PSCI_FEATURES` knows the functions of PSCI and that there is SMCCC,
/// `SMCCC_ARCH_FEATURES` those of SMCCC.
const fn feature(asking: u32, about: u32) -> i64 {
    let known = match asking {
        FEATURES => matches!(
            about,
            VERSION
                | CPU_SUSPEND_32
                | CPU_SUSPEND_64
                | CPU_OFF
                | CPU_ON_32
                | CPU_ON_64
                | AFFINITY_INFO_32
                | AFFINITY_INFO_64
                | MIGRATE_INFO_TYPE
                | SYSTEM_OFF
                | SYSTEM_RESET
                | FEATURES
                | SMCCC_VERSION
        ),
        _ => matches!(about, SMCCC_VERSION | SMCCC_ARCH_FEATURES),
    };
    if known { SUCCESS } else { NOT_SUPPORTED }
}

fn cpu_on(fid: u32, [mpidr, entry, context_id]: [u64; 3], caller: &Caller) -> Outcome {
    match mpidr::index(mpidr, caller.vcpus) {
        None => status(INVALID_PARAMETERS),
        Some(_) if entry % 4 != 0 || !caller.ram.contains(Ipa::new(entry)) => {
            status(INVALID_ADDRESS)
        }
        Some(target) if target == caller.vcpu => status(ALREADY_ON),
        Some(_) => exit(fid, mpidr, Start { entry, context_id }),
    }
}

fn affinity_info(fid: u32, [mpidr, lowest_level]: [u64; 2], caller: &Caller) -> Outcome {
    match mpidr::index(mpidr, caller.vcpus) {
        Some(target) if lowest_level == 0 => match target == caller.vcpu {
            true => Outcome::Answer(AFFINITY_ON),
            false => exit(fid, mpidr, Start::default()),
        },
        _ => status(INVALID_PARAMETERS),
    }
}
