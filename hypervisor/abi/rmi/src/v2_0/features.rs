//! Feature registers 0 to 4 of RMI 2.0, decoded together.

use core::fmt;

/// The feature registers, 0 first.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub struct Features {
    /// The registers as the RMM gave them.
    pub regs: [u64; 5],
}

/// Hash algorithms for measurements.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub struct Hashes {
    /// SHA-256.
    pub sha_256: bool,
    /// SHA-384.
    pub sha_384: bool,
    /// SHA-512.
    pub sha_512: bool,
}

/// How the planes of a Realm are translated.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
#[repr(u8)]
pub enum RttPlanes {
    /// A tree for each plane.
    #[default]
    Auxiliary = 0,
    /// A tree for each plane, or one for all.
    Both = 1,
    /// One tree for all planes.
    Single = 2,
    /// A value this host does not know.
    Unknown = 3,
}

/// The fields of [`Features`] that a host without devices uses.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub struct FeatureFields {
    /// Largest IPA width in bits.
    pub s2sz: u8,
    /// 52-bit stage 2 is available.
    pub lpa2: bool,
    /// Largest SVE vector length as `(bits / 128) - 1`, if SVE is available.
    pub sve_vl: Option<u8>,
    /// Breakpoints minus one.
    pub num_bps: u8,
    /// Watchpoints minus one.
    pub num_wps: u8,
    /// PMU event counters, if Realms may have a PMU.
    pub pmu_num_ctrs: Option<u8>,
    /// A whole level 0 GPT region can be delegated at once (late flavour).
    pub l0gpt_block_delegate: bool,
    /// Largest output address width of stage 2; zero in the early flavour.
    pub s2oasz: u8,
    /// Granules of 4, 16 and 64 KiB that the RMM can account in.
    pub granules: [bool; 3],
    /// Hash algorithms.
    pub hashes: Hashes,
    /// A Realm may have `2^n - 1` RECs.
    pub max_recs_order: u8,
    /// Address bits of a level 0 GPT region.
    pub l0gpt_bits: u8,
    /// `GPCCR_EL3.PPS`: 5 is 48 bits of protected physical space, 6 is 52.
    pub pps: u8,
    /// Device assignment.
    pub devices: bool,
    /// Planes besides plane 0.
    pub max_aux_planes: u8,
    /// How planes are translated.
    pub rtt_planes: RttPlanes,
    /// Access permissions can be indirect.
    pub s2ap_indirect: bool,
    /// Memory encryption contexts.
    pub mec_count: u64,
}

const fn field(raw: u64, low: u32, bits: u32) -> u8 {
    ((raw >> low) & ((1 << bits) - 1)) as u8
}

const fn bit(raw: u64, low: u32) -> bool {
    (raw >> low) & 1 != 0
}

impl Features {
    /// Wraps the registers.
    pub const fn from_raw(regs: [u64; 5]) -> Self {
        Self { regs }
    }

    /// Decodes the registers.
    pub const fn fields(&self) -> FeatureFields {
        let [r0, r1, r2, r3, mec_count] = self.regs;
        FeatureFields {
            s2sz: field(r0, 0, 8),
            lpa2: bit(r0, 8),
            sve_vl: if bit(r0, 9) {
                Some(field(r0, 10, 4))
            } else {
                None
            },
            num_bps: field(r0, 14, 6),
            num_wps: field(r0, 20, 6),
            pmu_num_ctrs: if bit(r0, 26) {
                Some(field(r0, 27, 5))
            } else {
                None
            },
            l0gpt_block_delegate: bit(r0, 32),
            s2oasz: field(r0, 33, 8),
            granules: [bit(r1, 0), bit(r1, 1), bit(r1, 2)],
            hashes: Hashes {
                sha_256: bit(r1, 3),
                sha_384: bit(r1, 4),
                sha_512: bit(r1, 5),
            },
            max_recs_order: field(r1, 6, 4),
            l0gpt_bits: 30 + field(r1, 10, 4),
            pps: field(r1, 14, 3),
            devices: bit(r2, 0),
            max_aux_planes: field(r3, 0, 4),
            rtt_planes: match field(r3, 4, 2) {
                0 => RttPlanes::Auxiliary,
                1 => RttPlanes::Both,
                2 => RttPlanes::Single,
                _ => RttPlanes::Unknown,
            },
            s2ap_indirect: bit(r3, 6),
            mec_count,
        }
    }
}

