//! Interface revisions (DEN0137, `RMI_VERSION`).

use core::fmt;

/// A revision of RMI or RSI: major in bits 30:16, minor in bits 15:0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(u32);

impl Version {
    /// RMI 1.0.
    pub const V1_0: Self = Self::new(1, 0);
    /// RMI 2.0.
    pub const V2_0: Self = Self::new(2, 0);

    /// The revision `major.minor`; a major above 0x7fff loses its top bit.
    pub const fn new(major: u16, minor: u16) -> Self {
        Self(((major as u32 & 0x7fff) << 16) | minor as u32)
    }

    /// Decodes a register; bits above 30 are reserved and ignored.
    pub const fn from_raw(raw: u64) -> Self {
        Self((raw & 0x7fff_ffff) as u32)
    }

    /// The register value.
    pub const fn raw(self) -> u64 {
        self.0 as u64
    }

    /// The major revision.
    pub const fn major(self) -> u16 {
        (self.0 >> 16) as u16
    }

    /// The minor revision.
    pub const fn minor(self) -> u16 {
        (self.0 & 0xffff) as u16
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major(), self.minor())
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
