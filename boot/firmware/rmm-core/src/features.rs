//! What the CPU has, what the host is told of it, and what a Realm sees.
//!
//! A Realm's identification registers start at zero and gain a field only
//! where the RMM and the world switch support what it promises: anything else
//! would let a kernel use state that nobody saves, or trap where it expects an
//! instruction to work.

use ::rmi::features::{Features0, Features0Fields};

/// A Realm may have `2^8 - 1` RECs.
pub const MAX_RECS_ORDER: u8 = 8;
/// Auxiliary granules of a REC.
pub const AUX_COUNT: usize = 1;

/// Identification registers of the physical CPUs, as the shell read them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[expect(missing_docs, reason = "every field is the register of its name")]
pub struct CpuFeatures {
    pub id_aa64pfr0: u64,
    pub id_aa64pfr1: u64,
    pub id_aa64isar0: u64,
    pub id_aa64isar1: u64,
    pub id_aa64isar2: u64,
    pub id_aa64mmfr0: u64,
    pub id_aa64mmfr1: u64,
    pub id_aa64mmfr2: u64,
    pub id_aa64dfr0: u64,
    pub ich_vtr: u64,
}

const fn field(register: u64, low: u32) -> u64 {
    (register >> low) & 0xf
}

/// Keeps 4-bit unsigned fields of a register, each at most at a value.
const fn keep<const N: usize>(register: u64, fields: [(u32, u64); N]) -> u64 {
    let mut kept = 0;
    let mut rest: &[(u32, u64)] = &fields;
    while let [(low, most), others @ ..] = rest {
        let value = field(register, *low);
        kept |= if value < *most { value } else { *most } << *low;
        rest = others;
    }
    kept
}

impl CpuFeatures {
    /// Bits of physical address; 48 at most, because stage 2 has no 52-bit
    /// descriptors (DS=0).
    pub const fn pa_bits(&self) -> u8 {
        match field(self.id_aa64mmfr0, 0) {
            0 => 32,
            1 => 36,
            2 => 40,
            3 => 42,
            4 => 44,
            _ => 48,
        }
    }

    /// Bits of VMID.
    pub const fn vmid_bits(&self) -> u8 {
        if field(self.id_aa64mmfr1, 4) == 2 {
            16
        } else {
            8
        }
    }

    /// List registers of the interrupt controller's virtual interface.
    pub const fn list_registers(&self) -> usize {
        let last = (self.ich_vtr & 0x1f) as usize;
        if last < 16 { last + 1 } else { 16 }
    }

    /// Bits of a virtual interrupt's priority that are implemented.
    pub const fn priority_bits(&self) -> u32 {
        let bits = ((self.ich_vtr >> 29) & 7) as u32 + 1;
        if bits < 8 { bits } else { 8 }
    }

    /// Breakpoints minus one.
    pub const fn num_bps(&self) -> u64 {
        field(self.id_aa64dfr0, 12)
    }

    /// Watchpoints minus one.
    pub const fn num_wps(&self) -> u64 {
        field(self.id_aa64dfr0, 20)
    }

    /// Feature register 0 of RMI.
    pub fn features0(&self) -> Features0 {
        Features0::from(Features0Fields {
            s2sz: self.pa_bits(),
            num_bps: self.num_bps() as u8,
            num_wps: self.num_wps() as u8,
            hash_sha_256: true,
            hash_sha_512: true,
            gicv3_num_lrs: (self.list_registers() - 1) as u8,
            max_recs_order: MAX_RECS_ORDER,
            ..Features0Fields::default()
        })
    }

    /// What a Realm reads from the identification register `op0=3, op1=0,
    /// CRn=0, CRm=crm, op2`; zero for everything not listed.
    pub fn realm_id_register(&self, crm: u8, op2: u8, num_bps: u64, num_wps: u64) -> u64 {
        match (crm, op2) {
            (4, 0) => self.pfr0(),
            // SSBS.
            (4, 1) => keep(self.id_aa64pfr1, [(4, 2)]),
            // Debug architecture Armv8, no double lock; breakpoints and
            // watchpoints as the parameters say.
            (5, 0) => 0x6 | 0xf << 36 | num_bps << 12 | num_wps << 20,
            (6, 0) => self.isar0(),
            // DPB, JSCVT, FCMA, LRCPC, FRINTTS, SB.
            (6, 1) => keep(
                self.id_aa64isar1,
                [(0, 1), (12, 1), (16, 1), (20, 2), (32, 1), (36, 1)],
            ),
            (7, 0) => self.mmfr0(),
            // HPDS, PAN, ECBHB. Without the last a kernel clears the branch history
            // at every entry.
            (7, 1) => keep(self.id_aa64mmfr1, [(12, 1), (20, 2), (60, 1)]),
            // CnP, UAO, AT, E0PD. Without the last a kernel whose address is random
            // changes its page tables at every entry and return.
            (7, 2) => keep(self.id_aa64mmfr2, [(0, 1), (4, 1), (32, 1), (60, 1)]),
            _ => 0,
        }
    }

