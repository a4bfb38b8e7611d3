//! `ESR_EL2` of exceptions that a plain guest takes to EL2 (DDI0487 D24.2.37).

/// Unknown reason: an undefined instruction.
pub const EC_UNKNOWN: u64 = 0x00;
/// WFI, WFE and their variants.
pub const EC_WFX: u64 = 0x01;
/// Floating point and SIMD.
pub const EC_FP: u64 = 0x07;
/// Pointer authentication.
pub const EC_PAUTH: u64 = 0x09;
/// LD64B, ST64B.
pub const EC_LS64: u64 = 0x0a;
/// System registers of 128 bits.
pub const EC_SYSREG128: u64 = 0x14;
/// HVC from AArch64.
pub const EC_HVC64: u64 = 0x16;
/// SMC from AArch64.
pub const EC_SMC64: u64 = 0x17;
/// MSR, MRS and system instructions.
pub const EC_SYSREG: u64 = 0x18;
/// SVE.
pub const EC_SVE: u64 = 0x19;
/// SME.
pub const EC_SME: u64 = 0x1d;
/// Instruction abort from a lower level.
pub const EC_INSTRUCTION_ABORT: u64 = 0x20;
/// Data abort from a lower level.
pub const EC_DATA_ABORT: u64 = 0x24;
/// Memory copy and set.
pub const EC_MOPS: u64 = 0x27;
/// Guarded control stacks.
pub const EC_GCS: u64 = 0x2d;

const EC_SHIFT: u32 = 26;
/// What the class of an abort gains when it is taken from the same level.
pub(crate) const SAME_LEVEL: u64 = 1;
/// Instruction length: 32 bits.
pub(crate) const IL: u64 = 1 << 25;
const ISV: u64 = 1 << 24;
const SAS_SHIFT: u32 = 22;
const SSE: u64 = 1 << 21;
const RT_SHIFT: u32 = 16;
const SF: u64 = 1 << 15;
/// The access was made by a walk of stage 1.
const S1PTW: u64 = 1 << 7;
pub(crate) const WNR: u64 = 1 << 6;
/// Fault status: synchronous external abort, not on a walk.
pub(crate) const EXTERNAL: u64 = 0x10;
/// The same on a walk, the level in the lowest bits.
pub(crate) const EXTERNAL_ON_WALK: u64 = 0x14;

/// `ESR_EL2` of `HVC #0`.
pub const HVC_0: u64 = EC_HVC64 << EC_SHIFT | IL;

/// The exception class.
pub const fn class(esr: u64) -> u64 {
    (esr >> EC_SHIFT) & 0x3f
}

/// A syndrome of a class with the given rest.
pub(crate) const fn with_class(class: u64, rest: u64) -> u64 {
    class << EC_SHIFT | IL | rest
}

/// The immediate of HVC and SMC.
pub(crate) const fn immediate(esr: u64) -> u16 {
    esr as u16
}

/// The register of an access to memory, if the syndrome describes it.
pub(crate) const fn register(esr: u64) -> Option<usize> {
    if esr & ISV == 0 {
        return None;
    }
    Some((esr >> RT_SHIFT) as usize & 0x1f)
}

/// Whether an abort is of a write.
pub(crate) const fn is_write(esr: u64) -> bool {
    esr & WNR != 0
}

/// Whether a walk of stage 1 met it.
pub(crate) const fn is_walk(esr: u64) -> bool {
    esr & S1PTW != 0
}

/// What a register holds after the load that `esr` describes has read `value`.
pub(crate) const fn loaded(esr: u64, value: u64) -> u64 {
    let unused = 64 - (8 << ((esr >> SAS_SHIFT) & 3));
    let value = value << unused;
    if esr & SSE == 0 {
        return value >> unused;
    }
    let signed = ((value as i64) >> unused) as u64;
    if esr & SF == 0 {
        signed & 0xffff_ffff
    } else {
        signed
    }
}
