//! Translation tables: made on demand, kept in stock, folded when that is sure
//! to work.
//!
//! The stock holds the granules of tables that went away, still delegated.
//! Every block came from a table whose granule went into the stock, so that
//! either the stock or another level-3 table can pay for splitting it: teardown
//! needs no memory.

use super::{Cause, Realm, RealmError, Step};
use crate::intent::Backend;
use crate::ledger::Kind;
use crate::life::State;
use crate::region::{self, Shape};
use crate::{Delegated, Granules, Memory};
use addr::{GranuleAddr, Ipa};
use rmi::client::RmiError;
use rmi::rtt::{LAST_LEVEL, entry_size};

impl<B: Backend> Realm<'_, B> {
    /// The granule of the Realm's descriptor, for a step that gives the Realm
    /// something. One that is being taken down gets nothing: what was taken out
    /// already is not looked at again.
    pub(super) fn descriptor(&self, step: Step) -> Result<GranuleAddr, RealmError> {
        let rd = self.rd.filter(|_| self.state != State::Dying);
        rd.ok_or(step.failed(Cause::Rmm(RmiError::Realm(0))))
    }

    /// A granule for a level-3 table.
    fn stock_take(&mut self, memory: &mut impl Memory) -> Result<Granules<Delegated>, Cause> {
        match self.stock.pop() {
            Some(table) => Ok(table),
            None => self.obtain(memory, 1),
        }
    }

    /// Keeps the granule of a table that went away.
    pub(super) fn stock_put(&mut self, memory: &mut impl Memory, table: Granules<Delegated>) {
        if let Err(table) = self.stock.push(table) {
            self.give_back(memory, table);
        }
    }

    /// Creates the level-3 table over `ipa`, and those above it that lack.
    pub(super) fn add_table(
        &mut self,
        memory: &mut impl Memory,
        ipa: Ipa,
    ) -> Result<(), RealmError> {
        self.add_table_at(memory, ipa, LAST_LEVEL)
    }

    /// Creates the table of `bottom` over `ipa`, and those above it that lack.
    pub(super) fn add_table_at(
        &mut self,
        memory: &mut impl Memory,
        ipa: Ipa,
        bottom: i8,
    ) -> Result<(), RealmError> {
        let mut level = bottom;
        // Each table above may lack once: one try to find out, one to make it.
        for _ in 0..2 * LAST_LEVEL {
            let step = Step::Table { ipa, level };
            let rd = self.descriptor(step)?;
            let table = match level {
                LAST_LEVEL => self.stock_take(memory),
                // These stay until the end, so they must not drain the stock.
                _ => self.obtain(memory, 1),
            }
            .map_err(|cause| step.failed(cause))?;
            let at = ipa.align_down(entry_size(level - 1));
            match self.rmm.create(rd, table.base(), at, level) {
                Ok(()) => {
                    self.ledger.place(table, Kind::rtt(level), self.vm);
                    if level < LAST_LEVEL {
                        self.upper_tables += 1;
                    }
                    if level == bottom {
                        return Ok(());
                    }
                    level += 1;
                }
                Err(error) => {
                    self.stock_put(memory, table);
                    match error {
                        RmiError::Rtt { level: reached }
                            if reached >= self.spec.start_level && reached < level - 1 =>
                        {
                            level = reached + 1;
                        }
                        error => return Err(step.failed(error)),
                    }
                }
            }
        }
        Err(Step::Table { ipa, level }.failed(RmiError::Rtt { level }))
    }

    /// Makes sure that region `index` has a level-3 table.
    pub(super) fn need_table(
        &mut self,
        memory: &mut impl Memory,
        index: usize,
    ) -> Result<(), RealmError> {
        if self.shape(index) != Shape::Table {
            self.add_table(memory, region::base(self.spec.ram, index))?;
            if let Some(region) = self.regions.get_mut(index) {
                region.shape = Shape::Table;
            }
        }
        Ok(())
    }

    #[inline]
    pub(super) fn shape(&self, index: usize) -> Shape {
        self.regions
            .get(index)
            .map_or(Shape::Entry, |region| region.shape)
    }

    /// Replaces the table of region `index` by one entry, which its caller
    /// knows to be possible. A refusal costs nothing but the table.
    pub(super) fn fold(&mut self, memory: &mut impl Memory, index: usize, to: Shape) {
        let Some(rd) = self.rd else { return };
        let ipa = region::base(self.spec.ram, index);
        match self.rmm.fold(rd, ipa, LAST_LEVEL) {
            Ok(granule) => {
                if let Some(region) = self.regions.get_mut(index) {
                    region.shape = to;
                }
                if let Some(table) = self.ledger.reclaim(granule, Kind::Rtt3, self.vm) {
                    self.stock_put(memory, table);
                }
            }
            Err(error) => log::warn!("the level-3 RTT over {ipa} does not fold: {error}"),
        }
    }
}
