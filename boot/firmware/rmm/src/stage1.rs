//! The RMM's own translation tables (Realm EL2&0 regime, 4 KiB granule, 48 bits; DDI0487, D8).
//!
//! Two linear views of memory exist: the identity view reaches the Realm
//! physical address space, and the view [`NS_OFFSET`] above it reaches the
//! Non-secure one. An access through the wrong view takes a granule protection
//! fault, whatever the granule's state, so no mapping changes after boot.
//!
//! Nothing is ever remapped: mapping a page twice is an error, which keeps the
//! permissions of the image from being widened by a later mapping.

use core::fmt;

/// What is added to a physical address to reach it as Non-secure memory.
pub const NS_OFFSET: u64 = 1 << 47;
/// Bytes in a page.
pub const PAGE: u64 = 4096;

const ENTRIES: usize = 512;
const VA_BITS: u32 = 48;
const LEVEL_MAX: u32 = 3;
const VALID: u64 = 1;
const TABLE_OR_PAGE: u64 = 1 << 1;
const ATTR_NORMAL: u64 = 1 << 2;
const NS: u64 = 1 << 5;
const READ_ONLY: u64 = 1 << 7;
const INNER_SHAREABLE: u64 = 3 << 8;
const ACCESSED: u64 = 1 << 10;
const PXN: u64 = 1 << 53;
const UXN: u64 = 1 << 54;
const ADDRESS_MASK: u64 = 0x0000_ffff_ffff_f000;

/// `MAIR_EL2` as the descriptors expect it: 0 is Device-nGnRnE, 1 is Normal write-back.
pub const MAIR: u64 = 0xff00;

/// What a mapping allows, and where it leads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Attributes {
    /// The RMM's code: read and execute.
    Code,
    /// The RMM's constants: read.
    Constants,
    /// Realm-world memory: read and write.
    Data,
    /// Non-secure memory: read and write.
    NonSecure,
    /// Device registers.
    Device,
}

impl Attributes {
    const fn bits(self) -> u64 {
        match self {
            Self::Code => ATTR_NORMAL | INNER_SHAREABLE | READ_ONLY | UXN,
            Self::Constants => ATTR_NORMAL | INNER_SHAREABLE | READ_ONLY | UXN | PXN,
            Self::Data => ATTR_NORMAL | INNER_SHAREABLE | UXN | PXN,
            Self::NonSecure => ATTR_NORMAL | INNER_SHAREABLE | UXN | PXN | NS,
            Self::Device => UXN | PXN,
        }
    }
}

/// Why a mapping was not made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MapError {
    /// Addresses or size are not multiples of 4 KiB, or the range leaves 48 bits.
    Range(u64),
    /// Something is mapped at this address.
    Occupied(u64),
    /// The pool of tables is used up.
    NoTable,
}

impl fmt::Display for MapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Range(va) => write!(
                f,
                "cannot map {va:#x}: ranges must be whole 4 KiB pages within 48 bits"
            ),
            Self::Occupied(va) => write!(
                f,
                "cannot map {va:#x}: it is mapped already, so the memory map has an overlap"
            ),
            Self::NoTable => write!(
                f,
                "the RMM's pool of translation tables is used up: raise TABLES"
            ),
        }
    }
}

impl core::error::Error for MapError {}

/// One translation table.
#[derive(Clone)]
#[repr(C, align(4096))]
pub struct Table([u64; ENTRIES]);

impl Table {
    /// A table that maps nothing.
    pub const EMPTY: Self = Self([0; ENTRIES]);
}

/// Builds tables in `pool`, the first of which is the root.
pub struct Builder<'a> {
    pool: &'a mut [Table],
    pool_address: u64,
    used: usize,
}

impl<'a> Builder<'a> {
    /// A builder over an empty `pool` that lies at physical `pool_address`.
    pub fn new(pool: &'a mut [Table], pool_address: u64) -> Result<Self, MapError> {
        let root = pool.first_mut().ok_or(MapError::NoTable)?;
        *root = Table::EMPTY;
        Ok(Self {
            pool,
            pool_address,
            used: 1,
        })
    }

