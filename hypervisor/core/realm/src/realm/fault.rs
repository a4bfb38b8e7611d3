//! Private memory on first touch.
//!
//! By default a whole region at a time: the calls are the same in number, but
//! the exits and the walks are not, and a full region becomes a block. Which
//! pages are there is known, so that no call is made in vain.

use super::{Cause, Fault, Realm, RealmError, Step};
use crate::intent::{Backend, Blocks};
use crate::ledger::Kind;
use crate::region::{self, PAGES, Pages, Place, REGION_SIZE, Shape};
use crate::{Delegated, Granules, Memory, Populate, Region};
use addr::{GRANULE_SIZE, GranuleAddr, Ipa, IpaRange};
use core::ops::Range;
use rmi::client::RmiError;
use rmi::rtt::LAST_LEVEL;

/// The level whose entries are as large as a region.
pub(super) const BLOCK_LEVEL: i8 = LAST_LEVEL - 1;

/// Where granules for a region came from, and so where they go back to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Supply {
    /// The 2 MiB set aside for the region.
    Frame,
    /// Anywhere.
    Stray,
}

impl Supply {
    /// What the ledger calls such a data granule.
    pub(super) const fn kind(self) -> Kind {
        match self {
            Self::Frame => Kind::FrameData,
            Self::Stray => Kind::Data,
        }
    }
}

