//! What a plain guest's identification registers read.
//!
//! They start at zero and gain a field only where this host saves the state it
//! promises and traps nothing it allows. No SVE, SME, MTE, PMU, AMU, trace, SPE,
//! RAS or pointer authentication: their instructions and registers are undefined
//! for the guest, as on a CPU without them.

/// Identification registers of the physical CPU.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[expect(missing_docs, reason = "every field is the register of its name")]
pub struct CpuFeatures {
    pub id_aa64pfr0: u64,
    pub id_aa64pfr1: u64,
    pub id_aa64isar0: u64,
    pub id_aa64isar1: u64,
    pub id_aa64mmfr0: u64,
    pub id_aa64mmfr1: u64,
    pub id_aa64mmfr2: u64,
}

/// A field of four bits that is shown, up to a value.
type Shown = (u32, u64);

/// GIC, DIT, CSV2, CSV3.
const PFR0: &[Shown] = &[(24, 1), (48, 1), (56, 1), (60, 1)];
/// EL0 and EL1 in AArch64 only.
const PFR0_LEVELS: u64 = 0x11;
/// FP and AdvSIMD, which are signed: 0xf is none.
const PFR0_VECTORS: u64 = 0xff << 16;
/// SSBS.
const PFR1: &[Shown] = &[(4, 2)];
/// AES, SHA1, SHA2, CRC32, Atomic, RDM, SHA3, SM3, SM4, DP, FHM, TS, RNDR.
const ISAR0: &[Shown] = &[
    (4, 2),
    (8, 1),
    (12, 2),
    (16, 1),
    (20, 2),
    (28, 1),
    (32, 1),
    (36, 1),
    (40, 1),
    (44, 1),
    (48, 1),
    (52, 2),
    (60, 1),
];
/// DPB, JSCVT, FCMA, LRCPC, FRINTTS, SB.
const ISAR1: &[Shown] = &[(0, 1), (12, 1), (16, 1), (20, 2), (32, 1), (36, 1)];
/// PARange without 52 bits, ASIDBits, BigEnd, BigEndEL0, the 16 KiB granule
/// without 52 bits.
const MMFR0: &[Shown] = &[(0, 5), (4, 2), (8, 1), (16, 1), (20, 1)];
/// The 64 KiB granule, which is signed: 0xf is none.
const MMFR0_GRANULE_64K: u64 = 0xf << 24;
const MMFR0_GRANULE_4K_SHIFT: u32 = 28;
/// HPDS, PAN, ECBHB. Without the last a kernel clears the branch history at every
/// entry.
const MMFR1: &[Shown] = &[(12, 1), (20, 2), (60, 1)];
/// CnP, UAO, AT, E0PD. Without the last a kernel whose address is random changes
/// its page tables at every entry and return.
const MMFR2: &[Shown] = &[(0, 1), (4, 1), (32, 1), (60, 1)];
/// Debug architecture Armv8, no double lock, and the two breakpoints and
/// watchpoints that there are at least. Their registers read as zero.
const DFR0: u64 = 0x6 | 0xf << 36 | 1 << 12 | 1 << 20;

const fn field(register: u64, low: u32) -> u64 {
    (register >> low) & 0xf
}

/// Keeps the fields that are shown.
fn shown(register: u64, fields: &[Shown]) -> u64 {
    fields
        .iter()
        .map(|(low, most)| field(register, *low).min(*most) << low)
        .fold(0, |kept, field| kept | field)
}

/// The identification registers of a plain guest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IdRegisters {
    pfr0: u64,
    pfr1: u64,
    isar0: u64,
    isar1: u64,
    mmfr0: u64,
    mmfr1: u64,
    mmfr2: u64,
}

impl IdRegisters {
    /// What a guest on this CPU sees.
    pub fn new(cpu: &CpuFeatures) -> Self {
        // Signed: 1 would promise 52 bits.
        let granule_4k = match field(cpu.id_aa64mmfr0, MMFR0_GRANULE_4K_SHIFT) {
            none @ 8.. => none << MMFR0_GRANULE_4K_SHIFT,
            _ => 0,
        };
        Self {
            pfr0: PFR0_LEVELS | cpu.id_aa64pfr0 & PFR0_VECTORS | shown(cpu.id_aa64pfr0, PFR0),
            pfr1: shown(cpu.id_aa64pfr1, PFR1),
            isar0: shown(cpu.id_aa64isar0, ISAR0),
            isar1: shown(cpu.id_aa64isar1, ISAR1),
            mmfr0: shown(cpu.id_aa64mmfr0, MMFR0)
                | cpu.id_aa64mmfr0 & MMFR0_GRANULE_64K
                | granule_4k,
            mmfr1: shown(cpu.id_aa64mmfr1, MMFR1),
            mmfr2: shown(cpu.id_aa64mmfr2, MMFR2),
        }
    }

    /// The register `op0=3, op1=0, CRn=0, CRm=crm, op2`; zero for all not shown.
    pub const fn read(&self, crm: u8, op2: u8) -> u64 {
        match (crm, op2) {
            (4, 0) => self.pfr0,
            (4, 1) => self.pfr1,
            (5, 0) => DFR0,
            (6, 0) => self.isar0,
            (6, 1) => self.isar1,
            (7, 0) => self.mmfr0,
            (7, 1) => self.mmfr1,
            (7, 2) => self.mmfr2,
            _ => 0,
        }
    }
}
