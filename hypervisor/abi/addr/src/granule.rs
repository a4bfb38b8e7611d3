//! Granules: the 4 KiB units in which memory changes worlds.

use crate::PhysAddr;
use core::fmt;

/// Bytes in a granule.
pub const GRANULE_SIZE: u64 = 1 << GRANULE_SHIFT;
/// Base-two logarithm of [`GRANULE_SIZE`].
pub const GRANULE_SHIFT: u32 = 12;

/// The physical address of a granule: 4 KiB aligned, checked where it is made.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct GranuleAddr(u64);

/// An address that should have been that of a granule is not 4 KiB aligned.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Misaligned(pub PhysAddr);

impl fmt::Display for Misaligned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is not a multiple of the 4 KiB granule", self.0)
    }
}

impl core::error::Error for Misaligned {}

impl GranuleAddr {
    /// The granule at `address`, if one starts there.
    pub const fn new(address: PhysAddr) -> Result<Self, Misaligned> {
        if address.is_aligned(GRANULE_SIZE) {
            Ok(Self(address.raw()))
        } else {
            Err(Misaligned(address))
        }
    }

    /// The granule at a raw address, if one starts there.
    pub const fn from_raw(raw: u64) -> Result<Self, Misaligned> {
        Self::new(PhysAddr::new(raw))
    }

    /// The granule that `address` lies in.
    pub const fn containing(address: PhysAddr) -> Self {
        Self(address.align_down(GRANULE_SIZE).raw())
    }

    /// Its first byte's address.
    pub const fn address(self) -> PhysAddr {
        PhysAddr::new(self.0)
    }

    /// The raw address.
    pub const fn raw(self) -> u64 {
        self.0
    }

    /// The page frame number.
    pub const fn number(self) -> u64 {
        self.0 >> GRANULE_SHIFT
    }

    /// The granule `count` places further, or `None` past the end.
    pub const fn checked_add(self, count: u64) -> Option<Self> {
        match count.checked_mul(GRANULE_SIZE) {
            Some(bytes) => match self.0.checked_add(bytes) {
                Some(raw) => Some(Self(raw)),
                None => None,
            },
            None => None,
        }
    }

    /// Whether its address is a multiple of `size`, a power of two.
    pub const fn is_aligned(self, size: u64) -> bool {
        self.0 & (size - 1) == 0
    }
}

impl fmt::Debug for GranuleAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "granule:{:#x}", self.0)
    }
}

impl fmt::Display for GranuleAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl From<GranuleAddr> for PhysAddr {
    fn from(granule: GranuleAddr) -> Self {
        granule.address()
    }
}
