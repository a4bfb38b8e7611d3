//! `RMI_RTT_CREATE`, `RMI_RTT_DESTROY`, `RMI_RTT_FOLD`, `RMI_RTT_READ_ENTRY`.
//!
//! A valid entry is never replaced by another valid one in place: it is made
//! invalid, the TLBs forget it, then the new one is written (DDI0487 D8.16,
//! break before make).

use super::Reply;
use crate::granule::GranuleState;
use crate::hal::{Hal, TlbScope};
use crate::pages::{self, RealmPage};
use crate::rmm::{Outcome, Rmm};
use crate::rtt::{ENTRIES, Entry, RealmSpace, Walk};
use ::rmi::rtt::{IpaHalf, Ripas, entry_size};
use ::rmi::status::Status;
use addr::{GranuleAddr, Ipa};

/// A level as it comes in a register.
pub(super) fn level_of(raw: u64) -> Outcome<i8> {
    i8::try_from(raw as i64).map_err(|_| Status::ErrorInput)
}

/// Checks that `ipa` names the table at `level` below the start tables: it is
/// aligned to what an entry of the level above maps.
fn table_place(space: &RealmSpace, ipa: Ipa, level: u64) -> Outcome<i8> {
    let level = level_of(level)?;
    if space.is_below_start(level) && space.is_entry(ipa, level - 1) {
        Ok(level)
    } else {
        Err(Status::ErrorInput)
    }
}

