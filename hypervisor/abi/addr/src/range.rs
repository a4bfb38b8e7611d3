//! Half-open ranges of one address space.

use crate::{Address, Ipa, PhysAddr};
use core::fmt;

/// Bytes `base..top` of one address space; never empty, never wrapping.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Range<A> {
    base: A,
    top: A,
}

/// A range of physical addresses.
pub type PhysRange = Range<PhysAddr>;
/// A range of intermediate physical addresses.
pub type IpaRange = Range<Ipa>;

/// Two bounds that do not make a range.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BadRange {
    /// The lower bound as given.
    pub base: u64,
    /// The upper bound as given, or what the size would have made it.
    pub top: u64,
}

impl fmt::Display for BadRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:#x}..{:#x} is not a range: its end must lie above its start",
            self.base, self.top
        )
    }
}

impl core::error::Error for BadRange {}

impl<A: Address> Range<A> {
    /// The range `base..top`.
    pub fn new(base: A, top: A) -> Result<Self, BadRange> {
        if base < top {
            Ok(Self { base, top })
        } else {
            Err(BadRange {
                base: base.raw(),
                top: top.raw(),
            })
        }
    }

    /// The range of `size` bytes from `base`.
    pub fn with_size(base: A, size: u64) -> Result<Self, BadRange> {
        let top = base.raw().wrapping_add(size);
        Self::new(base, A::from_raw(top))
    }

    /// The first address.
    pub fn base(self) -> A {
        self.base
    }

    /// The first address past the end.
    pub fn top(self) -> A {
        self.top
    }

    /// Bytes in the range.
    pub fn size(self) -> u64 {
        self.top.raw() - self.base.raw()
    }

    /// Whether `address` lies inside.
    pub fn contains(self, address: A) -> bool {
        self.base <= address && address < self.top
    }

    /// Whether all of `other` lies inside.
    pub fn encloses(self, other: Self) -> bool {
        self.base <= other.base && other.top <= self.top
    }

    /// Whether the two share a byte.
    pub fn overlaps(self, other: Self) -> bool {
        self.base < other.top && other.base < self.top
    }

    /// What the two share.
    pub fn intersection(self, other: Self) -> Option<Self> {
        Self::new(self.base.max(other.base), self.top.min(other.top)).ok()
    }

    /// Whether both ends are multiples of `size`, a power of two.
    pub fn is_aligned(self, size: u64) -> bool {
        (self.base.raw() | self.top.raw()) & (size - 1) == 0
    }
}

impl<A: Address> fmt::Debug for Range<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}..{:#x}", self.base, self.top.raw())
    }
}

impl<A: Address> fmt::Display for Range<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
