//! What the CPU has, as far as EL3 must know (DDI0487 D24, ID registers).
//!
//! A register that belongs to an optional feature may be touched only if the
//! feature is here.

use arm_sysregs::el1::registers::{
    IdAa64dfr0El1, IdAa64isar1El1, IdAa64mmfr0El1, IdAa64mmfr1El1, IdAa64mmfr2El1, IdAa64mmfr3El1,
    IdAa64pfr0El1, IdAa64pfr1El1,
};

/// The ID registers that are looked at.
#[derive(Clone, Copy, Debug)]
pub struct IdRegisters {
    /// `ID_AA64PFR0_EL1`.
    pub pfr0: IdAa64pfr0El1,
    /// `ID_AA64PFR1_EL1`.
    pub pfr1: IdAa64pfr1El1,
    /// `ID_AA64DFR0_EL1`.
    pub dfr0: IdAa64dfr0El1,
    /// `ID_AA64ISAR1_EL1`.
    pub isar1: IdAa64isar1El1,
    /// `ID_AA64MMFR0_EL1`.
    pub mmfr0: IdAa64mmfr0El1,
    /// `ID_AA64MMFR1_EL1`.
    pub mmfr1: IdAa64mmfr1El1,
    /// `ID_AA64MMFR2_EL1`.
    pub mmfr2: IdAa64mmfr2El1,
    /// `ID_AA64MMFR3_EL1`.
    pub mmfr3: IdAa64mmfr3El1,
}

bitflags::bitflags! {
    /// Optional features, named after the architecture's `FEAT_` words.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Features: u64 {
        /// Realm Management Extension.
        const RME = 1 << 0;
        /// AArch32 at EL1.
        const AA32_EL1 = 1 << 1;
        /// Memory tagging with system registers.
        const MTE2 = 1 << 2;
        /// Memory partitioning.
        const MPAM = 1 << 3;
        /// Fine-grained traps.
        const FGT = 1 << 4;
        /// Fine-grained traps, second set.
        const FGT2 = 1 << 5;
        /// Enhanced counter virtualization.
        const ECV = 1 << 6;
        /// The counter's physical offset.
        const ECV_POFF = 1 << 7;
        /// Virtualization host extensions.
        const VHE = 1 << 8;
        /// Reliability extension.
        const RAS = 1 << 9;
        /// Nested virtualization with `VNCR_EL2`.
        const NV2 = 1 << 10;
        /// Self-hosted trace.
        const TRF = 1 << 11;
        /// `SCXTNUM_ELx`.
        const CSV2_2 = 1 << 12;
        /// `HCRX_EL2`.
        const HCX = 1 << 13;
        /// `TCR2_ELx`.
        const TCR2 = 1 << 14;
        /// Stage-1 permission indirection.
        const S1PIE = 1 << 15;
        /// Stage-1 permission overlay.
        const S1POE = 1 << 16;
        /// Stage-2 permission indirection.
        const S2PIE = 1 << 17;
        /// Branch record buffer.
        const BRBE = 1 << 18;
        /// Guarded control stack.
        const GCS = 1 << 19;
        /// `SCTLR2_ELx`.
        const SCTLR2 = 1 << 20;
        /// Activity monitors.
        const AMU = 1 << 21;
        /// Scalable vectors.
        const SVE = 1 << 22;
        /// Scalable matrices.
        const SME = 1 << 23;
        /// Scalable matrices, second version.
        const SME2 = 1 << 24;
        /// Pointer authentication.
        const PAUTH = 1 << 25;
        /// Statistical profiling.
        const SPE = 1 << 26;
        /// Trace buffer.
        const TRBE = 1 << 27;
        /// Performance monitors.
        const PMU = 1 << 28;
        /// GIC system registers.
        const GIC = 1 << 29;
        /// Fine-grained traps of activity monitors.
        const FGT_AMU = 1 << 30;
        /// Virtual partition identifiers (`MPAMHCR_EL2` and the mappings).
        const MPAM_HCR = 1 << 31;
    }
}