impl From<FeatureFields> for Features {
    fn from(fields: FeatureFields) -> Self {
        let mut r0 = u64::from(fields.s2sz);
        r0 |= u64::from(fields.lpa2) << 8;
        if let Some(vl) = fields.sve_vl {
            r0 |= 1 << 9 | u64::from(vl & 0xf) << 10;
        }
        r0 |= u64::from(fields.num_bps & 0x3f) << 14;
        r0 |= u64::from(fields.num_wps & 0x3f) << 20;
        if let Some(counters) = fields.pmu_num_ctrs {
            r0 |= 1 << 26 | u64::from(counters & 0x1f) << 27;
        }
        r0 |= u64::from(fields.l0gpt_block_delegate) << 32;
        r0 |= u64::from(fields.s2oasz) << 33;

        let [four, sixteen, sixty_four] = fields.granules;
        let mut r1 = u64::from(four) | u64::from(sixteen) << 1 | u64::from(sixty_four) << 2;
        r1 |= u64::from(fields.hashes.sha_256) << 3;
        r1 |= u64::from(fields.hashes.sha_384) << 4;
        r1 |= u64::from(fields.hashes.sha_512) << 5;
        r1 |= u64::from(fields.max_recs_order & 0xf) << 6;
        r1 |= u64::from(fields.l0gpt_bits.saturating_sub(30) & 0xf) << 10;
        r1 |= u64::from(fields.pps & 0x7) << 14;

        let mut r3 = u64::from(fields.max_aux_planes & 0xf);
        r3 |= (fields.rtt_planes as u64) << 4;
        r3 |= u64::from(fields.s2ap_indirect) << 6;
        Self {
            regs: [r0, r1, u64::from(fields.devices), r3, fields.mec_count],
        }
    }
}

impl fmt::Display for Hashes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [
            (self.sha_256, "SHA-256"),
            (self.sha_384, "SHA-384"),
            (self.sha_512, "SHA-512"),
        ];
        let mut separator = "";
        for (_, name) in names.iter().filter(|(there, _)| *there) {
            write!(f, "{separator}{name}")?;
            separator = "/";
        }
        if separator.is_empty() {
            f.write_str("no hash algorithm")?;
        }
        Ok(())
    }
}

impl fmt::Display for Features {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields = self.fields();
        write!(f, "IPA {} bits", fields.s2sz)?;
        if fields.s2oasz != 0 {
            write!(f, ", PA {} bits", fields.s2oasz)?;
        }
        if fields.lpa2 {
            f.write_str(", LPA2")?;
        }
        match fields.sve_vl {
            Some(vl) => write!(f, ", SVE {} bits", (u32::from(vl) + 1) * 128)?,
            None => f.write_str(", no SVE")?,
        }
        match fields.pmu_num_ctrs {
            Some(counters) => write!(f, ", PMU {counters} counters")?,
            None => f.write_str(", no PMU")?,
        }
        write!(
            f,
            ", {} breakpoints, {} watchpoints, at most {} RECs, {}, granules of",
            u32::from(fields.num_bps) + 1,
            u32::from(fields.num_wps) + 1,
            (1u32 << fields.max_recs_order) - 1,
            fields.hashes,
        )?;
        let [four, sixteen, sixty_four] = fields.granules;
        for (there, size) in [(four, 4), (sixteen, 16), (sixty_four, 64)] {
            if there {
                write!(f, " {size}")?;
            }
        }
        write!(f, " KiB, GPT regions of 2^{}", fields.l0gpt_bits)?;
        if fields.max_aux_planes != 0 {
            write!(f, ", {} auxiliary planes", fields.max_aux_planes)?;
        }
        if fields.devices {
            f.write_str(", devices")?;
        }
        if fields.mec_count != 0 {
            write!(f, ", {} encryption contexts", fields.mec_count)?;
        }
        Ok(())
    }
}
