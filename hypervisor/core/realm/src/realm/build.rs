//! Building a Realm, in the order that its measurement prescribes: RAM, then
//! measured contents by ascending IPA, RECs, unmeasured contents, activation
//! (DEN0137 A2.1, and the recipe in [`crate::rim`]).

use super::fault::Supply;
use super::{Cause, DESK_PAGES, Realm, RealmError, Step};
use crate::intent::{Backend, Reached};
use crate::ledger::Kind;
use crate::life::State;
use crate::region::{self, Pages, Shape};
use crate::rim::{self, Event};
use crate::{Delegated, Granules, Image, Memory, Region};
use addr::{GRANULE_SIZE, GranuleAddr, Ipa, IpaRange};
use rmi::client::{Contents, RmiError};
use rmi::rtt::LAST_LEVEL;

/// Pages copied in between two reports of progress.
const PAGES_PER_STEP: usize = 512;

/// How far building has come, in pages of images.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    /// Pages copied in.
    pub done: u64,
    /// Pages of all images.
    pub total: u64,
    /// Whether the Realm can run.
    pub ready: bool,
}

/// What building does next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stage {
    Create,
    Ripas(Ipa),
    Data {
        contents: Contents,
        image: usize,
        page: u32,
    },
    Recs,
    Activate,
    Ready,
}

