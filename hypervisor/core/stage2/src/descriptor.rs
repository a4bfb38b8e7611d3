//! Descriptors (DDI0487 D8.3, stage 2, 4 KiB granule, without LPA2).

use addr::{GRANULE_SIZE, GranuleAddr};

use crate::Features;

/// Level of pages.
pub(crate) const LAST_LEVEL: u8 = 3;
/// Level of blocks of 2 MiB.
const BLOCK_LEVEL: u8 = 2;
/// Entries of a table.
pub(crate) const ENTRIES: usize = 512;
/// Address bits that one level resolves.
pub(crate) const LEVEL_BITS: u32 = 9;

const VALID: u64 = 1 << 0;
/// A table above level 3, a page at level 3; clear for a block.
const TABLE: u64 = 1 << 1;
const MEMATTR_SHIFT: u32 = 2;
/// Normal write-back whatever stage 1 says, with `HCR_EL2.FWB`.
const WRITE_BACK_FORCED: u64 = 0b0110 << MEMATTR_SHIFT;
/// Normal write-back, combined with stage 1, without.
const WRITE_BACK: u64 = 0b1111 << MEMATTR_SHIFT;
const READ_WRITE: u64 = 0b11 << 6;
const INNER_SHAREABLE: u64 = 0b11 << 8;
const ACCESSED: u64 = 1 << 10;
const ADDRESS: u64 = 0x0000_ffff_ffff_f000;

/// Size of what one leaf maps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Size {
    /// 4 KiB.
    Page,
    /// 2 MiB.
    Block,
}

impl Size {
    /// In bytes.
    pub const fn bytes(self) -> u64 {
        self.pages() as u64 * GRANULE_SIZE
    }

    /// In pages.
    pub const fn pages(self) -> usize {
        match self {
            Self::Page => 1,
            Self::Block => ENTRIES,
        }
    }

    /// The level of its leaves.
    pub(crate) const fn level(self) -> u8 {
        match self {
            Self::Page => LAST_LEVEL,
            Self::Block => BLOCK_LEVEL,
        }
    }

    /// The size whose leaves stand at `level`.
    const fn of_level(level: u8) -> Option<Self> {
        match level {
            LAST_LEVEL => Some(Self::Page),
            BLOCK_LEVEL => Some(Self::Block),
            _ => None,
        }
    }
}

/// What an entry holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Entry {
    /// Nothing.
    Invalid,
    /// The table of the next level.
    Table(GranuleAddr),
    /// Memory.
    Leaf(GranuleAddr, Size),
}

impl Entry {
    /// What the descriptor at `level` says. Tables hold only what is written
    /// here, so that a leaf of another size does not occur.
    pub(crate) fn decode(descriptor: u64, level: u8) -> Self {
        let Ok(address) = GranuleAddr::from_raw(descriptor & ADDRESS) else {
            return Self::Invalid;
        };
        let is_table = descriptor & TABLE != 0;
        match (descriptor & VALID != 0, is_table, Size::of_level(level)) {
            (true, true, Some(Size::Page)) => Self::Leaf(address, Size::Page),
            (true, true, _) => Self::Table(address),
            (true, false, Some(Size::Block)) => Self::Leaf(address, Size::Block),
            _ => Self::Invalid,
        }
    }

    /// Its descriptor.
    pub(crate) const fn encode(self, features: &Features) -> u64 {
        match self {
            Self::Invalid => 0,
            Self::Table(address) => address.raw() | TABLE | VALID,
            Self::Leaf(address, size) => {
                let cached = match features.fwb {
                    true => WRITE_BACK_FORCED,
                    false => WRITE_BACK,
                };
                let kind = match size {
                    Size::Page => TABLE,
                    Size::Block => 0,
                };
                address.raw() | cached | READ_WRITE | INNER_SHAREABLE | ACCESSED | kind | VALID
            }
        }
    }
}
