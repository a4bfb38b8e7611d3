//! Exception syndromes (DDI0487 `ESR_ELx`) and what of them the host may know.

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
/// HVC.
pub const EC_HVC64: u64 = 0x16;
/// SMC.
pub const EC_SMC64: u64 = 0x17;
/// MSR, MRS and system instructions.
pub const EC_SYSREG: u64 = 0x18;
/// SVE.
pub const EC_SVE: u64 = 0x19;
/// SME.
pub const EC_SME: u64 = 0x1d;
/// Instruction abort from a lower level.
pub const EC_INSTRUCTION_ABORT_LOWER: u64 = 0x20;
/// Instruction abort without a change of level.
pub const EC_INSTRUCTION_ABORT_SAME: u64 = 0x21;
/// Data abort from a lower level.
pub const EC_DATA_ABORT_LOWER: u64 = 0x24;
/// Data abort without a change of level.
pub const EC_DATA_ABORT_SAME: u64 = 0x25;
/// Memory copy and set.
pub const EC_MOPS: u64 = 0x27;

const EC_SHIFT: u32 = 26;
const EC_MASK: u64 = 0x3f << EC_SHIFT;
/// Instruction length: 32 bits.
pub const IL: u64 = 1 << 25;
const ISV: u64 = 1 << 24;
const SAS_SHIFT: u32 = 22;
const SAS: u64 = 0b11 << SAS_SHIFT;
const SSE: u64 = 1 << 21;
const SRT_SHIFT: u32 = 16;
const SF: u64 = 1 << 15;
const SET: u64 = 0b11 << 11;
const FNV: u64 = 1 << 10;
/// External abort type.
pub const EA: u64 = 1 << 9;
/// Write, not read.
const WNR: u64 = 1 << 6;
const FSC: u64 = 0x3f;

/// Fault status of a translation fault at level 0.
pub const FSC_TRANSLATION: u64 = 0x04;
/// Fault status of a synchronous external abort.
pub const FSC_EXTERNAL: u64 = 0x10;

/// The exception class.
pub const fn class(esr: u64) -> u64 {
    (esr & EC_MASK) >> EC_SHIFT
}

/// A syndrome of a class with the given rest.
pub const fn with_class(class: u64, rest: u64) -> u64 {
    class << EC_SHIFT | rest
}

/// Of a WFx the host learns whether it waits for an event or an interrupt.
pub const fn of_wfx(esr: u64) -> u64 {
    esr & (EC_MASK | 1)
}

/// Of an SError: IDS, AET, EA and the fault status.
pub const fn of_serror(esr: u64) -> u64 {
    esr & (EC_MASK | 1 << 24 | 0b111 << 10 | EA | FSC)
}

/// The syndrome of a data or instruction abort.
#[derive(Clone, Copy, Debug)]
pub struct Abort(pub u64);

impl Abort {
    /// Whether the rest of the syndrome describes the instruction.
    pub const fn is_valid(self) -> bool {
        self.0 & ISV != 0
    }

    /// Whether it is a write.
    pub const fn is_write(self) -> bool {
        self.0 & WNR != 0
    }

    /// Whether it was an instruction fetch.
    pub const fn is_fetch(self) -> bool {
        class(self.0) == EC_INSTRUCTION_ABORT_LOWER
    }

    /// The register that is read or written.
    pub const fn register(self) -> usize {
        ((self.0 >> SRT_SHIFT) & 0x1f) as usize
    }

    const fn bits(self) -> u32 {
        8 << ((self.0 & SAS) >> SAS_SHIFT)
    }

    /// The part of a register that the access stores.
    pub const fn truncate(self, value: u64) -> u64 {
        value & (u64::MAX >> (64 - self.bits()))
    }

    /// What a register holds after it has loaded `value`.
    pub const fn extend(self, value: u64) -> u64 {
        let unused = 64 - self.bits();
        let value = self.truncate(value);
        if self.0 & SSE == 0 {
            return value;
        }
        let signed = (((value << unused) as i64) >> unused) as u64;
        if self.0 & SF == 0 {
            signed & 0xffff_ffff
        } else {
            signed
        }
    }

    const fn status(self) -> u64 {
        self.0 & FSC
    }

    /// Whether the fault is a synchronous external abort.
    pub const fn is_external(self) -> bool {
        matches!(self.status(), 0x10 | 0x13..=0x17)
    }

    /// Whether it is a granule protection fault.
    pub const fn is_granule_protection(self) -> bool {
        matches!(self.status(), 0x23..=0x28)
    }

    /// Whether it is a translation fault.
    pub const fn is_translation(self) -> bool {
        matches!(self.status(), 0x04..=0x07)
    }

    /// What the host sees of an access to the unprotected half.
    pub const fn unprotected(self) -> u64 {
        let always = EC_MASK | SET | FNV | EA | WNR | FSC;
        if self.is_valid() {
            self.0 & (always | ISV | SAS | SF)
        } else {
            self.0 & always
        }
    }

    /// What the host sees of an access to the protected half: that it failed.
    pub const fn protected(self) -> u64 {
        self.0 & (EC_MASK | SET | FNV | EA | FSC)
    }

    /// What the host sees of an instruction fetch.
    pub const fn fetch(self) -> u64 {
        self.0 & (EC_MASK | SET | EA | FSC)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(size: u64, sign: bool, wide: bool) -> Abort {
        let sign = if sign { SSE } else { 0 };
        let wide = if wide { SF } else { 0 };
        Abort(with_class(
            EC_DATA_ABORT_LOWER,
            ISV | size << SAS_SHIFT | sign | wide | 3 << SRT_SHIFT,
        ))
    }

    #[test]
    fn a_load_extends_as_its_instruction_says() {
        assert_eq!(load(0, false, false).extend(0x1ff), 0xff);
        assert_eq!(load(0, true, false).extend(0x80), 0xffff_ff80);
        assert_eq!(load(0, true, true).extend(0x80), 0xffff_ffff_ffff_ff80);
        assert_eq!(load(1, true, true).extend(0x7fff), 0x7fff);
        assert_eq!(
            load(2, true, true).extend(0x8000_0000),
            0xffff_ffff_8000_0000
        );
        assert_eq!(load(3, false, true).extend(u64::MAX), u64::MAX);
        assert_eq!(load(2, false, false).register(), 3);
    }

    #[test]
    fn the_host_never_learns_which_register_it_was() {
        let abort = Abort(u64::MAX);
        assert_eq!(abort.unprotected() & (0x1f << SRT_SHIFT | SSE | IL), 0);
        assert_eq!(
            abort.protected() & (ISV | SAS | SF | WNR | 0x1f << SRT_SHIFT),
            0
        );
    }

    #[test]
    fn an_invalid_syndrome_says_nothing_of_the_instruction() {
        let abort = Abort(with_class(EC_DATA_ABORT_LOWER, SAS | SF | WNR | 0x07));
        assert_eq!(
            abort.unprotected(),
            with_class(EC_DATA_ABORT_LOWER, WNR | 0x07)
        );
    }
}