impl Features {
    /// Reads the ID registers' fields.
    pub fn from_ids(ids: &IdRegisters) -> Self {
        let mut features = Self::empty();
        let pmu = ids.dfr0.pmuver();
        let pauth = ids.isar1.apa() | ids.isar1.api() | ids.isar1.gpa() | ids.isar1.gpi();
        for (feature, present) in [
            (Self::RME, ids.pfr0.is_feat_rme_present()),
            (Self::AA32_EL1, ids.pfr0.el1() >= 2),
            (Self::MTE2, ids.pfr1.is_feat_mte2_present()),
            (
                Self::MPAM,
                ids.pfr0.is_feat_mpam_present() || ids.pfr1.mpam_frac() != 0,
            ),
            (Self::FGT, ids.mmfr0.is_feat_fgt_present()),
            (Self::FGT2, ids.mmfr0.is_feat_fgt2_present()),
            (Self::ECV, ids.mmfr0.ecv() >= 1),
            (Self::ECV_POFF, ids.mmfr0.ecv() >= 2),
            (Self::VHE, ids.mmfr1.is_feat_vhe_present()),
            (Self::RAS, ids.pfr0.ras() >= 1),
            (Self::NV2, ids.mmfr2.nv() >= 2),
            (Self::TRF, ids.dfr0.is_feat_trf_present()),
            (
                Self::CSV2_2,
                ids.pfr0.is_feat_csv2_2_present() || ids.pfr1.csv2_frac() >= 2,
            ),
            (Self::HCX, ids.mmfr1.is_feat_hcx_present()),
            (Self::TCR2, ids.mmfr3.is_feat_tcr2_present()),
            (Self::S1PIE, ids.mmfr3.is_feat_s1pie_present()),
            (Self::S1POE, ids.mmfr3.is_feat_s1poe_present()),
            (Self::S2PIE, ids.mmfr3.is_feat_s2pie_present()),
            (Self::BRBE, ids.dfr0.is_feat_brbe_present()),
            (Self::GCS, ids.pfr1.is_feat_gcs_present()),
            (Self::SCTLR2, ids.mmfr3.is_feat_sctlr2_present()),
            (Self::AMU, ids.pfr0.is_feat_amuv1_present()),
            (Self::SVE, ids.pfr0.is_feat_sve_present()),
            (Self::SME, ids.pfr1.is_feat_sme_present()),
            (Self::SME2, ids.pfr1.is_feat_sme2_present()),
            (Self::PAUTH, pauth != 0),
            (Self::SPE, ids.dfr0.is_feat_spe_present()),
            (Self::TRBE, ids.dfr0.is_feat_trbe_present()),
            // 0xf is an implementation of its own, not Arm's.
            (Self::PMU, pmu != 0 && pmu != 0xf),
            (Self::GIC, ids.pfr0.gic() != 0),
            (
                Self::FGT_AMU,
                ids.mmfr0.is_feat_fgt_present() && ids.pfr0.is_feat_amuv1_present(),
            ),
        ] {
            features.set(feature, present);
        }
        features
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids([pfr0, pfr1, dfr0, isar1, mmfr0, mmfr1, mmfr2, mmfr3]: [u64; 8]) -> IdRegisters {
        IdRegisters {
            pfr0: IdAa64pfr0El1::from_bits_retain(pfr0),
            pfr1: IdAa64pfr1El1::from_bits_retain(pfr1),
            dfr0: IdAa64dfr0El1::from_bits_retain(dfr0),
            isar1: IdAa64isar1El1::from_bits_retain(isar1),
            mmfr0: IdAa64mmfr0El1::from_bits_retain(mmfr0),
            mmfr1: IdAa64mmfr1El1::from_bits_retain(mmfr1),
            mmfr2: IdAa64mmfr2El1::from_bits_retain(mmfr2),
            mmfr3: IdAa64mmfr3El1::from_bits_retain(mmfr3),
        }
    }

    /// QEMU 10.0.13's `max,x-rme=on`.
    const MAX_10: [u64; 8] = [
        0x1311_0011_2111_2222,
        0x0000_0010_0100_0121,
        0x1000_0000_1030_560a,
        0x0111_2111_1021_1502,
        0x2100_0323_1020_1126,
        0x0110_1120_1031_2122,
        0x1221_0111_1201_1011,
        0x1000_0000_0000_0000,
    ];

    /// QEMU 11.1.3's `max,x-rme=on`.
    const MAX_11: [u64; 8] = [
        0x1331_0011_2111_2222,
        0x0010_1010_1200_0121,
        0x1000_0000_1030_560a,
        0x0111_2111_1021_1502,
        0x2100_0323_1020_1126,
        0x0110_1120_1031_2122,
        0x1221_0111_1201_1011,
        0x1000_0000_1100_1111,
    ];

    #[test]
    fn the_max_cpu_shows_what_traps_and_banks_depend_on() {
        let common = Features::RME
            | Features::AA32_EL1
            | Features::FGT
            | Features::ECV
            | Features::ECV_POFF
            | Features::VHE
            | Features::RAS
            | Features::NV2
            | Features::CSV2_2
            | Features::HCX
            | Features::SVE
            | Features::SME
            | Features::PAUTH
            | Features::PMU
            | Features::GIC;
        assert_eq!(Features::from_ids(&ids(MAX_10)), common);
        let newer = Features::TCR2
            | Features::SCTLR2
            | Features::S1PIE
            | Features::S2PIE
            | Features::GCS
            | Features::SME2;
        assert_eq!(Features::from_ids(&ids(MAX_11)), common | newer);
    }

    #[test]
    fn a_cpu_that_shows_nothing_has_nothing() {
        assert_eq!(Features::from_ids(&ids([0; 8])), Features::empty());
    }
}
