//! Taking a Realm down (DEN0137 A2.1; order of `REALM_DESTROY`'s needs): it is
//! ended, then go RECs, data, tables from the bottom up, the Realm itself, then its descriptor and
//! start-level tables.
//!
//! Works from any state and allocates nothing. What is taken out is what the
//! host itself put in, so every loop is bounded whatever the RMM answers. What
//! does not come back is quarantined. It goes in short steps, because a CPU that
//! takes one serves nobody else.

use super::{Realm, Rec, Stage};
use crate::intent::{Backend, Blocks, Reserve};
use crate::ledger::Kind;
use crate::life::State;
use crate::region::{self, PAGES, Pages, Shape};
use crate::{Delegated, Granules, Memory, Region};
use addr::{GranuleAddr, Ipa};
use rmi::rtt::{LAST_LEVEL, entry_size};

/// What became of a Realm's granules.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[must_use = "granules that stay with the RMM must be reported"]
pub struct Teardown {
    /// Granules that came back during teardown.
    pub returned: u64,
    /// Granules that stay with the RMM, quarantined.
    pub kept: u64,
}

/// How far taking down is: what goes next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Undo {
    /// The RECs, from the last.
    Recs,
    /// What region `index` holds, from page `page` on, as long as it has `shape`.
    Regions {
        shape: Shape,
        index: usize,
        page: usize,
    },
    /// All else.
    Rest,
}

/// Pages that one step takes out, where each takes a call.
const PAGES_PER_STEP: usize = 64;

