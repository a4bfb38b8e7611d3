//! The tables of one VM.

use core::fmt;

use addr::{GRANULE_SIZE, GranuleAddr, Ipa, PhysAddr};
use realm::{Granules, Memory};
use vm_config::Geometry;

use crate::descriptor::{ENTRIES, Entry, LAST_LEVEL, LEVEL_BITS, Size};
use crate::{Features, Maintenance, Registers, Unsupported, Vmid};

/// Why something was not mapped or unmapped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MapError {
    /// No memory for a table.
    OutOfMemory,
    /// Something is mapped there.
    Occupied,
    /// The address is not aligned to the size, or past the end of the space.
    BadAddress,
}

impl fmt::Display for MapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OutOfMemory => "there is no memory for a stage-2 table: free some",
            Self::Occupied => "something is mapped there: this is a mistake of the hypervisor",
            Self::BadAddress => {
                "the address is unaligned or outside: this is a mistake of the hypervisor"
            }
        })
    }
}

/// What there is at an address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// Memory: the first byte of a leaf.
    Mapped(GranuleAddr, Size),
    /// Nothing, and room for a leaf of this size.
    Free(Size),
    /// Nothing, past the end of the address space.
    Outside,
}

/// Stage-2 tables. Their memory goes back by [`Tables::take_down`].
#[derive(Debug)]
#[must_use = "tables that are dropped keep their memory and that of the guest"]
pub struct Tables {
    root: GranuleAddr,
    geometry: Geometry,
    ipa_bits: u8,
    features: Features,
    registers: Registers,
}

/// An entry, by its place.
#[derive(Clone, Copy)]
struct Slot {
    table: GranuleAddr,
    index: usize,
    level: u8,
}

impl Tables {
    /// Empty tables for an IPA space of `ipa_bits`; `Ok(None)` if there is no
    /// memory.
    pub fn new(
        memory: &mut impl Memory,
        maintenance: &mut impl Maintenance,
        ipa_bits: u8,
        features: Features,
        vmid: &Vmid,
    ) -> Result<Option<Self>, Unsupported> {
        let geometry = features.geometry(ipa_bits)?;
        let Some(root) = memory.alloc_zeroed(geometry.tables().into()) else {
            return Ok(None);
        };
        maintenance.publish();
        let root = root.base();
        Ok(Some(Self {
            root,
            geometry,
            ipa_bits,
            features,
            registers: Registers {
                vtcr: features.vtcr(ipa_bits, geometry),
                vttbr: features.vttbr(root.raw(), vmid),
            },
        }))
    }

    /// What to load into the CPU for them.
    pub const fn registers(&self) -> Registers {
        self.registers
    }

    /// Maps `frame` at `ipa`, which maps nothing yet.
    pub fn map(
        &mut self,
        memory: &mut impl Memory,
        maintenance: &mut impl Maintenance,
        ipa: Ipa,
        frame: GranuleAddr,
        size: Size,
    ) -> Result<(), MapError> {
        if !ipa.is_aligned(size.bytes()) || !frame.is_aligned(size.bytes()) {
            return Err(MapError::BadAddress);
        }
        let mut slot = self.start(ipa).ok_or(MapError::BadAddress)?;
        while slot.level < size.level() {
            let table = match self.get(memory, slot) {
                Entry::Table(table) => table,
                Entry::Invalid => self.add_table(memory, maintenance, slot)?,
                Entry::Leaf(..) => return Err(MapError::Occupied),
            };
            slot = slot.below(table, ipa);
        }
        if self.get(memory, slot) != Entry::Invalid {
            return Err(MapError::Occupied);
        }
        self.put(memory, slot, Entry::Leaf(frame, size));
        maintenance.publish();
        Ok(())
    }

    /// Takes the leaf at `ipa` out, and returns what it mapped: after this no
    /// CPU can reach it by these tables.
    pub fn unmap(
        &mut self,
        memory: &mut impl Memory,
        maintenance: &mut impl Maintenance,
        ipa: Ipa,
    ) -> Option<(GranuleAddr, Size)> {
        let (slot, entry) = self.walk(memory, ipa)?;
        let Entry::Leaf(frame, size) = entry else {
            return None;
        };
        self.put(memory, slot, Entry::Invalid);
        maintenance.forget(&self.registers, ipa.align_down(size.bytes()));
        Some((frame, size))
    }

    /// Makes pages of the block at `ipa`, so that one of them can be unmapped.
    /// Does nothing where there are pages already.
    pub fn split(
        &mut self,
        memory: &mut impl Memory,
        maintenance: &mut impl Maintenance,
        ipa: Ipa,
    ) -> Result<(), MapError> {
        let (slot, entry) = self.walk(memory, ipa).ok_or(MapError::BadAddress)?;
        let Entry::Leaf(frame, Size::Block) = entry else {
            return Ok(());
        };
        let table = memory.alloc_zeroed(1).ok_or(MapError::OutOfMemory)?.base();
        for index in 0..ENTRIES {
            if let Some(page) = frame.checked_add(index as u64) {
                let page = Entry::Leaf(page, Size::Page).encode(&self.features);
                memory.put(table, index, page);
            }
        }
        self.put(memory, slot, Entry::Invalid);
        maintenance.forget(&self.registers, ipa.align_down(Size::Block.bytes()));
        maintenance.publish();
        self.put(memory, slot, Entry::Table(table));
        maintenance.publish();
        Ok(())
    }

