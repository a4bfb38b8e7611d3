//! The address spaces, and what every address in one can do.

use core::fmt;

/// What physical and intermediate physical addresses have in common.
pub trait Address: Copy + Ord + fmt::Debug {
    /// Wraps a raw value of this space.
    fn from_raw(raw: u64) -> Self;
    /// The raw value, for registers and descriptors.
    fn raw(self) -> u64;
}

macro_rules! address {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        #[repr(transparent)]
        pub struct $name(u64);

        impl $name {
            /// Wraps a raw value; every 64-bit value is an address.
            pub const fn new(raw: u64) -> Self {
                Self(raw)
            }

            /// The raw value, for registers and descriptors.
            pub const fn raw(self) -> u64 {
                self.0
            }

            /// This address plus `bytes`, or `None` past the end of the space.
            pub const fn checked_add(self, bytes: u64) -> Option<Self> {
                match self.0.checked_add(bytes) {
                    Some(sum) => Some(Self(sum)),
                    None => None,
                }
            }

            /// Bytes from `base` up to this address, or `None` if it lies below.
            pub const fn offset_from(self, base: Self) -> Option<u64> {
                self.0.checked_sub(base.0)
            }

            /// Whether this is a multiple of `size`, a power of two.
            pub const fn is_aligned(self, size: u64) -> bool {
                self.0 & (size - 1) == 0
            }

            /// The highest multiple of `size`, a power of two, not above this.
            pub const fn align_down(self, size: u64) -> Self {
                Self(self.0 & !(size - 1))
            }

            /// The lowest multiple of `size`, a power of two, not below this.
            pub const fn align_up(self, size: u64) -> Option<Self> {
                match self.0.checked_add(size - 1) {
                    Some(sum) => Some(Self(sum & !(size - 1))),
                    None => None,
                }
            }
        }

        impl super::Address for $name {
            fn from_raw(raw: u64) -> Self {
                Self(raw)
            }
            fn raw(self) -> u64 {
                self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, ":{:#x}"), self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(self, f)
            }
        }
    };
}

address! {
    /// A physical address.
    PhysAddr, "pa"
}

address! {
    /// An intermediate physical address: what a guest takes for physical.
    Ipa, "ipa"
}

/// A physical address space of the Realm Management Extension.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Pas {
    /// Memory of the normal world.
    NonSecure,
    /// Memory of the Secure world.
    Secure,
    /// Memory of Realms and of the RMM.
    Realm,
    /// Memory of EL3.
    Root,
}