impl<B: Backend> Realm<'_, B> {
    /// Takes the Realm down. No vCPU may be running. Afterwards it is dead, and
    /// may be built again.
    pub fn teardown(&mut self, memory: &mut impl Memory) -> Teardown {
        loop {
            if let Some(done) = self.dismantle(memory) {
                return done;
            }
        }
    }

    /// Does one step of taking it down, a short one; says what became of its
    /// granules after the last. No vCPU may be running, and none is to be entered
    /// from the first step on.
    pub fn dismantle(&mut self, memory: &mut impl Memory) -> Option<Teardown> {
        let at = match self.undo {
            Some(at) => at,
            None => {
                if self.state.transition(State::Dying).is_err() {
                    return Some(Teardown::default());
                }
                self.terminate();
                self.came_back.set(0);
                Undo::Recs
            }
        };
        self.undo = self.undo_step(memory, at);
        if self.undo.is_some() {
            return None;
        }
        let kept = self.quarantine_rest();
        self.stage = Stage::Create;
        self.upper_tables = 0;
        // From Dying this way is always open.
        let _ = self.state.transition(State::Dead);
        Some(Teardown {
            returned: self.came_back.get(),
            kept,
        })
    }

    /// Ends the Realm, so that none of its RECs can be entered.
    fn terminate(&self) {
        if let Some(rd) = self.rd
            && let Err(error) = self.rmm.terminate(rd)
        {
            log::error!("the Realm at {rd} does not end: {error}");
        }
    }

    /// Does step `at`, and says which is next.
    fn undo_step(&mut self, memory: &mut impl Memory, at: Undo) -> Option<Undo> {
        // Tables first: the granules they give back pay for splitting blocks.
        let regions = |shape, index, page| Some(Undo::Regions { shape, index, page });
        match at {
            Undo::Recs => match self.recs.pop() {
                Some(rec) => {
                    self.destroy_rec(memory, rec);
                    Some(Undo::Recs)
                }
                None => regions(Shape::Table, 0, 0),
            },
            Undo::Regions { shape, index, page } if index < self.regions.len() => {
                match self.clear(memory, shape, index, page) {
                    Some(page) => regions(shape, index, page),
                    None => regions(shape, index + 1, 0),
                }
            }
            Undo::Regions { shape, .. } => match shape {
                Shape::Table => regions(Shape::Block, 0, 0),
                Shape::Block => regions(Shape::Entry, 0, 0),
                Shape::Entry => Some(Undo::Rest),
            },
            Undo::Rest => {
                self.undo_rest(memory);
                None
            }
        }
    }

    fn undo_rest(&mut self, memory: &mut impl Memory) {
        self.destroy_upper_tables(memory);
        self.destroy_realm(memory);
        while let Some(table) = self.stock.pop() {
            self.give_back(memory, table);
        }
        if let Some(batch) = self.batch.take() {
            self.give_back(memory, batch);
        }
        if let Some(desk) = self.desk.take() {
            memory.free(desk);
        }
        for index in 0..self.regions.len() {
            self.retire_frame(memory, index);
            // Even a Realm that stays never runs again: nobody enters its RECs.
            self.retire_alias(memory, index);
        }
    }

    fn destroy_rec(&mut self, memory: &mut impl Memory, rec: Rec) {
        let mut left = rec.reserve;
        let result = match self.desk(memory) {
            Some(mut desk) => self.rmm.destroy_rec(rec.granule, &mut left, &mut desk),
            None => return,
        };
        match result {
            Err(error) => log::error!("the REC at {} does not go: {error}", rec.granule),
            Ok(()) => {
                if let Some(granule) = self.ledger.reclaim(rec.granule, Kind::Rec, self.vm) {
                    self.give_back(memory, granule);
                }
            }
        }
        // What came back did so whatever became of the REC.
        self.settle_reserve(memory, rec.reserve, left);
    }

    /// Gives back what the RMM used of a reserve before and does no more.
    fn settle_reserve(&self, memory: &mut impl Memory, before: Reserve, left: Reserve) {
        let mut pending: Option<Granules<Delegated>> = None;
        for index in 0..before.count() {
            let came = before.holds(index) && !left.holds(index);
            let granule = before.get(index).filter(|_| came);
            let Some(granule) = granule.and_then(|g| self.ledger.reclaim(g, Kind::RecAux, self.vm))
            else {
                continue;
            };
            pending = Some(match pending.take() {
                None => granule,
                Some(run) => match run.append(granule) {
                    Ok(run) => run,
                    Err((run, granule)) => {
                        self.give_back(memory, run);
                        granule
                    }
                },
            });
        }
        if let Some(run) = pending {
            self.give_back(memory, run);
        }
    }

    /// Empties region `index` from page `page` on, if it has `shape`, by one step,
    /// and destroys its table after the last. Says from which page on to go on.
    fn clear(
        &mut self,
        memory: &mut impl Memory,
        shape: Shape,
        index: usize,
        page: usize,
    ) -> Option<usize> {
        if page == 0 {
            if self.alias_shape(index) == shape {
                self.clear_alias(memory, index);
            }
            if self.shape(index) != shape || !self.can_be_emptied(index) {
                return None;
            }
        }
        let populated = self.regions.get(index)?.populated;
        if let Some(first) = populated.run_from(page) {
            // What is mapped as a block goes as a whole.
            let count = match self.rmm.blocks() {
                Blocks::ByFold => PAGES_PER_STEP,
                Blocks::Direct => PAGES,
            };
            let end = first.start.saturating_add(count).min(PAGES);
            self.drain(memory, index, Pages::of(first.start..end));
            if end < PAGES {
                return Some(end);
            }
        }
        self.close_region(memory, index);
        None
    }

    /// Makes sure that the pages of region `index` can be taken out one by one
    /// where that is the only way.
    fn can_be_emptied(&mut self, index: usize) -> bool {
        let in_pages = self.rmm.blocks() == Blocks::ByFold;
        self.shape(index) != Shape::Block || !in_pages || self.split_from_stock(index)
    }

    /// Destroys the table of region `index`, which was emptied.
    fn close_region(&mut self, memory: &mut impl Memory, index: usize) {
        if let Some(region) = self.regions.get_mut(index)
            && region.shape == Shape::Block
            && region.populated.is_empty()
        {
            region.shape = Shape::Entry;
        }
        if self.shape(index) == Shape::Table {
            let ipa = region::base(self.spec.ram, index);
            if self.destroy_table(memory, ipa, LAST_LEVEL)
                && let Some(region) = self.regions.get_mut(index)
            {
                region.shape = Shape::Entry;
            }
        }
        self.retire_frame(memory, index);
    }

    /// Splits the block of region `index` with a granule of the stock.
    fn split_from_stock(&mut self, index: usize) -> bool {
        let ipa = region::base(self.spec.ram, index);
        let (Some(rd), Some(table)) = (self.rd, self.stock.pop()) else {
            log::error!("no granule is left to split the block at {ipa}");
            return false;
        };
        match self.rmm.create(rd, table.base(), ipa, LAST_LEVEL) {
            Ok(()) => {
                self.ledger.place(table, Kind::Rtt3, self.vm);
                if let Some(region) = self.regions.get_mut(index) {
                    region.shape = Shape::Table;
                }
                true
            }
            Err(error) => {
                log::error!("the block at {ipa} does not split: {error}");
                // There is room: it was popped from there.
                let _ = self.stock.push(table);
                false
            }
        }
    }

    /// Destroys the table of a region's alias. Mappings of host memory do not
    /// keep it.
    fn clear_alias(&mut self, memory: &mut impl Memory, index: usize) {
        if self.alias_shape(index) != Shape::Table {
            return;
        }
        let ipa = self.spec.ipa.shared(region::base(self.spec.ram, index));
        if self.destroy_table(memory, ipa, LAST_LEVEL)
            && let Some(region) = self.regions.get_mut(index)
        {
            region.alias.shape = Shape::Entry;
        }
    }

    fn destroy_table(&mut self, memory: &mut impl Memory, ipa: Ipa, level: i8) -> bool {
        let Some(rd) = self.rd else { return false };
        match self.rmm.destroy(rd, ipa, level) {
            Ok(removed) => {
                let kind = Kind::rtt(level);
                if let Some(table) = self.ledger.reclaim(removed.granule, kind, self.vm) {
                    self.stock_put(memory, table);
                }
                true
            }
            Err(blocked) => {
                log::error!(
                    "the level-{level} RTT over {ipa} does not go: {}",
                    blocked.error
                );
                false
            }
        }
    }

    /// Destroys the tables between the start level and level 3, bottom up, over
    /// RAM and its alias, skipping where the RMM says that there are none.
    fn destroy_upper_tables(&mut self, memory: &mut impl Memory) {
        let ram = self.spec.ram;
        let space = self.spec.ipa;
        let start = self.spec.start_level + 1;
        for level in (start..LAST_LEVEL).rev() {
            let span = entry_size(level - 1);
            for half in [ram.base(), space.shared(ram.base())] {
                let mut at = half.align_down(span);
                let end = half.raw().saturating_add(ram.size());
                while self.upper_tables > 0 && at.raw() < end {
                    let next = Ipa::new(at.raw().saturating_add(span));
                    at = self
                        .destroy_upper(memory, at, level)
                        .unwrap_or(next)
                        .max(next);
                    at = at.align_down(span);
                }
            }
        }
    }

    /// Destroys one table if it is there; returns where the RMM says to go on.
    fn destroy_upper(&mut self, memory: &mut impl Memory, at: Ipa, level: i8) -> Option<Ipa> {
        let rd = self.rd?;
        match self.rmm.destroy(rd, at, level) {
            Ok(removed) => {
                self.upper_tables -= 1;
                let kind = Kind::rtt(level);
                if let Some(table) = self.ledger.reclaim(removed.granule, kind, self.vm) {
                    self.stock_put(memory, table);
                }
                None
            }
            Err(blocked) => blocked.top,
        }
    }

    /// Destroys the Realm itself.
    fn destroy_realm(&mut self, memory: &mut impl Memory) {
        let Some(rd) = self.rd.take() else { return };
        if let Err(error) = self.rmm.destroy_realm(rd) {
            log::error!("the Realm at {rd} does not go: {error}");
            return;
        }
        let count = usize::from(self.spec.start_tables);
        let kind = Kind::rtt(self.spec.start_level);
        let tables = self
            .start_tables
            .take()
            .and_then(|base| self.ledger.reclaim_run(base, count, kind, self.vm));
        let rd = self.ledger.reclaim(rd, Kind::Rd, self.vm);
        for run in [tables, rd].into_iter().flatten() {
            self.give_back(memory, run);
        }
    }

    /// Quarantines what the books still say the RMM holds for this VM.
    fn quarantine_rest(&mut self) -> u64 {
        if self.ledger.counts().outstanding == 0 {
            return 0;
        }
        let vm = self.vm;
        let mut kept = 0;
        for (granule, owner) in self.ledger.held().filter(|(_, owner)| owner.vm == vm) {
            kept += 1;
            if owner.kind != Kind::Quarantined {
                log::error!("{granule} stays with the RMM: {owner}");
                self.ledger.quarantine(granule, vm);
            }
        }
        kept
    }

    /// The granule of the Realm's descriptor, while there is one.
    pub fn rd(&self) -> Option<GranuleAddr> {
        self.rd
    }
}

impl Region {
    /// Whether anything of it needs teardown; for tests and reports.
    pub fn is_idle(&self) -> bool {
        self.populated.is_empty()
            && self.shape == Shape::Entry
            && self.frame.is_none()
            && self.alias.shape != Shape::Table
    }
}
