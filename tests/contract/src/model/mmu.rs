//! Stage 2 as hardware does it: DDI0487 D8.3 for the 4 KiB granule with DS=0,
//! HCR_EL2.FWB=1 in the Realm security state.

use addr::{GranuleAddr, Pas, PhysAddr};
use rmm_core::{Stage2, TlbScope};
use std::collections::HashMap;

/// What an access wants to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// Load.
    Read,
    /// Store.
    Write,
    /// Fetch an instruction.
    Execute,
}

/// The fault status of an access that failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fault(pub u64);

impl Fault {
    const fn translation(level: i8) -> Self {
        Self(0x04 + level as u64)
    }

    const fn access_flag(level: i8) -> Self {
        Self(0x08 + level as u64)
    }

    const fn permission(level: i8) -> Self {
        Self(0x0c + level as u64)
    }

    /// The granule is in another physical address space.
    pub const fn granule_protection() -> Self {
        Self(0x28)
    }
}

/// What a walk found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Translation {
    descriptor: u64,
    level: i8,
}

const fn shift(level: i8) -> u32 {
    12 + 9 * (3 - level) as u32
}

impl Translation {
    /// The physical address space of the output.
    pub const fn pas(self) -> Pas {
        if self.descriptor >> 55 & 1 != 0 {
            Pas::NonSecure
        } else {
            Pas::Realm
        }
    }

    /// The output address for an input in the same entry.
    pub const fn address(self, ipa: u64) -> PhysAddr {
        let offset = (1 << shift(self.level)) - 1;
        PhysAddr::new(self.descriptor & 0x0000_ffff_ffff_f000 & !offset | ipa & offset)
    }

    /// Checks the access permissions.
    pub const fn permit(self, access: Access) -> Result<(), Fault> {
        let allowed = match access {
            Access::Read => self.descriptor >> 6 & 1 != 0,
            Access::Write => self.descriptor >> 7 & 1 != 0,
            Access::Execute => self.descriptor >> 6 & 1 != 0 && self.descriptor >> 54 & 1 == 0,
        };
        if allowed {
            Ok(())
        } else {
            Err(Fault::permission(self.level))
        }
    }
}

/// Walks the tables that `stage2` points at.
pub fn walk(
    stage2: &Stage2,
    ipa: u64,
    read: impl Fn(GranuleAddr, usize) -> u64,
) -> Result<Translation, Fault> {
    let input_bits = 64 - (stage2.vtcr & 0x3f);
    let mut level: i8 = match stage2.vtcr >> 6 & 0b11 {
        0 => 2,
        1 => 1,
        2 => 0,
        _ => panic!("VTCR_EL2 has a reserved start level"),
    };
    assert!(stage2.vtcr >> 31 & 1 == 1, "VTCR_EL2 lacks its RES1 bit");
    let start = level;
    if ipa >> input_bits != 0 {
        return Err(Fault::translation(0));
    }
    // Concatenated start tables are one large table, aligned to its size.
    let entries = (1u64 << input_bits >> shift(level)).max(1);
    let base = stage2.vttbr & 0x0000_ffff_ffff_fffe;
    assert!(
        base.is_multiple_of((entries * 8).min(16 << 12)),
        "VTTBR_EL2 is not aligned to the start tables"
    );
    let mut table = base;
    loop {
        let mut index = ipa >> shift(level);
        if level != start {
            index &= 511;
        }
        let at = PhysAddr::new(table + index * 8);
        let granule = GranuleAddr::containing(at);
        let descriptor = read(granule, ((at.raw() & 0xfff) / 8) as usize);
        match (descriptor & 0b11, level) {
            (0b11, 3) | (0b01, 1 | 2) => {
                if descriptor >> 10 & 1 == 0 {
                    return Err(Fault::access_flag(level));
                }
                return Ok(Translation { descriptor, level });
            }
            (0b11, _) => {
                table = descriptor & 0x0000_ffff_ffff_f000;
                level += 1;
            }
            _ => return Err(Fault::translation(level)),
        }
    }
}

/// Translations that hardware remembers until it is told to forget them.
#[derive(Debug, Default)]
pub struct Tlb {
    entries: HashMap<(u64, u64), Translation>,
}

impl Tlb {
    const fn key(stage2: &Stage2, ipa: u64) -> (u64, u64) {
        (stage2.vttbr >> 48, ipa >> 12)
    }

    /// A remembered translation.
    pub fn find(&self, stage2: &Stage2, ipa: u64) -> Option<Translation> {
        self.entries.get(&Self::key(stage2, ipa)).copied()
    }

    /// Remembers a translation.
    pub fn insert(&mut self, stage2: &Stage2, ipa: u64, translation: Translation) {
        self.entries.insert(Self::key(stage2, ipa), translation);
    }

    /// Forgets.
    pub fn invalidate(&mut self, stage2: &Stage2, scope: TlbScope) {
        let (vmid, _) = Self::key(stage2, 0);
        self.entries.retain(|(owner, page), _| {
            let covered = match scope {
                TlbScope::All => true,
                TlbScope::Leaf { ipa, level } => (page << 12 ^ ipa.raw()) >> shift(level) == 0,
            };
            *owner != vmid || !covered
        });
    }
}