impl<H: Hal> Rmm<'_, H> {
    /// Runs `act` on a Realm's tables with its RD locked.
    pub(crate) fn with_tables<T>(
        &self,
        rd: u64,
        act: impl FnOnce(&RealmSpace, &RealmPage) -> Outcome<T>,
    ) -> Outcome<T> {
        let mut guard = self.lock(rd, GranuleState::Rd)?;
        let mut page = pages::locked(self.hal, &mut guard);
        let realm = pages::realm(&mut page);
        let space = realm.space().ok_or(Status::ErrorInput)?;
        act(&space, realm)
    }

    #[inline(never)]
    pub(crate) fn rtt_create(&self, rd: u64, rtt: u64, ipa: u64, level: u64) -> Outcome<()> {
        let (mut rd, mut child) =
            self.lock_two((rd, GranuleState::Rd), (rtt, GranuleState::Delegated))?;
        let mut page = pages::locked(self.hal, &mut rd);
        let realm = pages::realm(&mut page);
        let space = realm.space().ok_or(Status::ErrorInput)?;
        let ipa = Ipa::new(ipa);
        let level = table_place(&space, ipa, level)?;
        let mut walk = Walk::to(self.hal, &space, ipa, level - 1).ok_or(Status::ErrorInput)?;
        if walk.level != level - 1 || matches!(walk.entry, Entry::Table(_)) {
            return Err(Status::ErrorRtt { level: walk.level });
        }
        let parent = walk.entry;
        if parent.is_mapped() {
            let scope = TlbScope::Leaf {
                ipa,
                level: walk.level,
            };
            walk.write(self.hal, Entry::nothing(walk.half));
            self.forget(realm, scope);
        }
        for (index, number) in (0..ENTRIES).zip(0..) {
            let entry = parent
                .unfold(level, number)
                .unwrap_or(Entry::nothing(walk.half));
            self.hal
                .rtte_write(child.granule(), index, entry.encode(level));
        }
        child.become_state(GranuleState::Rtt);
        walk.write(self.hal, Entry::Table(child.granule()));
        Ok(())
    }

    #[inline(never)]
    pub(crate) fn rtt_destroy(&self, rd: u64, ipa: u64, level: u64) -> Reply {
        let done = self.with_tables(rd, |space, realm| {
            let ipa = Ipa::new(ipa);
            let level = table_place(space, ipa, level)?;
            let mut walk = Walk::to(self.hal, space, ipa, level - 1).ok_or(Status::ErrorInput)?;
            let child = match walk.entry {
                Entry::Table(child) if walk.level == level - 1 => child,
                _ => {
                    let top = walk.skip_not_live(self.hal, ipa);
                    let status = Status::ErrorRtt { level: walk.level };
                    return Ok(Reply::with(status, &[0, top.raw()]));
                }
            };
            let holds = |index| {
                let raw = self.hal.rtte_read(child, index);
                Entry::decode(raw, level, walk.half).holds_table()
            };
            if (0..ENTRIES).any(holds) {
                let status = Status::ErrorRtt { level };
                return Ok(Reply::with(status, &[0, ipa.raw()]));
            }
            let left = match walk.half {
                IpaHalf::Protected => Entry::Unassigned(Ripas::Destroyed),
                IpaHalf::Unprotected => Entry::UnassignedNs,
            };
            walk.write(self.hal, left);
            self.forget(realm, TlbScope::All);
            self.release_table(child);
            let top = walk.skip_not_live(self.hal, ipa);
            Ok(Reply::with(Status::Success, &[child.raw(), top.raw()]))
        });
        done.unwrap_or_else(|status| Reply::with(status, &[]))
    }

    #[inline(never)]
    pub(crate) fn rtt_fold(&self, rd: u64, ipa: u64, level: u64) -> Outcome<u64> {
        self.with_tables(rd, |space, realm| {
            let ipa = Ipa::new(ipa);
            let level = table_place(space, ipa, level)?;
            let mut walk = Walk::to(self.hal, space, ipa, level - 1).ok_or(Status::ErrorInput)?;
            let child = match walk.entry {
                Entry::Table(child) if walk.level == level - 1 => child,
                _ => return Err(Status::ErrorRtt { level: walk.level }),
            };
            let folded = self.folded(child, level, walk.half)?;
            walk.write(self.hal, Entry::nothing(walk.half));
            self.forget(realm, TlbScope::All);
            walk.write(self.hal, folded);
            self.release_table(child);
            Ok(child.raw())
        })
    }

    /// The one entry that says the same as all entries of `child`.
    fn folded(&self, child: GranuleAddr, level: i8, half: IpaHalf) -> Outcome<Entry> {
        let read = |index| Entry::decode(self.hal.rtte_read(child, index), level, half);
        let first = read(0);
        if first.output().is_some() && level - 1 < 1 {
            // No blocks of 512 GiB.
            return Err(Status::ErrorRtt { level: level - 1 });
        }
        let aligned = first
            .output()
            .is_none_or(|output| output.is_aligned(entry_size(level - 1)));
        let uniform = (0..ENTRIES)
            .zip(0..)
            .all(|(index, number)| first.unfold(level, number) == Some(read(index)));
        if aligned && uniform {
            Ok(first)
        } else {
            Err(Status::ErrorRtt { level })
        }
    }

    fn release_table(&self, table: GranuleAddr) {
        if let Some(mut guard) = pages::internal(&self.granules, table, GranuleState::Rtt) {
            pages::release(self.hal, &mut guard);
        }
    }

    #[inline(never)]
    pub(crate) fn rtt_read_entry(&self, rd: u64, ipa: u64, level: u64) -> Reply {
        let done = self.with_tables(rd, |space, _| {
            let ipa = Ipa::new(ipa);
            let level = level_of(level)?;
            if level < space.start_level || !space.is_entry(ipa, level) {
                return Err(Status::ErrorInput);
            }
            let walk = Walk::to(self.hal, space, ipa, level).ok_or(Status::ErrorInput)?;
            let (state, desc, ripas) = match walk.entry {
                Entry::Unassigned(ripas) => (0, 0, ripas as u64),
                Entry::UnassignedNs => (0, 0, 0),
                Entry::Assigned {
                    ripas: Ripas::Destroyed,
                    ..
                } => (1, 0, Ripas::Destroyed as u64),
                Entry::Assigned { granule, ripas } => (1, granule.raw(), ripas as u64),
                Entry::AssignedNs { desc } => (1, desc, 0),
                Entry::Table(table) => (2, table.raw(), 0),
            };
            let reached = walk.level as u64;
            Ok(Reply::with(Status::Success, &[reached, state, desc, ripas]))
        });
        done.unwrap_or_else(|status| Reply::with(status, &[0, 0, 0, 0]))
    }
}