impl<B: Backend> Realm<'_, B> {
    /// Builds the Realm until it can run; `progress` hears how far it is. A
    /// failure undoes everything.
    pub fn build(
        &mut self,
        memory: &mut impl Memory,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(), RealmError> {
        loop {
            match self.advance(memory, PAGES_PER_STEP) {
                Ok(now) => {
                    progress(now);
                    if now.ready {
                        return Ok(());
                    }
                }
                Err(error) => {
                    let undone = self.teardown(memory);
                    if undone.kept > 0 {
                        log::error!("{} granules stay with the RMM", undone.kept);
                    }
                    return Err(error);
                }
            }
        }
    }

    /// Does one step of building, copying at most `pages` pages. After a
    /// failure, [`teardown`](Self::teardown) undoes what was done.
    pub fn advance(
        &mut self,
        memory: &mut impl Memory,
        pages: usize,
    ) -> Result<Progress, RealmError> {
        match self.stage {
            Stage::Create => self.create(memory)?,
            Stage::Ripas(at) => self.init_ripas(memory, at)?,
            Stage::Data {
                contents,
                image,
                page,
            } => self.copy_in(memory, contents, image, page, pages)?,
            Stage::Recs => self.create_rec(memory)?,
            Stage::Activate => self.activate()?,
            Stage::Ready => {}
        }
        Ok(Progress {
            done: self.pages_done(),
            total: self.spec.image_pages(),
            ready: self.stage == Stage::Ready,
        })
    }

    fn pages_done(&self) -> u64 {
        let all = |wanted: Contents, until: usize| -> u64 {
            let before = self.spec.images.iter().take(until);
            before
                .filter(|image| image.contents == wanted)
                .map(|image| u64::from(image.pages))
                .sum()
        };
        match self.stage {
            Stage::Create | Stage::Ripas(_) => 0,
            Stage::Data {
                contents,
                image,
                page,
            } => {
                let first = match contents {
                    Contents::Measured => 0,
                    Contents::Unmeasured => all(Contents::Measured, usize::MAX),
                };
                first + all(contents, image) + u64::from(page)
            }
            Stage::Recs => all(Contents::Measured, usize::MAX),
            Stage::Activate | Stage::Ready => self.spec.image_pages(),
        }
    }

    fn create(&mut self, memory: &mut impl Memory) -> Result<(), RealmError> {
        let step = Step::Create;
        if self.state == State::Dead {
            self.change(State::None, step)?;
        }
        self.change(State::New, step)?;
        self.transcript.clear();
        self.finished = false;
        self.regions.fill(Region::default());
        let pages = memory
            .alloc(DESK_PAGES)
            .ok_or(step.failed(Cause::OutOfMemory))?;
        self.desk = Some(pages);
        let rd = self.obtain(memory, 1).map_err(|cause| step.failed(cause))?;
        let tables = match self.obtain(memory, usize::from(self.spec.start_tables)) {
            Ok(tables) => tables,
            Err(cause) => {
                self.give_back(memory, rd);
                return Err(step.failed(cause));
            }
        };
        let result = match self.desk(memory) {
            Some(mut desk) => {
                self.rmm
                    .create_realm(rd.base(), &self.spec, tables.base(), &mut desk)
            }
            None => Err(RmiError::Input),
        };
        if let Err(error) = result {
            self.give_back(memory, rd);
            self.give_back(memory, tables);
            return Err(step.failed(error));
        }
        self.rd = Some(self.ledger.place(rd, Kind::Rd, self.vm));
        let kind = Kind::rtt(self.spec.start_level);
        self.start_tables = Some(self.ledger.place(tables, kind, self.vm));
        self.stage = Stage::Ripas(self.spec.ram.base());
        Ok(())
    }

    pub(super) fn change(&mut self, to: State, step: Step) -> Result<(), RealmError> {
        self.state
            .transition(to)
            .map_err(|error| step.failed(Cause::State(error)))
    }

    /// Makes the entries of one table RAM, creating tables only where alignment
    /// demands them: depth is part of the measurement.
    fn init_ripas(&mut self, memory: &mut impl Memory, at: Ipa) -> Result<(), RealmError> {
        let step = Step::InitRipas(at);
        let rd = self.descriptor(step)?;
        let ram = self.spec.ram;
        let (level, end) = rim::chunk(self.spec.start_level, at, ram.top());
        if level == LAST_LEVEL
            && let Some(place) = region::place(ram, at)
        {
            self.need_table(memory, place.region)?;
        }
        let reached = self.init_ripas_at(memory, rd, at, end, level)?;
        if self.rmm.measured().ripas {
            self.transcript.push(Event::Ripas {
                base: at,
                top: reached,
                level,
            });
        }
        self.mark_ram(at, reached);
        self.stage = if reached < ram.top() {
            Stage::Ripas(reached)
        } else {
            Stage::Data {
                contents: Contents::Measured,
                image: 0,
                page: 0,
            }
        };
        Ok(())
    }

    /// The call itself, with the tables that the RMM says are missing.
    fn init_ripas_at(
        &mut self,
        memory: &mut impl Memory,
        rd: GranuleAddr,
        at: Ipa,
        end: Ipa,
        level: i8,
    ) -> Result<Ipa, RealmError> {
        let step = Step::InitRipas(at);
        for _ in self.spec.start_level..level {
            match self.rmm.init_ripas(rd, at, end) {
                Ok(reached) => return Ok(reached),
                Err(RmiError::Rtt { level: reached })
                    if (self.spec.start_level..level).contains(&reached) =>
                {
                    self.add_table_at(memory, at, reached + 1)?;
                }
                Err(error) => return Err(step.failed(error)),
            }
        }
        self.rmm
            .init_ripas(rd, at, end)
            .map_err(|error| step.failed(error))
    }

    pub(super) fn mark_ram(&mut self, base: Ipa, top: Ipa) {
        let ram = self.spec.ram;
        let Ok(range) = IpaRange::new(base, top) else {
            return;
        };
        for index in region::indices(ram, range) {
            if let Some(region) = self.regions.get_mut(index) {
                region.ram.insert(region::pages_of(ram, index, range));
            }
        }
    }

    /// Copies at most `budget` pages of image `index` in, within one region.
    fn copy_in(
        &mut self,
        memory: &mut impl Memory,
        contents: Contents,
        index: usize,
        page: u32,
        budget: usize,
    ) -> Result<(), RealmError> {
        let Some(image) = self.spec.images.get(index).copied() else {
            self.stage = match contents {
                Contents::Measured => Stage::Recs,
                Contents::Unmeasured => Stage::Activate,
            };
            return Ok(());
        };
        let mut done = 0;
        if image.contents == contents {
            done = self.copy_pages(memory, &image, page, budget)?;
        }
        let next = page + done;
        self.stage = if image.contents != contents || next >= image.pages {
            Stage::Data {
                contents,
                image: index + 1,
                page: 0,
            }
        } else {
            Stage::Data {
                contents,
                image: index,
                page: next,
            }
        };
        Ok(())
    }

    fn copy_pages(
        &mut self,
        memory: &mut impl Memory,
        image: &Image,
        first: u32,
        budget: usize,
    ) -> Result<u32, RealmError> {
        let ipa = Ipa::new(image.ipa.raw() + u64::from(first) * GRANULE_SIZE);
        let step = Step::CopyIn(ipa);
        let rd = self.descriptor(step)?;
        let outside = step.failed(Cause::Rmm(RmiError::Input));
        let place = region::place(self.spec.ram, ipa).ok_or(outside)?;
        let left = (image.pages - first) as usize;
        let count = left.min(budget.max(1)).min(region::PAGES - place.page);
        self.need_table(memory, place.region)?;
        let mut at = 0;
        while at < count {
            let pages = place.page + at..place.page + count;
            let (run, supply) = self.supply(memory, place.region, pages, step)?;
            let (copied, result) = self.copy_run(rd, image, first + at as u32, &run);
            self.record_copy(image, first + at as u32, copied as u32);
            self.settle_supply(memory, place.region, place.page + at, run, copied, supply);
            result.map_err(|error| step.failed(error))?;
            at += copied;
        }
        if self.regions.get(place.region).is_some_and(Region::is_whole) {
            self.fold(memory, place.region, Shape::Block);
        }
        Ok(count as u32)
    }

    /// Copies pages of `image` from page `first` on into the granules of `run`.
    fn copy_run(
        &self,
        rd: GranuleAddr,
        image: &Image,
        first: u32,
        run: &Granules<Delegated>,
    ) -> Reached {
        for index in 0..run.count() {
            let offset = u64::from(first) + index as u64;
            let (Some(data), Some(source), Some(ipa)) = (
                run.get(index),
                image.source.checked_add(offset),
                image.ipa.checked_add(offset * GRANULE_SIZE),
            ) else {
                return (index, Err(RmiError::Input));
            };
            if let Err(error) = self.rmm.copy_in(rd, data, ipa, source, image.contents) {
                return (index, Err(error));
            }
        }
        (run.count(), Ok(()))
    }

    fn record_copy(&mut self, image: &Image, first: u32, pages: u32) {
        if pages == 0 {
            return;
        }
        let offset = u64::from(first);
        let (Some(ipa), Some(source)) = (
            image.ipa.checked_add(offset * GRANULE_SIZE),
            image.source.checked_add(offset),
        ) else {
            return;
        };
        self.transcript.push(Event::Data(Image {
            ipa,
            source,
            pages,
            contents: image.contents,
        }));
    }

    fn activate(&mut self) -> Result<(), RealmError> {
        let step = Step::Activate;
        let rd = self.descriptor(step)?;
        self.rmm.activate(rd).map_err(|error| step.failed(error))?;
        self.change(State::Active, step)?;
        self.finished = true;
        self.stage = Stage::Ready;
        Ok(())
    }

    /// Notes what became of supplied granules: the first `used` of `run` are
    /// data from page `page` on, the others go back.
    pub(super) fn settle_supply(
        &mut self,
        memory: &mut impl Memory,
        index: usize,
        page: usize,
        run: Granules<Delegated>,
        used: usize,
        supply: Supply,
    ) {
        let (used_run, rest) = run.split(used);
        if let Some(used_run) = used_run {
            let pages = Pages::of(page..page + used_run.count());
            self.ledger.place(used_run, supply.kind(), self.vm);
            if let Some(region) = self.regions.get_mut(index) {
                region.populated.insert(pages);
                if supply == Supply::Stray {
                    region.strays.insert(pages);
                }
            }
        }
        if let Some(rest) = rest {
            self.release(memory, rest, supply);
        }
    }
}
