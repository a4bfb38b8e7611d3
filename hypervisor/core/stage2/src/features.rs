//! What the CPU's stage 2 can do, and the registers that follow from it.

use core::fmt;

use vm_config::Geometry;

use crate::Vmid;

/// `PARange` of 48 bits: more takes descriptors of LPA2 (`VTCR_EL2.DS`).
const PA_RANGE_48: u8 = 5;

/// What stage 2 of this machine's CPUs can do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Features {
    /// `ID_AA64MMFR0_EL1.PARange`, at most 48 bits.
    pub pa_range: u8,
    /// VMIDs have 16 bits rather than 8.
    pub vmid16: bool,
    /// Stage 2 can force memory to be cacheable (`FEAT_S2FWB`).
    pub fwb: bool,
}

/// A VM that stage 2 of this machine cannot hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unsupported {
    /// The CPU's addresses are narrower than its IPA space.
    IpaBits {
        /// What is asked for.
        wanted: u8,
        /// What there is.
        available: u8,
    },
    /// No table has this width.
    Geometry(u8),
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::IpaBits { wanted, available } => write!(
                f,
                "its IPA space of {wanted} bits is wider than the CPU's {available}: lower ipa_bits"
            ),
            Self::Geometry(bits) => write!(f, "no stage 2 has {bits} bits: correct ipa_bits"),
        }
    }
}

/// The registers of one stage 2.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Registers {
    /// `VTCR_EL2`.
    pub vtcr: u64,
    /// `VTTBR_EL2`.
    pub vttbr: u64,
}

const fn field(register: u64, low: u32) -> u8 {
    ((register >> low) & 0xf) as u8
}

impl Features {
    /// From the identification registers of these names.
    pub const fn of_cpu(mmfr0: u64, mmfr1: u64, mmfr2: u64) -> Self {
        let pa_range = field(mmfr0, 0);
        Self {
            pa_range: if pa_range < PA_RANGE_48 {
                pa_range
            } else {
                PA_RANGE_48
            },
            vmid16: field(mmfr1, 4) == 2,
            fwb: field(mmfr2, 40) != 0,
        }
    }

    /// Bits of physical address that tables reach.
    pub const fn pa_bits(&self) -> u8 {
        match self.pa_range {
            0 => 32,
            1 => 36,
            2 => 40,
            3 => 42,
            4 => 44,
            _ => 48,
        }
    }

    /// The shape of tables for an IPA space, if there can be any.
    pub fn geometry(&self, ipa_bits: u8) -> Result<Geometry, Unsupported> {
        let available = self.pa_bits();
        if ipa_bits > available {
            return Err(Unsupported::IpaBits {
                wanted: ipa_bits,
                available,
            });
        }
        Geometry::deepest(ipa_bits).ok_or(Unsupported::Geometry(ipa_bits))
    }

    /// `VTCR_EL2`: walks in inner-shareable write-back memory, DS=0.
    pub const fn vtcr(&self, ipa_bits: u8, geometry: Geometry) -> u64 {
        const WRITE_BACK_INNER: u64 = 1 << 8;
        const WRITE_BACK_OUTER: u64 = 1 << 10;
        const INNER_SHAREABLE: u64 = 3 << 12;
        const RES1: u64 = 1 << 31;
        // SL0 counts from level 2 upwards.
        let start = 2 - geometry.start_level() as u64;
        (64 - ipa_bits as u64)
            | start << 6
            | WRITE_BACK_INNER
            | WRITE_BACK_OUTER
            | INNER_SHAREABLE
            | (self.pa_range as u64) << 16
            | (self.vmid16 as u64) << 19
            | RES1
    }

    /// `VTTBR_EL2`.
    pub const fn vttbr(&self, root: u64, vmid: &Vmid) -> u64 {
        root | (vmid.raw() as u64) << 48
    }
}
