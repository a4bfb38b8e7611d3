//! Exits of a REC, decoded (DEN0137 A4.3, B4.4.9), and of a plain VM's vCPU,
//! which come in the same form.

use addr::Ipa;
use rmi::v1_0::{ExitReason, RecExit};
use rsi::psci;

use crate::exit::{Abort, Access, Exit, FaultKind, Half, PsciCall, Register, Width};

const EC_WFX: u64 = 0x01;
const EC_SYSREG: u64 = 0x18;
const EC_GRANULE_PROTECTION: u64 = 0x1e;
const EC_INSTRUCTION_ABORT: u64 = 0x20;
const EC_DATA_ABORT: u64 = 0x24;

const ISS_WFE: u64 = 1 << 0;
const ISS_READ: u64 = 1 << 0;
const ISS_ISV: u64 = 1 << 24;
const ISS_SAS_SHIFT: u32 = 22;
const ISS_WNR: u64 = 1 << 6;
const FAULT_STATUS: u64 = 0x3f;

/// Bits 43:4 hold bits 51:12 of the address.
const HPFAR_FIPA: u64 = 0x0fff_ffff_fff0;

/// Decodes an exit. `shared_bit` is the address bit that selects the unprotected
/// half; a plain VM has none, which is zero.
#[inline(always)]
pub fn decode(exit: &RecExit, shared_bit: u64) -> Exit {
    match ExitReason::from_raw(exit.exit_reason) {
        Some(ExitReason::Sync) => synchronous(exit, shared_bit),
        Some(ExitReason::HostCall) => Exit::HostCall {
            imm: exit.imm as u16,
        },
        Some(ExitReason::Irq) => Exit::Irq,
        Some(ExitReason::Fiq) => Exit::Fiq,
        Some(ExitReason::Psci) => Exit::Psci(psci_call(exit)),
        Some(ExitReason::RipasChange) => Exit::RipasChange {
            base: Ipa::new(exit.ripas_base),
            top: Ipa::new(exit.ripas_top),
            value: exit.ripas_value as u8,
        },
        Some(ExitReason::SError) => Exit::SError { esr: exit.esr },
        None => Exit::UnknownReason {
            raw: exit.exit_reason,
        },
    }
}

#[inline(always)]
fn synchronous(exit: &RecExit, shared_bit: u64) -> Exit {
    let esr = exit.esr;
    match (esr >> 26) & 0x3f {
        EC_DATA_ABORT => match fault(esr) {
            Some(kind) => Exit::DataAbort(abort(exit, shared_bit, kind, access(exit))),
            None => Exit::ExternalAbort { esr },
        },
        EC_INSTRUCTION_ABORT => match fault(esr) {
            Some(kind) => Exit::InstructionAbort(abort(exit, shared_bit, kind, None)),
            None => Exit::ExternalAbort { esr },
        },
        EC_WFX if esr & ISS_WFE != 0 => Exit::WaitForEvent,
        EC_WFX => Exit::WaitForInterrupt,
        EC_SYSREG => {
            let register = register(esr);
            if esr & ISS_READ != 0 {
                Exit::Read { register }
            } else {
                Exit::Write {
                    register,
                    value: first(exit),
                }
            }
        }
        EC_GRANULE_PROTECTION => {
            let kind = FaultKind::GranuleProtection;
            Exit::DataAbort(abort(exit, shared_bit, kind, None))
        }
        _ => Exit::Unhandled { esr },
    }
}

/// What the fault status says; `None` for an external abort.
#[inline(always)]
fn fault(esr: u64) -> Option<FaultKind> {
    match esr & FAULT_STATUS {
        // Levels 0 to 3, and level -1.
        0x04..=0x07 | 0x2b => Some(FaultKind::Translation),
        0x0c..=0x0f => Some(FaultKind::Permission),
        // On a walk, levels -1 to 3, and on the access itself.
        0x23..=0x28 => Some(FaultKind::GranuleProtection),
        0x10 | 0x13..=0x17 => None,
        status => Some(FaultKind::Other {
            status: status as u8,
        }),
    }
}

#[inline(always)]
fn abort(exit: &RecExit, shared_bit: u64, kind: FaultKind, access: Option<Access>) -> Abort {
    let ipa = ((exit.hpfar & HPFAR_FIPA) << 8) | (exit.far & 0xfff);
    Abort {
        ipa: Ipa::new(ipa),
        half: half(ipa, shared_bit),
        kind,
        access,
    }
}

/// The half that `ipa` lies in.
#[inline(always)]
fn half(ipa: u64, shared_bit: u64) -> Half {
    if ipa < shared_bit {
        Half::Protected
    } else if ipa ^ shared_bit < shared_bit {
        Half::Unprotected
    } else if shared_bit == 0 {
        Half::Whole
    } else {
        Half::Outside
    }
}

/// The access of a data abort. The RMM gives the stored value in the first
/// register; which one the guest used stays its secret.
#[inline(always)]
fn access(exit: &RecExit) -> Option<Access> {
    if exit.esr & ISS_ISV == 0 {
        return None;
    }
    let width = Width::from_sas(exit.esr >> ISS_SAS_SHIFT);
    let write = (exit.esr & ISS_WNR != 0).then(|| first(exit) & width.mask());
    Some(Access { width, write })
}

#[inline(always)]
fn first(exit: &RecExit) -> u64 {
    let [first, ..] = exit.gprs;
    first
}

const fn encoding(op0: u32, op1: u32, crn: u32, crm: u32, op2: u32) -> u32 {
    op0 << 20 | op2 << 17 | op1 << 14 | crn << 10 | crm << 1
}

const ENCODING_MASK: u32 = encoding(3, 7, 15, 15, 7);
const ICC_DIR: u32 = encoding(3, 0, 12, 11, 1);
const ICC_SGI1R: u32 = encoding(3, 0, 12, 11, 5);
const ICC_ASGI1R: u32 = encoding(3, 0, 12, 11, 6);
const ICC_SGI0R: u32 = encoding(3, 0, 12, 11, 7);

fn register(esr: u64) -> Register {
    match esr as u32 & ENCODING_MASK {
        ICC_SGI1R => Register::IccSgi1r,
        ICC_ASGI1R => Register::IccAsgi1r,
        ICC_SGI0R => Register::IccSgi0r,
        ICC_DIR => Register::IccDir,
        encoding => Register::Other { encoding },
    }
}

fn psci_call(exit: &RecExit) -> PsciCall {
    let [fid, mpidr, ..] = exit.gprs;
    // Function identifiers are 32 bits wide, whatever the register holds above.
    match fid as u32 {
        psci::CPU_SUSPEND_32 | psci::CPU_SUSPEND_64 => PsciCall::CpuSuspend,
        psci::CPU_OFF => PsciCall::CpuOff,
        psci::CPU_ON_32 => PsciCall::CpuOn {
            mpidr: mpidr & u64::from(u32::MAX),
        },
        psci::CPU_ON_64 => PsciCall::CpuOn { mpidr },
        psci::AFFINITY_INFO_32 => PsciCall::AffinityInfo {
            mpidr: mpidr & u64::from(u32::MAX),
        },
        psci::AFFINITY_INFO_64 => PsciCall::AffinityInfo { mpidr },
        psci::SYSTEM_OFF => PsciCall::SystemOff,
        psci::SYSTEM_RESET => PsciCall::SystemReset,
        _ => PsciCall::Unknown { fid },
    }
}
