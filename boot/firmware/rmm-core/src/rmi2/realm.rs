//! `RMI_REALM_CREATE`, `RMI_REALM_TERMINATE`, `RMI_REALM_DESTROY`.

use super::{Outcome2, Refusal};
use crate::granule::GranuleState;
use crate::hal::Hal;
use crate::hash::Algorithm;
use crate::pages::{self, RealmPage, RealmState};
use crate::params::RealmSpec;
use crate::rmm::Rmm;
use crate::rtt::RealmSpace;
use ::rmi::status::Status;

impl<H: Hal> Rmm<'_, H> {
    #[inline(never)]
    pub(super) fn realm_create_2(&self, rd: u64, params_pa: u64) -> Outcome2<()> {
        let bad = Refusal::Known(Status::ErrorInput);
        let mut spec = RealmSpec::read(self.hal, self.host_page(params_pa)?).map_err(|_| bad)?;
        spec.vmid = 0;
        let [.., hash_algo] = spec.measured;
        let algorithm = Algorithm::from_raw(hash_algo)
            .filter(|_| !spec.asks_too_much)
            .ok_or(bad)?;
        let space = self.validate(&spec)?;
        let vmids = 1 << self.cpu.vmid_bits();
        spec.vmid = self.vmids.take_any(vmids).ok_or(Refusal::Global)?;
        self.build_realm(rd, &spec, &space, algorithm)
            .map_err(|status| {
                self.vmids.give_back(spec.vmid);
                status.into()
            })
    }

    pub(super) fn realm_terminate(&self, rd: u64) -> Outcome2<()> {
        let mut guard = self.lock(rd, GranuleState::Rd)?;
        let mut page = pages::locked(self.hal, &mut guard);
        let realm = pages::realm(&mut page);
        if realm.inside != 0 {
            return Err(Refusal::Known(Status::ErrorRealm { index: 0 }));
        }
        realm.set_state(RealmState::Zombie);
        Ok(())
    }

    pub(super) fn realm_destroy_2(&self, rd: u64) -> Outcome2<()> {
        let state = self.with_tables(rd, |_, realm| Ok(realm.state()))?;
        if state != RealmState::Zombie {
            return Err(Refusal::Known(Status::ErrorRealm { index: 0 }));
        }
        Ok(self.realm_destroy(rd)?)
    }

    /// Runs `act` on a Realm's tables with its RD locked.
    pub(super) fn with_tables_2<T>(
        &self,
        rd: u64,
        act: impl FnOnce(&RealmSpace, &RealmPage) -> Outcome2<T>,
    ) -> Outcome2<T> {
        // The code it shares with RMI 1.0 has one kind of error; a refusal
        // travels inside.
        self.with_tables(rd, |space, realm| Ok(act(space, realm)))?
    }
}
