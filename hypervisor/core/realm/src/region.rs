//! What the host knows of each 2 MiB region of a Realm's RAM.
//!
//! A region is what one level-3 table, or one block, maps. Knowing which of its
//! pages are populated, RAM or shared is what keeps the number of calls exact:
//! no fold that fails, no page destroyed that is not there.

use addr::{GRANULE_SIZE, GranuleAddr, Ipa, IpaRange};
use core::ops::Range;

/// Pages in a region.
pub(crate) const PAGES: usize = 512;
/// Bytes in a region.
pub(crate) const REGION_SIZE: u64 = PAGES as u64 * GRANULE_SIZE;

const WORDS: usize = PAGES / 64;

/// A set of pages of a region.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Pages([u64; WORDS]);

impl Pages {
    /// The pages of `range`, which is clipped to the region.
    pub(crate) fn of(range: Range<usize>) -> Self {
        let mut pages = Self::default();
        for (index, word) in pages.0.iter_mut().enumerate() {
            let low = range.start.max(index * 64).min(index * 64 + 64) - index * 64;
            let high = range.end.max(index * 64).min(index * 64 + 64) - index * 64;
            if low < high {
                let ones = u64::MAX >> (64 - (high - low));
                *word = ones << low;
            }
        }
        pages
    }

    /// One page.
    pub(crate) fn one(page: usize) -> Self {
        let mut pages = Self::default();
        pages.add(page);
        pages
    }

    /// Adds one page.
    pub(crate) fn add(&mut self, page: usize) {
        if let Some(word) = self.0.get_mut(page / 64) {
            *word |= 1 << (page % 64);
        }
    }

    /// Takes one page out.
    pub(crate) fn take(&mut self, page: usize) {
        if let Some(word) = self.0.get_mut(page / 64) {
            *word &= !(1 << (page % 64));
        }
    }

    /// All pages.
    pub(crate) const ALL: Self = Self([u64::MAX; WORDS]);

    pub(crate) fn contains(&self, page: usize) -> bool {
        self.0
            .get(page / 64)
            .is_some_and(|word| word & (1 << (page % 64)) != 0)
    }

    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub(crate) fn is_full(&self) -> bool {
        *self == Self::ALL
    }

    pub(crate) fn count(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    pub(crate) fn insert(&mut self, other: Self) {
        *self = self.zip(other, |a, b| a | b);
    }

    pub(crate) fn remove(&mut self, other: Self) {
        *self = self.zip(other, |a, b| a & !b);
    }

    pub(crate) fn and(self, other: Self) -> Self {
        self.zip(other, |a, b| a & b)
    }

    pub(crate) fn without(self, other: Self) -> Self {
        self.zip(other, |a, b| a & !b)
    }

    fn zip(self, other: Self, with: impl Fn(u64, u64) -> u64) -> Self {
        let mut out = self;
        for (word, other) in out.0.iter_mut().zip(other.0) {
            *word = with(*word, other);
        }
        out
    }

    /// The first run of pages at or after `from`.
    pub(crate) fn run_from(&self, from: usize) -> Option<Range<usize>> {
        let start = self.next(from, |word| word)?;
        let end = self.next(start, |word| !word).unwrap_or(PAGES);
        Some(start..end)
    }

    fn next(&self, from: usize, view: impl Fn(u64) -> u64) -> Option<usize> {
        self.0
            .iter()
            .enumerate()
            .skip(from / 64)
            .find_map(|(index, word)| {
                let mut word = view(*word);
                if index == from / 64 {
                    word &= u64::MAX << (from % 64);
                }
                (word != 0).then(|| index * 64 + word.trailing_zeros() as usize)
            })
    }
}

/// What the table one level up holds for a region.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Shape {
    /// One entry, nothing mapped.
    #[default]
    Entry,
    /// A level-3 table.
    Table,
    /// A block of 2 MiB.
    Block,
}

/// The shared alias of a region.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Alias {
    /// 2 MiB of the host's memory behind it.
    pub(crate) frame: Option<GranuleAddr>,
    /// Pages that are mapped.
    pub(crate) mapped: Pages,
    /// How they are mapped.
    pub(crate) shape: Shape,
}

/// 2 MiB of a Realm's RAM, as the host knows it. The shell provides a slice of
/// these, one for each region, made by `Default`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Region {
    /// 2 MiB that are set aside for this region: page n of one is page n of the
    /// other, so that a full region can become a block.
    pub(crate) frame: Option<GranuleAddr>,
    /// Pages with a data granule.
    pub(crate) populated: Pages,
    /// Pages whose data granule is not that of the frame.
    pub(crate) strays: Pages,
    /// Pages whose RIPAS is RAM; the others' is EMPTY.
    pub(crate) ram: Pages,
    /// How the region is mapped.
    pub(crate) shape: Shape,
    /// Its shared alias.
    pub(crate) alias: Alias,
}

