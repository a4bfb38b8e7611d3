//! Memory shared with the host.
//!
//! A page is shared only where the Realm has given its private one up (RIPAS
//! EMPTY): so a Realm cannot make the host spend more than its RAM once more, and
//! an access to an alias that was never declared shared is answered by an
//! abort. Each region's alias has 2 MiB of host memory behind it, so that a
//! fully shared region is one block.

use super::fault::BLOCK_LEVEL;
use super::{Cause, Fault, Realm, RealmError, Step};
use crate::intent::Backend;
use crate::region::{self, PAGES, Pages, Shape};
use crate::{Granules, Memory, Populate};
use addr::{GRANULE_SIZE, GranuleAddr, Ipa, PhysAddr};
use rmi::client::RmiError;
use rmi::rtt::{IpaHalf, LAST_LEVEL};

impl<B: Backend> Realm<'_, B> {
    /// Provides the shared memory that a fault at `ipa`, in the unprotected
    /// half, asks for; returns how many pages came to be.
    pub fn share_on_fault(&mut self, memory: &mut impl Memory, ipa: Ipa) -> Result<usize, Fault> {
        if self.spec.ipa.half(ipa) != Some(IpaHalf::Unprotected) {
            return Err(Fault::NotMemory(ipa));
        }
        let private = self.spec.ipa.strip(ipa);
        let place = region::place(self.spec.ram, private).ok_or(Fault::NotMemory(ipa))?;
        let region = self
            .regions
            .get(place.region)
            .ok_or(Fault::NotMemory(ipa))?;
        if region.ram.contains(place.page) {
            return Err(Fault::NotShared(ipa));
        }
        if region.alias.mapped.contains(place.page) {
            return Ok(0);
        }
        let inside = region::pages_of(self.spec.ram, place.region, self.spec.ram);
        let wanted = match self.spec.populate {
            Populate::Block => inside.without(region.ram).without(region.alias.mapped),
            Populate::Page => Pages::one(place.page),
        };
        Ok(self.share(memory, place.region, wanted)?)
    }

    /// The host's memory behind `ipa`, if it is shared now.
    pub fn shared_address(&self, ipa: Ipa) -> Option<PhysAddr> {
        let private = self.spec.ipa.strip(ipa);
        let place = region::place(self.spec.ram, private)?;
        let alias = &self.regions.get(place.region)?.alias;
        if !alias.mapped.contains(place.page) {
            return None;
        }
        let page = alias.frame?.checked_add(place.page as u64)?;
        page.address().checked_add(private.raw() % GRANULE_SIZE)
    }

    fn share(
        &mut self,
        memory: &mut impl Memory,
        index: usize,
        wanted: Pages,
    ) -> Result<usize, RealmError> {
        let base = self.spec.ipa.shared(region::base(self.spec.ram, index));
        let step = Step::Share(base);
        let rd = self.descriptor(step)?;
        let frame = self.alias_frame(memory, index, step)?;
        let shape = self.alias_shape(index);
        if wanted.is_full() && shape == Shape::Entry && self.share_block(memory, rd, base, frame)? {
            self.note_alias(index, wanted, Shape::Block);
            return Ok(PAGES);
        }
        if shape != Shape::Table {
            self.add_table(memory, base)?;
            self.note_alias(index, Pages::default(), Shape::Table);
        }
        let mut at = 0;
        let mut count = 0;
        while let Some(run) = wanted.run_from(at) {
            let page = run.start;
            at = page + 1;
            let ipa = region::page_ipa(base, page);
            let step = Step::Share(ipa);
            let granule = frame
                .checked_add(page as u64)
                .ok_or(step.failed(Cause::OutOfMemory))?;
            self.rmm
                .map(rd, ipa, LAST_LEVEL, granule.address())
                .map_err(|error| step.failed(error))?;
            self.note_alias(index, Pages::one(page), Shape::Table);
            count += 1;
        }
        Ok(count)
    }

    /// Maps a whole region; false if a table stands in the way.
    fn share_block(
        &mut self,
        memory: &mut impl Memory,
        rd: GranuleAddr,
        base: Ipa,
        frame: GranuleAddr,
    ) -> Result<bool, RealmError> {
        let step = Step::Share(base);
        // Each level above may lack one table.
        for _ in 0..=LAST_LEVEL {
            match self.rmm.map(rd, base, BLOCK_LEVEL, frame.address()) {
                Ok(()) => return Ok(true),
                Err(RmiError::Rtt { level })
                    if (self.spec.start_level..BLOCK_LEVEL).contains(&level) =>
                {
                    self.add_table_at(memory, base, level + 1)?;
                }
                Err(RmiError::Rtt { .. }) => return Ok(false),
                Err(error) => return Err(step.failed(error)),
            }
        }
        Ok(false)
    }

    fn alias_frame(
        &mut self,
        memory: &mut impl Memory,
        index: usize,
        step: Step,
    ) -> Result<GranuleAddr, RealmError> {
        let none = step.failed(Cause::OutOfMemory);
        let alias = &mut self.regions.get_mut(index).ok_or(none)?.alias;
        match alias.frame {
            Some(frame) => Ok(frame),
            None => {
                let frame = memory.alloc_zeroed(PAGES).ok_or(none)?.base();
                alias.frame = Some(frame);
                Ok(frame)
            }
        }
    }

    pub(super) fn alias_shape(&self, index: usize) -> Shape {
        self.regions
            .get(index)
            .map_or(Shape::Entry, |region| region.alias.shape)
    }

    fn note_alias(&mut self, index: usize, pages: Pages, shape: Shape) {
        if let Some(region) = self.regions.get_mut(index) {
            region.alias.mapped.insert(pages);
            region.alias.shape = shape;
        }
    }

    /// Takes `pages` of region `index` out of the shared half, because they are
    /// private again. Pages of a block that stay shared come back on their next
    /// fault, with the same memory behind them.
    pub(super) fn unshare(
        &mut self,
        memory: &mut impl Memory,
        index: usize,
        pages: Pages,
    ) -> Result<(), RealmError> {
        let ram = self.spec.ram;
        let Some(alias) = self.regions.get(index).map(|region| region.alias) else {
            return Ok(());
        };
        let wanted = alias.mapped.and(pages);
        if wanted.is_empty() {
            return Ok(());
        }
        let base = self.spec.ipa.shared(region::base(ram, index));
        let rd = self.descriptor(Step::Share(base))?;
        if alias.shape == Shape::Block {
            self.rmm
                .unmap(rd, base, BLOCK_LEVEL)
                .map_err(|error| Step::Share(base).failed(error))?;
            if let Some(region) = self.regions.get_mut(index) {
                region.alias.mapped = Pages::default();
                region.alias.shape = Shape::Entry;
            }
        } else {
            let mut at = 0;
            while let Some(run) = wanted.run_from(at) {
                let page = run.start;
                at = page + 1;
                let ipa = region::page_ipa(base, page);
                self.rmm
                    .unmap(rd, ipa, LAST_LEVEL)
                    .map_err(|error| Step::Share(ipa).failed(error))?;
                if let Some(region) = self.regions.get_mut(index) {
                    region.alias.mapped.take(page);
                }
            }
        }
        let unused = self.regions.get(index).is_some_and(|region| {
            region.alias.mapped.is_empty()
                && region.ram.and(region::pages_of(ram, index, ram)).is_full()
        });
        if unused {
            self.retire_alias(memory, index);
        }
        Ok(())
    }

    /// Frees the memory behind a region's alias, which nothing maps any more.
    pub(super) fn retire_alias(&mut self, memory: &mut impl Memory, index: usize) {
        let frame = self
            .regions
            .get_mut(index)
            .and_then(|region| region.alias.frame.take());
        if let Some(frame) = frame {
            memory.free(Granules::assume(frame, PAGES));
        }
    }
}
