//! `RMI_RTT_INIT_RIPAS`, `RMI_RTT_SET_RIPAS`.
//!
//! Both work on the entries of one table per call and say how far they came.

use crate::granule::GranuleState;
use crate::hal::{Hal, TlbScope};
use crate::measure;
use crate::pages::{self, Pending, RealmPage, RealmState};
use crate::rmm::{Dialect, Outcome, Rmm};
use crate::rtt::{Entry, RealmSpace, Walk};
use ::rmi::rtt::Ripas;
use ::rmi::status::Status;
use addr::Ipa;

/// Replaces entries from `base` on for as long as `change` has an answer and
/// they end at or below `top`. How far that was, or where it cannot begin.
fn each_entry<H: Hal>(
    hal: &H,
    space: &RealmSpace,
    base: Ipa,
    top: Ipa,
    mut change: impl FnMut(&mut Walk, Ipa, Ipa) -> bool,
) -> Outcome<Ipa> {
    let mut walk = Walk::to_leaf(hal, space, base).ok_or(Status::ErrorInput)?;
    let stuck = Status::ErrorRtt { level: walk.level };
    if !base.is_aligned(walk.size().max(1)) {
        return Err(stuck);
    }
    let mut reached = base;
    while let Some(next) = reached.checked_add(walk.size()).filter(|next| *next <= top) {
        if !change(&mut walk, reached, next) {
            break;
        }
        reached = next;
        if !walk.next(hal) {
            break;
        }
    }
    if reached > base {
        Ok(reached)
    } else {
        Err(stuck)
    }
}

/// What a Realm's request makes of an entry; `None` where it must stop.
fn changed(entry: Entry, wanted: Ripas, destroyed_too: bool) -> Option<Entry> {
    if entry.ripas()? == Ripas::Destroyed && !destroyed_too {
        return None;
    }
    match entry {
        Entry::Unassigned(_) => Some(Entry::Unassigned(wanted)),
        Entry::Assigned { granule, .. } => Some(Entry::Assigned {
            granule,
            ripas: wanted,
        }),
        _ => None,
    }
}

impl<H: Hal> Rmm<'_, H> {
    #[inline(never)]
    pub(crate) fn rtt_init_ripas(&self, rd: u64, base: u64, top: u64) -> Outcome<u64> {
        let mut guard = self.lock(rd, GranuleState::Rd)?;
        let mut page = pages::locked(self.hal, &mut guard);
        let realm = pages::realm(&mut page);
        let space = realm.space().ok_or(Status::ErrorInput)?;
        let (base, top) = (Ipa::new(base), Ipa::new(top));
        if !space.is_protected_range(base, top) {
            return Err(Status::ErrorInput);
        }
        if realm.state() != RealmState::New {
            return Err(Status::ErrorRealm { index: 0 });
        }
        let mut rim = realm.initial();
        // RMI 2.0 measures no RIPAS, and lets memory come first.
        let measured = self.dialect == Dialect::V1_0;
        let reached = each_entry(self.hal, &space, base, top, |walk, from, to| {
            match walk.entry {
                Entry::Unassigned(Ripas::Empty) => {
                    walk.write(self.hal, Entry::Unassigned(Ripas::Ram));
                }
                Entry::Unassigned(Ripas::Ram) => {}
                Entry::Assigned {
                    granule,
                    ripas: Ripas::Empty | Ripas::Ram,
                } if !measured => {
                    let ripas = Ripas::Ram;
                    walk.write(self.hal, Entry::Assigned { granule, ripas });
                }
                _ => return false,
            }
            if !measured {
                return true;
            }
            rim.value = measure::init_ripas(self.hal, &rim, from.raw(), to.raw());
            true
        })?;
        realm.rim = rim.value;
        Ok(reached.raw())
    }

    #[inline(never)]
    pub(crate) fn rtt_set_ripas(&self, rd: u64, rec: u64, base: u64, top: u64) -> Outcome<u64> {
        if base >= top || top & (addr::GRANULE_SIZE - 1) != 0 {
            return Err(Status::ErrorInput);
        }
        let (mut rd, mut rec) = self.lock_two((rd, GranuleState::Rd), (rec, GranuleState::Rec))?;
        if rec.is_running() || rec.owner() != Some(rd.granule()) {
            return Err(Status::ErrorRec);
        }
        let mut rec_page = pages::locked(self.hal, &mut rec);
        let rec = pages::rec(&mut rec_page);
        if rec.pending() != Pending::Ripas {
            return Err(Status::ErrorInput);
        }
        let request = &mut rec.ripas;
        let wanted = Ripas::from_raw(request.ripas).ok_or(Status::ErrorInput)?;
        if base != request.next || top > request.top {
            return Err(Status::ErrorInput);
        }
        let mut page = pages::locked(self.hal, &mut rd);
        let realm = pages::realm(&mut page);
        let space = realm.space().ok_or(Status::ErrorInput)?;
        let destroyed_too = request.change_destroyed != 0;
        let reached = each_entry(
            self.hal,
            &space,
            Ipa::new(base),
            Ipa::new(top),
            |walk, ipa, _| self.change_ripas(walk, ipa, realm, wanted, destroyed_too),
        )?;
        request.next = reached.raw();
        Ok(reached.raw())
    }

    fn change_ripas(
        &self,
        walk: &mut Walk,
        ipa: Ipa,
        realm: &RealmPage,
        wanted: Ripas,
        destroyed_too: bool,
    ) -> bool {
        let before = walk.entry;
        let Some(after) = changed(before, wanted, destroyed_too) else {
            return false;
        };
        if after != before {
            walk.write(self.hal, after);
            if before.is_mapped() {
                let level = walk.level;
                self.forget(realm, TlbScope::Leaf { ipa, level });
            }
        }
        true
    }
}