    /// Tables taken from the pool so far.
    pub fn used(&self) -> usize {
        self.used
    }

    /// Maps `size` bytes from `va` to `pa` with the largest blocks that fit.
    pub fn map(
        &mut self,
        va: u64,
        pa: u64,
        size: u64,
        attributes: Attributes,
    ) -> Result<(), MapError> {
        let end = va.checked_add(size).ok_or(MapError::Range(va))?;
        if !(va | pa | size).is_multiple_of(PAGE) || end > 1 << VA_BITS || pa & !ADDRESS_MASK != 0 {
            return Err(MapError::Range(va));
        }
        let mut done = 0;
        while done < size {
            let level = level_for(va + done, pa + done, size - done);
            self.map_one(va + done, pa + done, level, attributes)?;
            done += entry_size(level);
        }
        Ok(())
    }

    fn map_one(
        &mut self,
        va: u64,
        pa: u64,
        level: u32,
        attributes: Attributes,
    ) -> Result<(), MapError> {
        let mut table = 0;
        for upper in 0..level {
            table = self.descend(table, va, upper)?;
        }
        let kind = if level == LEVEL_MAX { TABLE_OR_PAGE } else { 0 };
        let entry = self.entry(table, va, level)?;
        if *entry != 0 {
            return Err(MapError::Occupied(va));
        }
        *entry = pa | attributes.bits() | ACCESSED | VALID | kind;
        Ok(())
    }

    /// The table below `table` for `va`, made if there is none.
    fn descend(&mut self, table: usize, va: u64, level: u32) -> Result<usize, MapError> {
        let (fresh, base) = (self.used, self.pool_address);
        let entry = self.entry(table, va, level)?;
        if *entry == 0 {
            *entry = (base + fresh as u64 * PAGE) | VALID | TABLE_OR_PAGE;
            *self.pool.get_mut(fresh).ok_or(MapError::NoTable)? = Table::EMPTY;
            self.used += 1;
            return Ok(fresh);
        }
        if *entry & TABLE_OR_PAGE == 0 {
            return Err(MapError::Occupied(va));
        }
        Ok(((*entry & ADDRESS_MASK) - base) as usize / PAGE as usize)
    }

    fn entry(&mut self, table: usize, va: u64, level: u32) -> Result<&mut u64, MapError> {
        self.pool
            .get_mut(table)
            .and_then(|table| table.0.get_mut(index(va, level)))
            .ok_or(MapError::NoTable)
    }
}

const fn entry_size(level: u32) -> u64 {
    PAGE << (9 * (LEVEL_MAX - level))
}

const fn index(va: u64, level: u32) -> usize {
    (va / entry_size(level)) as usize % ENTRIES
}

