//! The bits of table entries (DDI0487 D9, granule protection table formats).

use addr::{GranuleAddr, Pas, PhysAddr};

/// Granules that one level-1 word describes.
pub const GRANULES_PER_WORD: u64 = 16;

/// Granule protection information: who may access a granule.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[repr(u8)]
pub enum Gpi {
    /// Nobody.
    None = 0x0,
    /// The Secure physical address space.
    Secure = 0x8,
    /// The Non-secure physical address space.
    NonSecure = 0x9,
    /// The Root physical address space.
    Root = 0xa,
    /// The Realm physical address space.
    Realm = 0xb,
    /// Non-secure accesses only (`FEAT_RME_GPC2`).
    NonSecureOnly = 0xd,
    /// Everybody.
    Any = 0xf,
}

impl Gpi {
    /// The value that four bits stand for, unless they are reserved.
    pub const fn from_bits(bits: u8) -> Option<Self> {
        Some(match bits {
            0x0 => Self::None,
            0x8 => Self::Secure,
            0x9 => Self::NonSecure,
            0xa => Self::Root,
            0xb => Self::Realm,
            0xd => Self::NonSecureOnly,
            0xf => Self::Any,
            _ => return None,
        })
    }

    /// The four bits.
    pub const fn bits(self) -> u8 {
        self as u8
    }

    /// What gives a granule to exactly one address space.
    pub const fn of(pas: Pas) -> Self {
        match pas {
            Pas::NonSecure => Self::NonSecure,
            Pas::Secure => Self::Secure,
            Pas::Realm => Self::Realm,
            Pas::Root => Self::Root,
        }
    }
}

/// A level-0 entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum L0Entry {
    /// One answer for everything the entry covers.
    Block(Gpi),
    /// A level-1 table at this address.
    Table(PhysAddr),
    /// Bits that mean neither: accesses fault.
    Invalid(u64),
}

const L0_BLOCK: u64 = 0x1;
const L0_TABLE: u64 = 0x3;
const TYPE_MASK: u64 = 0xf;
const TABLE_ADDRESS: u64 = 0x000f_ffff_ffff_f000;

impl L0Entry {
    /// Reads an entry.
    pub const fn decode(raw: u64) -> Self {
        match raw & TYPE_MASK {
            L0_BLOCK => match Gpi::from_bits((raw >> 4 & 0xf) as u8) {
                Some(gpi) => Self::Block(gpi),
                None => Self::Invalid(raw),
            },
            L0_TABLE => Self::Table(PhysAddr::new(raw & TABLE_ADDRESS)),
            _ => Self::Invalid(raw),
        }
    }

    /// The entry's bits.
    pub const fn encode(self) -> u64 {
        match self {
            Self::Block(gpi) => L0_BLOCK | (gpi.bits() as u64) << 4,
            Self::Table(table) => L0_TABLE | (table.raw() & TABLE_ADDRESS),
            Self::Invalid(raw) => raw,
        }
    }
}

/// A level-1 granules descriptor: sixteen answers of four bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Word(pub u64);

impl Word {
    /// The same answer for all sixteen granules.
    pub const fn uniform(gpi: Gpi) -> Self {
        Self(0x1111_1111_1111_1111 * gpi.bits() as u64)
    }

    const fn shift(granule: GranuleAddr) -> u32 {
        (granule.number() % GRANULES_PER_WORD) as u32 * 4
    }

    /// The answer for `granule`, if its bits are not reserved.
    pub const fn get(self, granule: GranuleAddr) -> Option<Gpi> {
        Gpi::from_bits((self.0 >> Self::shift(granule) & 0xf) as u8)
    }

    /// This word with the answer for `granule` replaced.
    #[must_use]
    pub const fn with(self, granule: GranuleAddr, gpi: Gpi) -> Self {
        let shift = Self::shift(granule);
        Self(self.0 & !(0xf << shift) | (gpi.bits() as u64) << shift)
    }

    /// How many of the sixteen granules have this answer.
    pub const fn count(self, gpi: Gpi) -> u64 {
        // A nibble of `differs` is zero where the answer matches; fold its
        // four bits into the lowest and count what stayed clear.
        let differs = self.0 ^ Self::uniform(gpi).0;
        let any = (differs | differs >> 1 | differs >> 2 | differs >> 3) & 0x1111_1111_1111_1111;
        GRANULES_PER_WORD - any.count_ones() as u64
    }
}
