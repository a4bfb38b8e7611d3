//! One entry of an RTT.
//!
//! Valid entries are stage 2 descriptors (DDI0487 D8.3, 4 KiB granule, DS=0,
//! HCR_EL2.FWB=1, bit 55 = Non-secure output). Invalid ones (bit 0 clear)
//! carry what DEN0137 A5 calls HIPAS in bits 4:2 and RIPAS in bits 6:5, and
//! the output address where one is assigned. An entry of zero is unassigned
//! and empty, so a scrubbed granule is a table of nothing.
//!
//! Whether an entry lies in the protected half is not written in it: the
//! caller knows from the IPA.

use ::rmi::rtt::{IpaHalf, LAST_LEVEL, Ripas, entry_size};
use addr::{GranuleAddr, PhysAddr};

const VALID: u64 = 1 << 0;
/// Bit 1: table at levels 0 to 2, page at level 3; clear in a block.
const TABLE_OR_PAGE: u64 = 1 << 1;
const ADDRESS_MASK: u64 = 0x0000_ffff_ffff_f000;
const ACCESS_FLAG: u64 = 1 << 10;
const INNER_SHAREABLE: u64 = 0b11 << 8;
const READ_WRITE: u64 = 0b11 << 6;
/// MemAttr with FWB: Normal, write-back.
const WRITE_BACK: u64 = 0b110 << 2;
const NON_SECURE: u64 = 1 << 55;
const EXECUTE_NEVER: u64 = 1 << 54;

const HIPAS_SHIFT: u32 = 2;
const HIPAS_MASK: u64 = 0b111;
const HIPAS_ASSIGNED: u64 = 1;
const RIPAS_SHIFT: u32 = 5;
const RIPAS_MASK: u64 = 0b11;

/// Bits of a descriptor that the host chooses for an unprotected mapping,
/// besides the address: MemAttr and S2AP.
pub const NS_DESC_MASK: u64 = 0b111 << 2 | 0b11 << 6;

/// What an entry says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Entry {
    /// Protected half: nothing is there.
    Unassigned(Ripas),
    /// Protected half: memory of the Realm.
    Assigned {
        /// The page, or the first of the block.
        granule: GranuleAddr,
        /// What the Realm sees there; only RAM is accessible.
        ripas: Ripas,
    },
    /// A table of the next level.
    Table(GranuleAddr),
    /// Unprotected half: nothing is there.
    UnassignedNs,
    /// Unprotected half: memory of the host.
    AssignedNs {
        /// Address, MemAttr and S2AP as the host gave them.
        desc: u64,
    },
}

impl Entry {
    /// Reads an entry of a table at `level` in `half`.
    pub fn decode(raw: u64, level: i8, half: IpaHalf) -> Self {
        let address = GranuleAddr::containing(PhysAddr::new(raw & ADDRESS_MASK));
        if raw & VALID == 0 {
            if half == IpaHalf::Unprotected {
                return Self::UnassignedNs;
            }
            let ripas = match (raw >> RIPAS_SHIFT) & RIPAS_MASK {
                0 => Ripas::Empty,
                1 => Ripas::Ram,
                _ => Ripas::Destroyed,
            };
            return if (raw >> HIPAS_SHIFT) & HIPAS_MASK == HIPAS_ASSIGNED {
                Self::Assigned {
                    granule: address,
                    ripas,
                }
            } else {
                Self::Unassigned(ripas)
            };
        }
        if level < LAST_LEVEL && raw & TABLE_OR_PAGE != 0 {
            return Self::Table(address);
        }
        match half {
            IpaHalf::Unprotected => Self::AssignedNs {
                desc: raw & (ADDRESS_MASK | NS_DESC_MASK),
            },
            IpaHalf::Protected => Self::Assigned {
                granule: address,
                ripas: Ripas::Ram,
            },
        }
    }

    /// Writes the entry for a table at `level`.
    pub fn encode(self, level: i8) -> u64 {
        let leaf = VALID
            | if level == LAST_LEVEL {
                TABLE_OR_PAGE
            } else {
                0
            };
        match self {
            Self::Unassigned(ripas) => (ripas as u64) << RIPAS_SHIFT,
            Self::Assigned {
                granule,
                ripas: Ripas::Ram,
            } => granule.raw() | leaf | ACCESS_FLAG | INNER_SHAREABLE | READ_WRITE | WRITE_BACK,
            Self::Assigned { granule, ripas } => {
                granule.raw() | HIPAS_ASSIGNED << HIPAS_SHIFT | (ripas as u64) << RIPAS_SHIFT
            }
            Self::Table(granule) => granule.raw() | VALID | TABLE_OR_PAGE,
            Self::UnassignedNs => 0,
            Self::AssignedNs { desc } => {
                desc | leaf | ACCESS_FLAG | INNER_SHAREABLE | NON_SECURE | EXECUTE_NEVER
            }
        }
    }