/// The lowest level (largest block, from 1 GiB) whose entry fits here.
fn level_for(va: u64, pa: u64, left: u64) -> u32 {
    (1..LEVEL_MAX)
        .find(|&level| {
            let size = entry_size(level);
            (va | pa).is_multiple_of(size) && left >= size
        })
        .unwrap_or(LEVEL_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const POOL: u64 = 0x4020_0000;

    /// Translates as the walker would: output address and attributes, or none.
    fn walk(pool: &[Table], va: u64) -> Option<(u64, u64)> {
        let mut table = 0;
        for level in 0..=LEVEL_MAX {
            let entry = pool[table].0[index(va, level)];
            if entry & VALID == 0 {
                return None;
            }
            let leaf = level == LEVEL_MAX || entry & TABLE_OR_PAGE == 0;
            if leaf {
                let offset = va % entry_size(level);
                return Some(((entry & ADDRESS_MASK) + offset, entry & !ADDRESS_MASK));
            }
            table = ((entry & ADDRESS_MASK) - POOL) as usize / PAGE as usize;
        }
        None
    }

    #[test]
    fn pages_lead_where_they_were_mapped_and_nowhere_else() {
        let mut pool = vec![Table::EMPTY; 8];
        let mut builder = Builder::new(&mut pool, POOL).unwrap();
        builder
            .map(0x4010_0000, 0x4010_0000, 0x2000, Attributes::Code)
            .unwrap();
        assert_eq!(walk(&pool, 0x4010_1234).unwrap().0, 0x4010_1234);
        assert_eq!(walk(&pool, 0x4010_2000), None);
        assert_eq!(walk(&pool, 0x400f_ffff), None);
    }

    #[test]
    fn large_ranges_take_blocks_and_their_edges_pages() {
        let mut pool = vec![Table::EMPTY; 8];
        let mut builder = Builder::new(&mut pool, POOL).unwrap();
        let (base, size) = (0x7fff_f000, 0x4020_2000);
        builder.map(base, base, size, Attributes::Data).unwrap();
        assert_eq!(builder.used(), 6);
        for va in [base, 0x8000_0000, 0xbfff_ffff, 0xc020_0fff] {
            assert_eq!(walk(&pool, va).unwrap().0, va, "{va:#x}");
        }
        assert_eq!(walk(&pool, base + size), None);
    }

    #[test]
    fn no_mapping_is_writable_and_executable() {
        for attributes in [
            Attributes::Code,
            Attributes::Constants,
            Attributes::Data,
            Attributes::NonSecure,
            Attributes::Device,
        ] {
            let bits = attributes.bits();
            let executable = bits & PXN == 0;
            let writable = bits & READ_ONLY == 0;
            assert!(!(executable && writable), "{attributes:?}");
            assert_eq!(bits & UXN, UXN, "{attributes:?}");
        }
    }

    #[test]
    fn only_the_non_secure_view_leaves_the_realm_space() {
        let mut pool = vec![Table::EMPTY; 8];
        let mut builder = Builder::new(&mut pool, POOL).unwrap();
        let pa = 0x8000_0000;
        builder.map(pa, pa, PAGE, Attributes::Data).unwrap();
        builder
            .map(pa + NS_OFFSET, pa, PAGE, Attributes::NonSecure)
            .unwrap();
        assert_eq!(walk(&pool, pa).unwrap().1 & NS, 0);
        let (output, bits) = walk(&pool, pa + NS_OFFSET).unwrap();
        assert_eq!((output, bits & NS), (pa, NS));
    }

    #[test]
    fn mapping_twice_is_refused_at_every_level() {
        let mut pool = vec![Table::EMPTY; 8];
        let mut builder = Builder::new(&mut pool, POOL).unwrap();
        let gib = 1 << 30;
        builder.map(gib, gib, gib, Attributes::Data).unwrap();
        let again = builder.map(gib + PAGE, gib, PAGE, Attributes::Code);
        assert_eq!(again, Err(MapError::Occupied(gib + PAGE)));
        builder.map(4 * gib, 0, PAGE, Attributes::Data).unwrap();
        let over = builder.map(4 * gib, 4 * gib, gib, Attributes::Data);
        assert_eq!(over, Err(MapError::Occupied(4 * gib)));
    }

    #[test]
    fn an_exhausted_pool_is_an_error() {
        let mut pool = vec![Table::EMPTY; 3];
        let mut builder = Builder::new(&mut pool, POOL).unwrap();
        let result = builder.map(0, 0x1000, PAGE, Attributes::Data);
        assert_eq!(result, Err(MapError::NoTable));
    }

    #[test]
    fn unaligned_and_overlong_ranges_are_refused() {
        let mut pool = vec![Table::EMPTY; 4];
        let mut builder = Builder::new(&mut pool, POOL).unwrap();
        for (va, size) in [(1, PAGE), (0, 1), (1 << 48, PAGE), (u64::MAX - 4095, PAGE)] {
            let result = builder.map(va, 0, size, Attributes::Data);
            assert_eq!(result, Err(MapError::Range(va)), "{va:#x}");
        }
    }
}