    /// What there is at `ipa`.
    pub fn place(&self, memory: &impl Memory, ipa: Ipa) -> Place {
        match self.walk(memory, ipa) {
            Some((_, Entry::Leaf(frame, size))) => Place::Mapped(frame, size),
            Some((slot, _)) if slot.level <= Size::Block.level() => Place::Free(Size::Block),
            Some(_) => Place::Free(Size::Page),
            None => Place::Outside,
        }
    }

    /// Where in memory `ipa` is, for devices that read and write a guest's.
    pub fn translate(&self, memory: &impl Memory, ipa: Ipa) -> Option<PhysAddr> {
        match self.place(memory, ipa) {
            Place::Mapped(frame, size) => {
                let offset = ipa.raw() & (size.bytes() - 1);
                frame.address().checked_add(offset)
            }
            Place::Free(_) | Place::Outside => None,
        }
    }

    /// Gives everything back, the guest's memory and the tables, and returns how
    /// many pages that were. No CPU may have these tables loaded.
    pub fn take_down(self, memory: &mut impl Memory, maintenance: &mut impl Maintenance) -> u64 {
        maintenance.forget_all(&self.registers);
        let mut pages = 0;
        for table in 0..u64::from(self.geometry.tables()) {
            if let Some(table) = self.root.checked_add(table) {
                pages += self.empty(memory, table, self.geometry.start_level());
                free(memory, table, 1);
                pages += 1;
            }
        }
        pages
    }

    /// Gives back what a table leads to, some three levels deep at most.
    fn empty(&self, memory: &mut impl Memory, table: GranuleAddr, level: u8) -> u64 {
        let mut pages = 0;
        for index in 0..ENTRIES {
            let slot = Slot {
                table,
                index,
                level,
            };
            match self.get(memory, slot) {
                Entry::Invalid => {}
                Entry::Leaf(frame, size) => {
                    free(memory, frame, size.pages());
                    pages += size.pages() as u64;
                }
                Entry::Table(below) => {
                    pages += self.empty(memory, below, level + 1) + 1;
                    free(memory, below, 1);
                }
            }
        }
        pages
    }

    fn add_table(
        &mut self,
        memory: &mut impl Memory,
        maintenance: &mut impl Maintenance,
        slot: Slot,
    ) -> Result<GranuleAddr, MapError> {
        let table = memory.alloc_zeroed(1).ok_or(MapError::OutOfMemory)?.base();
        // Zero for every walk before one can come by it.
        maintenance.publish();
        self.put(memory, slot, Entry::Table(table));
        Ok(table)
    }

    /// The entry of the start level for `ipa`.
    fn start(&self, ipa: Ipa) -> Option<Slot> {
        if ipa.raw() >> self.ipa_bits != 0 {
            return None;
        }
        let level = self.geometry.start_level();
        // Concatenated tables are one table of more entries.
        let entry = ipa.raw() >> shift(level);
        Some(Slot {
            table: self.root.checked_add(entry >> LEVEL_BITS)?,
            index: entry as usize % ENTRIES,
            level,
        })
    }

    /// The last entry on the way to `ipa`: a leaf, or nothing.
    fn walk(&self, memory: &impl Memory, ipa: Ipa) -> Option<(Slot, Entry)> {
        let mut slot = self.start(ipa)?;
        loop {
            match self.get(memory, slot) {
                Entry::Table(table) if slot.level < LAST_LEVEL => slot = slot.below(table, ipa),
                entry => return Some((slot, entry)),
            }
        }
    }

    fn get(&self, memory: &impl Memory, slot: Slot) -> Entry {
        Entry::decode(memory.get(slot.table, slot.index), slot.level)
    }

    fn put(&self, memory: &mut impl Memory, slot: Slot, entry: Entry) {
        memory.put(slot.table, slot.index, entry.encode(&self.features));
    }
}

impl Slot {
    /// The entry for `ipa` in the table that this one leads to.
    const fn below(self, table: GranuleAddr, ipa: Ipa) -> Self {
        let level = self.level + 1;
        Self {
            table,
            index: (ipa.raw() >> shift(level)) as usize % ENTRIES,
            level,
        }
    }
}

/// The lowest address bit that a level resolves.
const fn shift(level: u8) -> u32 {
    GRANULE_SIZE.trailing_zeros() + LEVEL_BITS * (LAST_LEVEL - level) as u32
}

fn free(memory: &mut impl Memory, base: GranuleAddr, count: usize) {
    if let Some(run) = Granules::from_allocator(base, count) {
        memory.free(run);
    }
}
