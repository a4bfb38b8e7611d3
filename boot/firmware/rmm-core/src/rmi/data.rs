//! `RMI_DATA_CREATE`, `RMI_DATA_CREATE_UNKNOWN`, `RMI_DATA_DESTROY`.

use super::Reply;
use crate::granule::{GranuleState, Guard};
use crate::hal::{Hal, TlbScope};
use crate::measure;
use crate::pages::{self, RealmPage, RealmState};
use crate::rmm::{Outcome, Rmm};
use crate::rtt::{Entry, RealmSpace, Walk};
use ::rmi::rtt::{LAST_LEVEL, Ripas};
use ::rmi::status::Status;
use addr::{GRANULE_SIZE, Ipa};

/// Flag of `DATA_CREATE`: measure the contents.
const MEASURE_CONTENT: u64 = 1;

/// The page entry where data is to be created.
fn vacancy<H: Hal>(
    hal: &H,
    realm: &RealmPage,
    ipa: Ipa,
    active_too: bool,
) -> Outcome<(Walk, Ripas)> {
    let space = realm.space().ok_or(Status::ErrorInput)?;
    if !ipa.is_aligned(GRANULE_SIZE) || !space.is_protected(ipa) {
        return Err(Status::ErrorInput);
    }
    let ready = match realm.state() {
        RealmState::New => true,
        RealmState::Active => active_too,
        RealmState::SystemOff | RealmState::Zombie => false,
    };
    if !ready {
        return Err(Status::ErrorRealm { index: 0 });
    }
    let walk = Walk::to_leaf(hal, &space, ipa).ok_or(Status::ErrorInput)?;
    match walk.entry {
        Entry::Unassigned(ripas) if walk.level == LAST_LEVEL => Ok((walk, ripas)),
        _ => Err(Status::ErrorRtt { level: walk.level }),
    }
}

impl<H: Hal> Rmm<'_, H> {
    #[inline(never)]
    pub(crate) fn data_create(
        &self,
        rd: u64,
        data: u64,
        ipa: u64,
        source: u64,
        flags: u64,
    ) -> Outcome<()> {
        let source = self.host_page(source)?;
        if flags & !MEASURE_CONTENT != 0 {
            return Err(Status::ErrorInput);
        }
        let (mut rd, mut data) =
            self.lock_two((rd, GranuleState::Rd), (data, GranuleState::Delegated))?;
        let mut page = pages::locked(self.hal, &mut rd);
        let realm = pages::realm(&mut page);
        let (mut walk, _) = vacancy(self.hal, realm, Ipa::new(ipa), false)?;

        if self.hal.copy_from_ns(data.granule(), source).is_err() {
            // What arrived before the fault must not stay in the pool.
            self.hal.zero(data.granule());
            return Err(Status::ErrorInput);
        }
        realm.rim = if flags & MEASURE_CONTENT != 0 {
            let content = pages::locked(self.hal, &mut data);
            measure::data_create(self.hal, &realm.initial(), ipa, flags, Some(&content.0))
        } else {
            measure::data_create(self.hal, &realm.initial(), ipa, flags, None)
        };
        data.become_state(GranuleState::Data);
        walk.write(
            self.hal,
            Entry::Assigned {
                granule: data.granule(),
                ripas: Ripas::Ram,
            },
        );
        Ok(())
    }

    #[inline(never)]
    pub(super) fn data_create_unknown(&self, rd: u64, data: u64, ipa: u64) -> Outcome<()> {
        let (mut rd, mut data) =
            self.lock_two((rd, GranuleState::Rd), (data, GranuleState::Delegated))?;
        let mut page = pages::locked(self.hal, &mut rd);
        let realm = pages::realm(&mut page);
        let (mut walk, ripas) = vacancy(self.hal, realm, Ipa::new(ipa), true)?;
        data.become_state(GranuleState::Data);
        walk.write(
            self.hal,
            Entry::Assigned {
                granule: data.granule(),
                ripas,
            },
        );
        Ok(())
    }

    #[inline(never)]
    pub(super) fn data_destroy(&self, rd: u64, ipa: u64) -> Reply {
        match self.lock(rd, GranuleState::Rd) {
            Ok(guard) => self.data_destroy_locked(guard, Ipa::new(ipa)),
            Err(status) => Reply::with(status, &[]),
        }
    }

    fn data_destroy_locked(&self, mut rd: Guard<'_>, ipa: Ipa) -> Reply {
        let mut page = pages::locked(self.hal, &mut rd);
        let realm = pages::realm(&mut page);
        let found = realm
            .space()
            .filter(|space: &RealmSpace| ipa.is_aligned(GRANULE_SIZE) && space.is_protected(ipa))
            .and_then(|space| Walk::to_leaf(self.hal, &space, ipa));
        let Some(mut walk) = found else {
            return Reply::with(Status::ErrorInput, &[]);
        };
        let Entry::Assigned { granule, ripas } = walk.entry else {
            return self.not_there(&walk, ipa);
        };
        if walk.level != LAST_LEVEL {
            return self.not_there(&walk, ipa);
        }
        let left = match ripas {
            Ripas::Empty => Ripas::Empty,
            Ripas::Ram | Ripas::Destroyed => Ripas::Destroyed,
        };
        let level = walk.level;
        walk.write(self.hal, Entry::Unassigned(left));
        if ripas == Ripas::Ram {
            self.forget(realm, TlbScope::Leaf { ipa, level });
        }
        if let Some(mut data) = pages::internal(&self.granules, granule, GranuleState::Data) {
            pages::release(self.hal, &mut data);
        }
        let top = walk.skip_not_live(self.hal, ipa);
        Reply::with(Status::Success, &[granule.raw(), top.raw()])
    }

    fn not_there(&self, walk: &Walk, ipa: Ipa) -> Reply {
        let top = walk.skip_not_live(self.hal, ipa);
        Reply::with(Status::ErrorRtt { level: walk.level }, &[0, top.raw()])
    }
}
