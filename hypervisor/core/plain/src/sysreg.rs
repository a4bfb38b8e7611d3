//! Trapped system registers, a whitelist: what is not named here is undefined.

use crate::IdRegisters;

/// Syndrome bits that hold the register read into or written from.
pub(crate) const RT: u64 = 0x1f << RT_SHIFT;
const RT_SHIFT: u32 = 5;
const READ: u64 = 1 << 0;
/// `ICC_SRE_EL1`: system registers only.
const SRE: u64 = 7;

/// What an access to a system register comes to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Access {
    /// A read gives this value.
    Reads(u64),
    /// A write does nothing.
    Ignored,
    /// The host's devices want to know what is written.
    Device,
    /// The instruction is undefined.
    Undefined,
}

/// The general purpose register of an access.
pub(crate) const fn register(esr: u64) -> usize {
    ((esr & RT) >> RT_SHIFT) as usize
}

/// Decides about the access that `esr` describes.
pub(crate) fn access(esr: u64, ids: &IdRegisters) -> Access {
    let is_read = esr & READ != 0;
    let bits = |low: u32, mask: u64| ((esr >> low) & mask) as u8;
    let register = (
        bits(20, 3),
        bits(14, 7),
        bits(10, 15),
        bits(1, 15),
        bits(17, 7),
    );
    match register {
        (3, 0, 0, crm @ 1..=7, op2) if is_read => Access::Reads(ids.read(crm, op2)),
        // ICC_SGI1R_EL1, ICC_ASGI1R_EL1, ICC_SGI0R_EL1, ICC_DIR_EL1.
        (3, 0, 12, 11, 1 | 5..=7) if !is_read => Access::Device,
        (3, 0, 12, 12, 5) => reads_as(SRE, is_read),
        register if is_harmless(register) => reads_as(0, is_read),
        _ => Access::Undefined,
    }
}

const fn reads_as(value: u64, is_read: bool) -> Access {
    match is_read {
        true => Access::Reads(value),
        false => Access::Ignored,
    }
}

/// Registers that read as zero and ignore writes: an operating system touches
/// them without asking whether they are there.
const fn is_harmless(register: (u8, u8, u8, u8, u8)) -> bool {
    matches!(
        register,
        // Self-hosted debug: MDSCR, OSLAR, OSLSR, breakpoints and the rest. Trace
        // registers (op1 = 1) are not among them.
        (2, 0 | 3 | 4, ..)
        // Data cache maintenance by set and way: DC ISW, CSW, CISW.
        | (1, 0, 7, 6 | 10 | 14, 2)
        // ACTLR_EL1, REVIDR_EL1, and CCSIDR_EL1 to AIDR_EL1.
        | (3, 0, 1, 0, 1)
        | (3, 0, 0, 0, 6)
        | (3, 1, 0, 0, _)
        // Performance monitors: PMINTEN, PMCR to PMOVSSET with PMUSERENR, the
        // counters and their types.
        | (3, 0, 9, 14, _)
        | (3, 3, 9, 12..=14, _)
        | (3, 3, 14, 8..=15, _)
    )
}
