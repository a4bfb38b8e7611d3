//! What becomes of an exception that a lower level takes to EL3.
//!
//! An `SMC` is a call. A register or instruction that EL3 keeps closed is
//! handed back as an undefined instruction, so that a guest cannot stop the
//! machine with it. Anything else was not supposed to come here.

/// What to do with an exception from a lower level in AArch64 state.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trap {
    /// A call with this immediate.
    Smc(u16),
    /// An instruction that the lower level must see as undefined.
    Undefined,
    /// Not supposed to happen.
    Unexpected,
}

/// Where an undefined instruction is taken to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Target {
    /// EL1.
    El1,
    /// EL2.
    El2,
}

/// How a level's exception entry looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Injection {
    /// Whose exception registers to fill.
    pub target: Target,
    /// Offset from its vector base.
    pub vector: u64,
    /// `PSTATE` there.
    pub spsr: u64,
}

/// `ESR_ELx` of an undefined instruction: class 0, 32-bit instruction.
pub const ESR_UNDEFINED: u64 = 1 << 25;

const EC_SMC64: u64 = 0x17;
const HCR_TGE: u64 = 1 << 27;
const HCR_E2H: u64 = 1 << 34;
const SPSR_AARCH32: u64 = 1 << 4;
const SPSR_DAIF: u64 = 0xf << 6;
const SPSR_PAN: u64 = 1 << 22;
const SPSR_DIT: u64 = 1 << 24;
const SPSR_NZCV: u64 = 0xf << 28;

/// Classifies a syndrome.
pub fn classify(esr: u64) -> Trap {
    match esr >> 26 & 0x3f {
        EC_SMC64 => Trap::Smc(esr as u16),
        // Trapped WF*, FP, LD64B, BTI-free system registers, SVE, SME.
        0x01 | 0x07 | 0x0a | 0x14 | 0x18 | 0x19 | 0x1d => Trap::Undefined,
        _ => Trap::Unexpected,
    }
}

/// How the level that `spsr` belongs to takes an undefined instruction under
/// `hcr`; `None` from AArch32 state.
pub fn undefined(spsr: u64, hcr: u64) -> Option<Injection> {
    if spsr & SPSR_AARCH32 != 0 {
        return None;
    }
    let (level, own_stack) = (spsr >> 2 & 3, spsr & 1 != 0);
    let host_app = level == 0 && hcr & HCR_TGE != 0 && hcr & HCR_E2H != 0;
    let (target, mode) = if level == 2 || host_app {
        (Target::El2, 0b1001)
    } else {
        (Target::El1, 0b0101)
    };
    let vector = match (level, own_stack) {
        (0, _) => 0x400,
        (_, true) => 0x200,
        (_, false) => 0,
    };
    let kept = spsr & (SPSR_NZCV | SPSR_DIT | SPSR_PAN);
    Some(Injection {
        target,
        vector,
        spsr: kept | SPSR_PAN | SPSR_DAIF | mode,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_told_from_closed_registers_and_from_the_unexpected() {
        assert_eq!(classify(0x5e00_0000), Trap::Smc(0));
        assert_eq!(classify(0x5e00_0003), Trap::Smc(3));
        assert_eq!(classify(0x6200_0000), Trap::Undefined);
        assert_eq!(classify(0x9600_0028), Trap::Unexpected);
        assert_eq!(classify(0), Trap::Unexpected);
    }

    #[test]
    fn each_level_takes_its_own_undefined_instruction() {
        let el2h = undefined(0x6000_0009, 0).unwrap();
        assert_eq!((el2h.target, el2h.vector), (Target::El2, 0x200));
        assert_eq!(el2h.spsr, 0x6040_03c9);
        let el1t = undefined(0x4, 0).unwrap();
        assert_eq!((el1t.target, el1t.vector), (Target::El1, 0));
        let el0 = undefined(0, 0).unwrap();
        assert_eq!((el0.target, el0.vector), (Target::El1, 0x400));
        let host_app = undefined(0, HCR_TGE | HCR_E2H).unwrap();
        assert_eq!((host_app.target, host_app.vector), (Target::El2, 0x400));
        assert_eq!(undefined(0x13, 0), None);
    }
}