impl<B: Backend> Realm<'_, B> {
    /// Provides the private memory that a fault at `ipa` asks for; returns how
    /// many pages came to be. Zero means that another vCPU was faster.
    pub fn populate_on_fault(
        &mut self,
        memory: &mut impl Memory,
        ipa: Ipa,
    ) -> Result<usize, Fault> {
        let ram = self.spec.ram;
        let place = region::place(ram, ipa).ok_or(Fault::NotMemory(ipa))?;
        let region = self
            .regions
            .get(place.region)
            .ok_or(Fault::NotMemory(ipa))?;
        if !region.ram.contains(place.page) {
            return Err(Fault::NotRam(ipa));
        }
        if region.populated.contains(place.page) {
            return Ok(0);
        }
        if self.spec.populate == Populate::Page {
            self.fill_page(memory, place, ipa)?;
            return Ok(1);
        }
        let before = region.populated.count();
        let wanted = region.ram.without(region.populated);
        let result = self.fill(memory, place.region, wanted);
        let region = self
            .regions
            .get(place.region)
            .ok_or(Fault::NotMemory(ipa))?;
        if region.populated.contains(place.page) {
            // What the Realm touched is there; the rest may come later.
            return Ok(region.populated.count() - before);
        }
        result?;
        let step = Step::Fill(ipa);
        Err(step.failed(RmiError::Rtt { level: 3 }).into())
    }

    /// Populates one page; the short way for Realms that get their memory so.
    #[inline(always)]
    fn fill_page(
        &mut self,
        memory: &mut impl Memory,
        place: Place,
        ipa: Ipa,
    ) -> Result<(), RealmError> {
        let step = Step::Fill(ipa);
        let rd = self.descriptor(step)?;
        if self.shape(place.region) != Shape::Table {
            self.need_table(memory, place.region)?;
        }
        let run = self
            .obtain_page(memory)
            .map_err(|cause| step.failed(cause))?;
        let at = ipa.align_down(GRANULE_SIZE);
        if let Err(error) = self.rmm.fill_page(rd, at, run.base()) {
            self.give_back(memory, run);
            return Err(step.failed(error));
        }
        self.ledger.place_page(run, Supply::Stray.kind(), self.vm);
        if let Some(region) = self.regions.get_mut(place.region) {
            region.populated.add(place.page);
            region.strays.add(place.page);
        }
        Ok(())
    }

    /// Populates the pages `wanted` of region `index`, none of which are.
    fn fill(
        &mut self,
        memory: &mut impl Memory,
        index: usize,
        wanted: Pages,
    ) -> Result<(), RealmError> {
        let base = region::base(self.spec.ram, index);
        let rd = self.descriptor(Step::Fill(base))?;
        let whole = wanted.is_full() && self.shape(index) == Shape::Entry;
        if whole && self.rmm.blocks() == Blocks::Direct && self.fill_whole(memory, rd, index)? {
            return Ok(());
        }
        self.need_table(memory, index)?;
        let mut at = 0;
        while let Some(pages) = wanted.run_from(at) {
            let ipa = region::page_ipa(base, pages.start);
            let step = Step::Fill(ipa);
            let first = pages.start;
            let (run, supply) = self.supply(memory, index, pages, step)?;
            let count = run.count();
            let (done, result) = self.rmm.fill(rd, ipa, run.base(), count);
            let done = done.min(count);
            self.settle_supply(memory, index, first, run, done, supply);
            result.map_err(|error| step.failed(error))?;
            if done == 0 {
                return Err(step.failed(RmiError::Input));
            }
            at = first + done;
        }
        if self.regions.get(index).is_some_and(Region::is_whole) {
            self.fold(memory, index, Shape::Block);
        }
        Ok(())
    }

    /// Populates the empty region `index` by one block; `false` if that is not
    /// to be had, and nothing has changed.
    fn fill_whole(
        &mut self,
        memory: &mut impl Memory,
        rd: GranuleAddr,
        index: usize,
    ) -> Result<bool, RealmError> {
        let base = region::base(self.spec.ram, index);
        let step = Step::Fill(base);
        if self.frame(memory, index).is_none() {
            return Ok(false);
        }
        let (run, supply) = self.supply(memory, index, 0..PAGES, step)?;
        if run.count() < PAGES || supply != Supply::Frame {
            self.release(memory, run, supply);
            return Ok(false);
        }
        // Each level above may lack one table.
        for _ in 0..=BLOCK_LEVEL {
            match self.rmm.fill_block(rd, base, run.base()) {
                Ok(()) => {
                    self.settle_supply(memory, index, 0, run, PAGES, supply);
                    if let Some(region) = self.regions.get_mut(index) {
                        region.shape = Shape::Block;
                    }
                    return Ok(true);
                }
                Err(RmiError::Rtt { level })
                    if (self.spec.start_level..BLOCK_LEVEL).contains(&level) =>
                {
                    if let Err(error) = self.add_table_at(memory, base, level + 1) {
                        self.release(memory, run, supply);
                        return Err(error);
                    }
                }
                Err(_) => break,
            }
        }
        self.release(memory, run, supply);
        Ok(false)
    }

    /// The 2 MiB set aside for region `index`, if its policy and the memory
    /// that is left allow any. Only regions that can become a block get some.
    fn frame(&mut self, memory: &mut impl Memory, index: usize) -> Option<GranuleAddr> {
        let ram = self.spec.ram;
        let base = region::base(ram, index);
        let whole = IpaRange::with_size(base, REGION_SIZE).is_ok_and(|range| ram.encloses(range));
        if self.spec.populate == Populate::Page || !whole {
            return None;
        }
        let region = self.regions.get_mut(index)?;
        if region.frame.is_none() && region.populated.is_empty() {
            region.frame = memory.alloc(PAGES).map(|run| run.base());
        }
        region.frame
    }

    /// Delegated granules for at least the first of `pages` of region `index`.
    pub(super) fn supply(
        &mut self,
        memory: &mut impl Memory,
        index: usize,
        pages: Range<usize>,
        step: Step,
    ) -> Result<(Granules<Delegated>, Supply), RealmError> {
        let base = self
            .frame(memory, index)
            .and_then(|frame| frame.checked_add(pages.start as u64));
        if let Some(base) = base {
            let run = Granules::assume(base, pages.len());
            match self.ledger.delegate(self.rmm, run, self.vm) {
                Ok(run) => return Ok((run, Supply::Frame)),
                // What was not delegated rests in the region's frame.
                Err(refusal) => match (refusal.delegated, refusal.error) {
                    (Some(run), _) => return Ok((run, Supply::Frame)),
                    (None, RmiError::Input) => {}
                    (None, error) => return Err(step.failed(error)),
                },
            }
        }
        self.obtain(memory, 1)
            .map(|run| (run, Supply::Stray))
            .map_err(|cause: Cause| step.failed(cause))
    }

    /// Undelegates granules and puts what comes back where it came from.
    pub(super) fn release(
        &self,
        memory: &mut impl Memory,
        run: Granules<Delegated>,
        supply: Supply,
    ) {
        self.undelegate(run, |free| match supply {
            // It rests in the region's frame until that goes as a whole.
            Supply::Frame => drop(free),
            Supply::Stray => memory.free(free),
        });
    }

    /// Gives the memory set aside for region `index` back, except what the RMM
    /// still holds.
    pub(super) fn retire_frame(&mut self, memory: &mut impl Memory, index: usize) {
        let Some(frame) = self.regions.get_mut(index).and_then(|r| r.frame.take()) else {
            return;
        };
        let kind = |page: usize| -> Option<Kind> {
            let granule = frame.checked_add(page as u64)?;
            Some(self.ledger.owner(granule.address())?.kind)
        };
        let mut page = 0;
        while page < PAGES {
            let this = kind(page);
            let end = (page..PAGES).find(|p| kind(*p) != this).unwrap_or(PAGES);
            if let Some(base) = frame.checked_add(page as u64) {
                let run = Granules::assume(base, end - page);
                match this {
                    Some(Kind::Host) => memory.free(run),
                    Some(Kind::Refused) => memory.set_aside(run),
                    _ => {}
                }
            }
            page = end;
        }
    }

    /// Takes the populated pages among `pages` of region `index` out and
    /// undelegates them. What is mapped as a block goes as a whole or, where the
    /// RMM makes blocks by folding, must have been split.
    pub(super) fn drain(&mut self, memory: &mut impl Memory, index: usize, pages: Pages) {
        let (Some(rd), Some(region)) = (self.rd, self.regions.get(index).copied()) else {
            return;
        };
        let base = region::base(self.spec.ram, index);
        let wanted = region.populated.and(pages);
        let mut pending: Option<(Granules<Delegated>, Supply)> = None;
        let mut at = 0;
        while let Some(run) = wanted.run_from(at) {
            let page = run.start;
            at = page + 1;
            let (supply, other) = match region.strays.contains(page) {
                true => (Supply::Stray, region.populated.without(region.strays)),
                false => (Supply::Frame, region.strays),
            };
            let end = other
                .run_from(page)
                .map_or(run.end, |o| o.start.min(run.end));
            let (ipa, top) = (region::page_ipa(base, page), region::page_ipa(base, end));
            match self.rmm.take_out(rd, ipa, top) {
                Ok(taken) => {
                    let count = taken.count.min(end - page);
                    at = page + count.max(1);
                    self.forget(index, page..page + count);
                    let expected = match supply {
                        Supply::Frame => region.frame.and_then(|f| f.checked_add(page as u64)),
                        Supply::Stray => Some(taken.base),
                    };
                    if expected != Some(taken.base) {
                        log::error!("the RMM gave back {} for {ipa}", taken.base);
                    } else if let Some(granules) =
                        self.ledger
                            .reclaim_run(taken.base, count, supply.kind(), self.vm)
                    {
                        self.collect(memory, &mut pending, granules, supply);
                    }
                }
                Err(blocked) => {
                    log::error!("taking {ipa} out failed: {}", blocked.error);
                    // The RMM may know that nothing follows for a while.
                    if let Some(top) = blocked.top.and_then(|top| top.offset_from(base)) {
                        let next = (top / GRANULE_SIZE).min(PAGES as u64) as usize;
                        at = at.max(next);
                    }
                }
            }
        }
        if let Some((run, supply)) = pending {
            self.release(memory, run, supply);
        }
    }

    fn forget(&mut self, index: usize, pages: Range<usize>) {
        if let Some(region) = self.regions.get_mut(index) {
            for page in pages {
                region.populated.take(page);
                region.strays.take(page);
            }
        }
    }

    /// Joins `granule` to `pending`, or releases what was pending first.
    fn collect(
        &self,
        memory: &mut impl Memory,
        pending: &mut Option<(Granules<Delegated>, Supply)>,
        granule: Granules<Delegated>,
        supply: Supply,
    ) {
        let joined = match pending.take() {
            None => granule,
            Some((run, of)) if of == supply => match run.append(granule) {
                Ok(run) => run,
                Err((run, granule)) => {
                    self.release(memory, run, of);
                    granule
                }
            },
            Some((run, of)) => {
                self.release(memory, run, of);
                granule
            }
        };
        *pending = Some((joined, supply));
    }
}
