//! Tables over lent memory: building, looking up, counting.

use crate::entry::GRANULES_PER_WORD;
use crate::{Gpi, L0Entry, Word};
use addr::{GRANULE_SIZE, GranuleAddr, PhysAddr, PhysRange};
use core::fmt;
use core::sync::atomic::{AtomicU64, Ordering};

/// Words in a level-1 table when a level-0 entry covers 1 GiB.
pub const L1_WORDS: usize = 1 << (30 - 12 - 4);
const L0_SHIFT: u32 = 30;

/// How much is protected: the size of the protected space.
///
/// Only level-0 entries of 1 GiB are served (`GPCCR_EL3.L0GPTSZ` = 0).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Geometry {
    /// `GPCCR_EL3.PPS`.
    pub pps: u64,
    /// Level-0 entries.
    pub l0_entries: usize,
}

impl Geometry {
    /// The smallest protected space that holds everything below `top`.
    pub const fn covering(top: PhysAddr) -> Option<Self> {
        let sizes = [32, 36, 40, 42, 44, 48];
        let mut pps = 0;
        while pps < sizes.len() {
            #[allow(clippy::indexing_slicing, reason = "bounded by the loop's condition")]
            let bits: u32 = sizes[pps];
            if top.raw() <= 1 << bits {
                return Some(Self {
                    pps: pps as u64,
                    l0_entries: 1 << (bits - L0_SHIFT),
                });
            }
            pps += 1;
        }
        None
    }
}

/// Memory that deserves an answer of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Region {
    /// Where.
    pub range: PhysRange,
    /// Who may access it.
    pub gpi: Gpi,
}

/// Why tables cannot be built.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PlanError {
    /// A region's bounds are not granules.
    Misaligned(PhysRange),
    /// A region lies past the protected space.
    OutOfRange(PhysRange),
    /// The regions need more level-1 tables than there is memory for.
    TooFewTables {
        /// Tables that fit into the memory given.
        available: usize,
    },
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Misaligned(range) => {
                write!(
                    f,
                    "{range} cannot be protected: its bounds must be 4 KiB aligned"
                )
            }
            Self::OutOfRange(range) => write!(
                f,
                "{range} lies past the protected space: give the machine less memory"
            ),
            Self::TooFewTables { available } => write!(
                f,
                "memory for {available} protection tables of 1 GiB each is too little: give the machine less memory"
            ),
        }
    }
}

impl core::error::Error for PlanError {}

/// Granule protection tables in lent memory.
#[derive(Clone, Copy, Debug)]
pub struct Tables<'t> {
    l0: &'t [AtomicU64],
    l1: &'t [AtomicU64],
    l1_base: PhysAddr,
}

impl<'t> Tables<'t> {
    /// Builds tables: `default` everywhere but in `regions`, of which a later
    /// one overrides an earlier. Whatever a region touches gets a level-1 table,
    /// so that its granules can change hands; the rest are level-0 blocks.
    ///
    /// `l0` is the level-0 table, `l1` the memory for level-1 tables, which the
    /// walker finds at `l1_base`.
    pub fn build(
        l0: &'t [AtomicU64],
        l1: &'t [AtomicU64],
        l1_base: PhysAddr,
        default: Gpi,
        regions: &[Region],
    ) -> Result<Self, PlanError> {
        let tables = Self { l0, l1, l1_base };
        let protected = (l0.len() as u64) << L0_SHIFT;
        for region in regions {
            if !region.range.is_aligned(GRANULE_SIZE) {
                return Err(PlanError::Misaligned(region.range));
            }
            if region.range.top().raw() > protected {
                return Err(PlanError::OutOfRange(region.range));
            }
        }
        let mut free = l1.chunks_exact(L1_WORDS).enumerate();
        let uniform = Word::uniform(default).0;
        for (index, slot) in l0.iter().enumerate() {
            let covered = Self::l0_range(index);
            let touched = regions
                .iter()
                .any(|region| covered.is_some_and(|covered| covered.overlaps(region.range)));
            let entry = if touched {
                let (number, table) = free.next().ok_or(PlanError::TooFewTables {
                    available: l1.len() / L1_WORDS,
                })?;
                for word in table {
                    word.store(uniform, Ordering::Relaxed);
                }
                let offset = (number * L1_WORDS * size_of::<u64>()) as u64;
                L0Entry::Table(PhysAddr::new(l1_base.raw() + offset))
            } else {
                L0Entry::Block(default)
            };
            slot.store(entry.encode(), Ordering::Relaxed);
        }
        for region in regions {
            tables.fill(*region);
        }
        Ok(tables)
    }