    fn pfr0(&self) -> u64 {
        // EL0 and EL1 in AArch64 only; FP and SIMD are signed: 0xf is none.
        let signed = self.id_aa64pfr0 & (0xff << 16);
        // GIC, DIT, CSV2, CSV3.
        let rest = keep(self.id_aa64pfr0, [(24, 1), (48, 1), (56, 1), (60, 1)]);
        0x11 | signed | rest
    }

    fn isar0(&self) -> u64 {
        // AES, SHA1, SHA2, CRC32, Atomic.
        let base = [(4, 2), (8, 1), (12, 2), (16, 1), (20, 2)];
        // RDM, SHA3, SM3, SM4, DP, FHM, TS, RNDR.
        let more = [
            (28, 1),
            (32, 1),
            (36, 1),
            (40, 1),
            (44, 1),
            (48, 1),
            (52, 2),
            (60, 1),
        ];
        keep(self.id_aa64isar0, base) | keep(self.id_aa64isar0, more)
    }

    fn mmfr0(&self) -> u64 {
        // PARange up to 48 bits, ASIDBits, BigEnd, BigEndEL0.
        let base = keep(self.id_aa64mmfr0, [(0, 5), (4, 2), (8, 1), (16, 1)]);
        // 16 KiB granule, without 52 bits.
        let granule16 = keep(self.id_aa64mmfr0, [(20, 1)]);
        // 64 KiB granule: 0 is supported, 0xf is not.
        let granule64 = self.id_aa64mmfr0 & (0xf << 24);
        // 4 KiB granule: signed; 1 would promise 52 bits.
        let granule4 = match field(self.id_aa64mmfr0, 28) {
            none @ 8.. => none << 28,
            _ => 0,
        };
        base | granule16 | granule64 | granule4
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn everything() -> CpuFeatures {
        CpuFeatures {
            id_aa64pfr0: 0x3311_1111_1311_2222 & !(0xff << 16) | 0x11 << 16,
            id_aa64pfr1: u64::MAX,
            id_aa64isar0: u64::MAX,
            id_aa64isar1: u64::MAX,
            id_aa64isar2: u64::MAX,
            id_aa64mmfr0: 0xffff_ffff_10ff_ffff,
            id_aa64mmfr1: u64::MAX,
            id_aa64mmfr2: u64::MAX,
            id_aa64dfr0: u64::MAX,
            ich_vtr: 0x9000_0003,
        }
    }

    #[test]
    fn a_realm_never_sees_what_nobody_saves_for_it() {
        let cpu = everything();
        let id = |crm, op2| cpu.realm_id_register(crm, op2, 1, 1);
        // RAS, SVE, MPAM, AMU, RME of PFR0; EL2 and EL3.
        assert_eq!(
            id(4, 0) & (0xffff << 28 | 0xf << 52 | 0xf << 44 | 0xff << 8),
            0
        );
        // BT, MTE, SME of PFR1.
        assert_eq!(id(4, 1), 2 << 4);
        // PMU, trace, SPE.
        assert_eq!(id(5, 0) & (0xff << 4 | 0xf << 32), 0);
        // Pointer authentication.
        assert_eq!(id(6, 1) & (0xff << 4 | 0xff << 24), 0);
        for (crm, op2) in [
            (4, 4),
            (4, 5),
            (6, 2),
            (6, 3),
            (7, 3),
            (7, 4),
            (1, 0),
            (2, 0),
        ] {
            assert_eq!(id(crm, op2), 0);
        }
    }

    /// It would do them in software, at every entry.
    #[test]
    fn a_realm_sees_which_attacks_the_cpu_fends_off_itself() {
        let id = |crm, op2| everything().realm_id_register(crm, op2, 1, 1);
        // CSV2 and CSV3, ECBHB, E0PD.
        assert_eq!(id(4, 0) >> 56, 0x11);
        assert_eq!(id(7, 1) >> 60, 1);
        assert_eq!(id(7, 2) >> 60, 1);
    }

    #[test]
    fn a_cpu_with_52_bits_of_address_shows_48() {
        let cpu = CpuFeatures {
            id_aa64mmfr0: 0x1000_0006 | 1 << 28,
            ..CpuFeatures::default()
        };
        assert_eq!(cpu.pa_bits(), 48);
        let mmfr0 = cpu.realm_id_register(7, 0, 1, 1);
        assert_eq!(mmfr0 & 0xf, 5);
        assert_eq!(mmfr0 >> 28, 0);
    }

    #[test]
    fn the_host_is_told_what_there_is() {
        let cpu = CpuFeatures {
            id_aa64mmfr0: 5,
            id_aa64dfr0: 5 << 12 | 3 << 20,
            ich_vtr: 0x9000_0003,
            ..CpuFeatures::default()
        };
        let fields = cpu.features0().fields();
        assert_eq!(fields.s2sz, 48);
        assert_eq!((fields.num_bps, fields.num_wps), (5, 3));
        assert_eq!(fields.gicv3_num_lrs, 3);
        assert!(fields.hash_sha_256 && fields.hash_sha_512);
        assert!(!fields.lpa2 && fields.sve_vl.is_none() && fields.pmu_num_ctrs.is_none());
        assert_eq!(cpu.priority_bits(), 5);
    }
}