    /// Nothing, in the state that a half starts in.
    pub const fn nothing(half: IpaHalf) -> Self {
        match half {
            IpaHalf::Protected => Self::Unassigned(Ripas::Empty),
            IpaHalf::Unprotected => Self::UnassignedNs,
        }
    }

    /// Whether hardware translates through it to memory.
    pub const fn is_mapped(self) -> bool {
        matches!(
            self,
            Self::Assigned {
                ripas: Ripas::Ram,
                ..
            } | Self::AssignedNs { .. }
        )
    }

    /// Whether it maps something or leads somewhere: what `top` outputs stop at.
    pub const fn is_live(self) -> bool {
        !matches!(self, Self::Unassigned(_) | Self::UnassignedNs)
    }

    /// Whether it keeps its table from being destroyed.
    pub const fn holds_table(self) -> bool {
        matches!(self, Self::Assigned { .. } | Self::Table(_))
    }

    /// What the Realm sees at a protected address; `None` elsewhere.
    pub const fn ripas(self) -> Option<Ripas> {
        match self {
            Self::Unassigned(ripas) | Self::Assigned { ripas, .. } => Some(ripas),
            _ => None,
        }
    }

    /// The `index`th entry of the table at `level` that unfolds this leaf of
    /// the level above; `None` for a table or past the end of memory.
    pub fn unfold(self, level: i8, index: u64) -> Option<Self> {
        let offset = entry_size(level).checked_mul(index)?;
        Some(match self {
            Self::Table(_) => return None,
            Self::Assigned { granule, ripas } => Self::Assigned {
                granule: GranuleAddr::from_raw(granule.raw().checked_add(offset)?).ok()?,
                ripas,
            },
            Self::AssignedNs { desc } => Self::AssignedNs {
                desc: desc.checked_add(offset)?,
            },
            Self::Unassigned(_) | Self::UnassignedNs => self,
        })
    }

    /// The output address of a mapping, tables excepted.
    pub fn output(self) -> Option<PhysAddr> {
        match self {
            Self::Assigned { granule, .. } => Some(granule.address()),
            Self::AssignedNs { desc } => Some(PhysAddr::new(desc & ADDRESS_MASK)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use IpaHalf::{Protected, Unprotected};

    fn granule(raw: u64) -> GranuleAddr {
        GranuleAddr::from_raw(raw).unwrap()
    }

    #[test]
    fn a_page_of_ram_is_the_architectures_descriptor() {
        let entry = Entry::Assigned {
            granule: granule(0x8000_0000),
            ripas: Ripas::Ram,
        };
        // AF, inner shareable, read-write, write-back; page, then block.
        assert_eq!(entry.encode(3), 0x8000_0000 | 0x7db);
        assert_eq!(entry.encode(2), 0x8000_0000 | 0x7d9);
    }

    #[test]
    fn an_unprotected_page_is_non_secure_and_never_executable() {
        let entry = Entry::AssignedNs {
            desc: 0x9000_0000 | 0xd8,
        };
        assert_eq!(entry.encode(3), 0x00c0_0000_9000_0000 | 0x7db);
    }

    #[test]
    fn zero_is_nothing_in_either_half() {
        assert_eq!(Entry::nothing(Protected).encode(3), 0);
        assert_eq!(Entry::nothing(Unprotected).encode(2), 0);
        assert_eq!(Entry::decode(0, 3, Protected), Entry::nothing(Protected));
    }

    #[test]
    fn every_entry_survives_its_encoding_and_only_mapped_ones_are_valid() {
        for ripas in [Ripas::Empty, Ripas::Ram, Ripas::Destroyed] {
            for level in 1..=3 {
                let assigned = Entry::Assigned {
                    granule: granule(0x1234_4000_0000),
                    ripas,
                };
                for entry in [Entry::Unassigned(ripas), assigned] {
                    let raw = entry.encode(level);
                    assert_eq!(Entry::decode(raw, level, Protected), entry);
                    assert_eq!(raw & 1 != 0, entry.is_mapped());
                }
            }
        }
        let table = Entry::Table(granule(0x5000));
        assert_eq!(Entry::decode(table.encode(2), 2, Protected), table);
        assert_eq!(Entry::decode(table.encode(1), 1, Unprotected), table);
        let ns = Entry::AssignedNs {
            desc: 0x4000_0000 | 0x44,
        };
        assert_eq!(Entry::decode(ns.encode(1), 1, Unprotected), ns);
    }
}
