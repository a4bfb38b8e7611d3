//! Feature register 0 of RMI 1.0 (DEN0137, `RmiFeatureRegister0`).

use core::fmt;

/// Feature register 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Features0 {
    raw: u64,
}

/// The fields of [`Features0`] as an RMM sets them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Features0Fields {
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
    /// SHA-256 measurements.
    pub hash_sha_256: bool,
    /// SHA-512 measurements.
    pub hash_sha_512: bool,
    /// List registers minus one.
    pub gicv3_num_lrs: u8,
    /// A Realm may have `2^n - 1` RECs.
    pub max_recs_order: u8,
}

const fn field(raw: u64, low: u32, bits: u32) -> u8 {
    ((raw >> low) & ((1 << bits) - 1)) as u8
}

impl Features0 {
    /// Wraps the register.
    pub const fn from_raw(raw: u64) -> Self {
        Self { raw }
    }

    /// The register.
    pub const fn raw(self) -> u64 {
        self.raw
    }

    /// Decodes the register.
    pub const fn fields(self) -> Features0Fields {
        let raw = self.raw;
        Features0Fields {
            s2sz: field(raw, 0, 8),
            lpa2: field(raw, 8, 1) != 0,
            sve_vl: if field(raw, 9, 1) != 0 {
                Some(field(raw, 10, 4))
            } else {
                None
            },
            num_bps: field(raw, 14, 6),
            num_wps: field(raw, 20, 6),
            pmu_num_ctrs: if field(raw, 26, 1) != 0 {
                Some(field(raw, 27, 5))
            } else {
                None
            },
            hash_sha_256: field(raw, 32, 1) != 0,
            hash_sha_512: field(raw, 33, 1) != 0,
            gicv3_num_lrs: field(raw, 34, 4),
            max_recs_order: field(raw, 38, 4),
        }
    }
}

impl From<Features0Fields> for Features0 {
    fn from(fields: Features0Fields) -> Self {
        let mut raw = u64::from(fields.s2sz);
        raw |= u64::from(fields.lpa2) << 8;
        if let Some(vl) = fields.sve_vl {
            raw |= 1 << 9 | u64::from(vl & 0xf) << 10;
        }
        raw |= u64::from(fields.num_bps & 0x3f) << 14;
        raw |= u64::from(fields.num_wps & 0x3f) << 20;
        if let Some(counters) = fields.pmu_num_ctrs {
            raw |= 1 << 26 | u64::from(counters & 0x1f) << 27;
        }
        raw |= u64::from(fields.hash_sha_256) << 32;
        raw |= u64::from(fields.hash_sha_512) << 33;
        raw |= u64::from(fields.gicv3_num_lrs & 0xf) << 34;
        raw |= u64::from(fields.max_recs_order & 0xf) << 38;
        Self { raw }
    }
}

impl fmt::Display for Features0 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields = self.fields();
        write!(f, "IPA {} bits", fields.s2sz)?;
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
            ", {} breakpoints, {} watchpoints, {} list registers, at most {} RECs,",
            u32::from(fields.num_bps) + 1,
            u32::from(fields.num_wps) + 1,
            u32::from(fields.gicv3_num_lrs) + 1,
            (1u32 << fields.max_recs_order) - 1,
        )?;
        match (fields.hash_sha_256, fields.hash_sha_512) {
            (true, true) => f.write_str(" SHA-256 and SHA-512"),
            (true, false) => f.write_str(" SHA-256"),
            (false, true) => f.write_str(" SHA-512"),
            (false, false) => f.write_str(" no hash algorithm"),
        }
    }
}