impl Region {
    /// Regions that cover `ram`.
    pub fn count(ram: IpaRange) -> usize {
        let first = ram.base().raw() / REGION_SIZE;
        let end = ram.top().raw().div_ceil(REGION_SIZE);
        (end - first) as usize
    }

    /// Whether its pages can be folded into one block.
    pub(crate) fn is_whole(&self) -> bool {
        self.frame.is_some()
            && self.shape == Shape::Table
            && self.populated.is_full()
            && self.strays.is_empty()
            && self.ram.is_full()
    }

    /// Whether its empty table can be folded into one entry.
    pub(crate) fn is_hollow(&self) -> bool {
        self.shape == Shape::Table
            && self.populated.is_empty()
            && (self.ram.is_empty() || self.ram.is_full())
    }
}

/// Where an IPA lies in RAM.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Place {
    /// Index of the region.
    pub(crate) region: usize,
    /// Page within the region.
    pub(crate) page: usize,
}

/// The place of `ipa` in `ram`.
pub(crate) fn place(ram: IpaRange, ipa: Ipa) -> Option<Place> {
    if !ram.contains(ipa) {
        return None;
    }
    let first = ram.base().raw() / REGION_SIZE;
    Some(Place {
        region: (ipa.raw() / REGION_SIZE - first) as usize,
        page: (ipa.raw() % REGION_SIZE / GRANULE_SIZE) as usize,
    })
}

/// The first address of region `index` of `ram`; it may lie below RAM.
pub(crate) fn base(ram: IpaRange, index: usize) -> Ipa {
    ram.base()
        .align_down(REGION_SIZE)
        .checked_add(index as u64 * REGION_SIZE)
        .unwrap_or(ram.base())
}

/// The regions of `ram` that `range`, which lies inside, touches.
pub(crate) fn indices(ram: IpaRange, range: IpaRange) -> Range<usize> {
    let first = ram.base().raw() / REGION_SIZE;
    let start = (range.base().raw() / REGION_SIZE).saturating_sub(first);
    let end = range
        .top()
        .raw()
        .div_ceil(REGION_SIZE)
        .saturating_sub(first);
    start as usize..end as usize
}

/// The pages of region `index` that lie inside `range`.
pub(crate) fn pages_of(ram: IpaRange, index: usize, range: IpaRange) -> Pages {
    let base = base(ram, index).raw();
    let page =
        |address: u64| (address.saturating_sub(base).min(REGION_SIZE) / GRANULE_SIZE) as usize;
    Pages::of(page(range.base().raw())..page(range.top().raw()))
}

/// The address of page `page` of the region at `base`.
pub(crate) fn page_ipa(base: Ipa, page: usize) -> Ipa {
    Ipa::new(base.raw() + page as u64 * GRANULE_SIZE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_pages_are_found_across_words() {
        let mut pages = Pages::of(3..5);
        pages.insert(Pages::of(60..130));
        pages.insert(Pages::of(511..512));
        assert_eq!(pages.run_from(0), Some(3..5));
        assert_eq!(pages.run_from(5), Some(60..130));
        assert_eq!(pages.run_from(100), Some(100..130));
        assert_eq!(pages.run_from(130), Some(511..512));
        assert_eq!(pages.run_from(512), None);
        pages.take(511);
        assert_eq!(pages.run_from(130), None);
        assert_eq!(Pages::one(64), Pages::of(64..65));
        pages.add(511);
        assert_eq!(pages.count(), 73);
    }

    #[test]
    fn a_full_region_is_one_run() {
        assert_eq!(Pages::of(0..512), Pages::ALL);
        assert_eq!(Pages::ALL.run_from(0), Some(0..512));
        assert_eq!(Pages::default().run_from(0), None);
        assert!(Pages::of(7..7).is_empty());
    }

    #[test]
    fn ram_that_starts_inside_a_region_counts_it() {
        let ram = IpaRange::new(Ipa::new(0x4010_0000), Ipa::new(0x4030_0000)).unwrap();
        assert_eq!(Region::count(ram), 2);
        assert_eq!(base(ram, 0), Ipa::new(0x4000_0000));
        assert_eq!(pages_of(ram, 0, ram), Pages::of(256..512));
        assert_eq!(pages_of(ram, 1, ram), Pages::of(0..256));
        let place = place(ram, Ipa::new(0x4020_1234)).unwrap();
        assert_eq!((place.region, place.page), (1, 1));
    }
}
