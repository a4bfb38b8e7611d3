//! The walk, and the runs of entries that the commands report.

use super::{ENTRIES, Entry, RealmSpace};
use crate::hal::Hal;
use ::rmi::rtt::{IpaHalf, LAST_LEVEL, entry_size};
use addr::{GranuleAddr, Ipa};

/// Where a walk ended: the entry it stopped at. The lock of the Realm's RD is
/// held for as long as this is used; it covers all of the Realm's tables.
#[derive(Clone, Copy, Debug)]
pub struct Walk {
    /// The table of that entry.
    pub table: GranuleAddr,
    /// The entry's place in it.
    pub index: usize,
    /// The table's level.
    pub level: i8,
    /// The half of the IPA space.
    pub half: IpaHalf,
    /// The entry.
    pub entry: Entry,
}

fn index_at(ipa: Ipa, level: i8) -> u64 {
    ipa.raw() / entry_size(level).max(1)
}

impl Walk {
    /// Walks towards `ipa` until `level`, or until the tables end. `None` past
    /// the end of the space.
    pub fn to<H: Hal>(hal: &H, space: &RealmSpace, ipa: Ipa, level: i8) -> Option<Self> {
        let half = space.half(ipa)?;
        let start = index_at(ipa, space.start_level);
        let mut walk = Self {
            table: space.base.checked_add(start / ENTRIES as u64)?,
            index: start as usize % ENTRIES,
            level: space.start_level,
            half,
            entry: Entry::nothing(half),
        };
        walk.reload(hal);
        while let (true, Entry::Table(table)) = (walk.level < level.min(LAST_LEVEL), walk.entry) {
            walk.table = table;
            walk.level += 1;
            walk.index = index_at(ipa, walk.level) as usize % ENTRIES;
            walk.reload(hal);
        }
        Some(walk)
    }

    /// Walks as deep as the tables go.
    pub fn to_leaf<H: Hal>(hal: &H, space: &RealmSpace, ipa: Ipa) -> Option<Self> {
        Self::to(hal, space, ipa, LAST_LEVEL)
    }

    fn reload<H: Hal>(&mut self, hal: &H) {
        self.entry = self.read(hal, self.index);
    }

    /// Reads another entry of the table.
    pub fn read<H: Hal>(&self, hal: &H, index: usize) -> Entry {
        Entry::decode(hal.rtte_read(self.table, index), self.level, self.half)
    }

    /// Replaces the entry. The caller cares for the TLBs.
    pub fn write<H: Hal>(&mut self, hal: &H, entry: Entry) {
        hal.rtte_write(self.table, self.index, entry.encode(self.level));
        self.entry = entry;
    }

    /// Bytes that the entry maps.
    pub fn size(&self) -> u64 {
        entry_size(self.level)
    }

    /// Goes on to the next entry of the same table.
    pub fn next<H: Hal>(&mut self, hal: &H) -> bool {
        if self.index + 1 >= ENTRIES {
            return false;
        }
        self.index += 1;
        self.reload(hal);
        true
    }

    /// The end of the run of entries that are not live, from the one `ipa`
    /// lies in to the end of its table: where a host may go on.
    pub fn skip_not_live<H: Hal>(&self, hal: &H, ipa: Ipa) -> Ipa {
        let skipped = (self.index..ENTRIES)
            .take_while(|index| !self.read(hal, *index).is_live())
            .count();
        let start = ipa.align_down(self.size().max(1));
        start
            .checked_add(self.size().saturating_mul(skipped as u64))
            .unwrap_or(ipa)
            .max(ipa)
    }
}