    fn l0_range(index: usize) -> Option<PhysRange> {
        PhysRange::with_size(PhysAddr::new((index as u64) << L0_SHIFT), 1 << L0_SHIFT).ok()
    }

    fn fill(&self, region: Region) {
        let uniform = Word::uniform(region.gpi).0;
        let mut granule = GranuleAddr::containing(region.range.base());
        while region.range.contains(granule.address()) {
            let whole = granule.number().is_multiple_of(GRANULES_PER_WORD)
                && region.range.top().raw() - granule.raw() >= GRANULES_PER_WORD * GRANULE_SIZE;
            if let Some(word) = self.word(granule) {
                let filled = if whole {
                    uniform
                } else {
                    let old = Word(word.load(Ordering::Relaxed));
                    old.with(granule, region.gpi).0
                };
                word.store(filled, Ordering::Relaxed);
            }
            let step = if whole { GRANULES_PER_WORD } else { 1 };
            match granule.checked_add(step) {
                Some(next) => granule = next,
                None => return,
            }
        }
    }

    /// The level-1 word that holds `granule`, or `None` where a block answers.
    pub(crate) fn word(&self, granule: GranuleAddr) -> Option<&'t AtomicU64> {
        let index = usize::try_from(granule.raw() >> L0_SHIFT).ok()?;
        let entry = L0Entry::decode(self.l0.get(index)?.load(Ordering::Relaxed));
        let L0Entry::Table(table) = entry else {
            return None;
        };
        let first = usize::try_from(table.offset_from(self.l1_base)? / 8).ok()?;
        let within = (granule.number() / GRANULES_PER_WORD) as usize % L1_WORDS;
        self.l1.get(first + within)
    }

    /// Who may access `granule`; `None` past the protected space or where the
    /// tables hold reserved bits, which fault every access.
    pub fn lookup(&self, granule: GranuleAddr) -> Option<Gpi> {
        if let Some(word) = self.word(granule) {
            return Word(word.load(Ordering::Acquire)).get(granule);
        }
        let index = usize::try_from(granule.raw() >> L0_SHIFT).ok()?;
        match L0Entry::decode(self.l0.get(index)?.load(Ordering::Relaxed)) {
            L0Entry::Block(gpi) => Some(gpi),
            _ => None,
        }
    }

    /// How many granules under level-1 tables have this answer, those in
    /// `except` left out.
    pub fn count(&self, gpi: Gpi, except: Option<PhysRange>) -> u64 {
        let mut count = 0;
        for index in 0..self.l0.len() {
            if let Some(range) = Self::l0_range(index) {
                count += self.count_in(gpi, range);
            }
        }
        count - except.map_or(0, |range| self.count_in(gpi, range))
    }

    fn count_in(&self, gpi: Gpi, range: PhysRange) -> u64 {
        let mut count = 0;
        let mut granule = GranuleAddr::containing(range.base());
        while range.contains(granule.address()) {
            let whole = granule.number().is_multiple_of(GRANULES_PER_WORD)
                && range.top().raw() - granule.raw() >= GRANULES_PER_WORD * GRANULE_SIZE;
            let mut step = if whole { GRANULES_PER_WORD } else { 1 };
            match self.word(granule) {
                Some(word) if whole => count += Word(word.load(Ordering::Relaxed)).count(gpi),
                Some(word) => {
                    let word = Word(word.load(Ordering::Relaxed));
                    count += u64::from(word.get(granule) == Some(gpi));
                }
                // A block answers: on to the next level-0 entry.
                None => step = (1 << (L0_SHIFT - 12)) - granule.number() % (1 << (L0_SHIFT - 12)),
            }
            match granule.checked_add(step) {
                Some(next) => granule = next,
                None => return count,
            }
        }
        count
    }
}
