//! `RMI_REALM_CREATE`, `RMI_REALM_TERMINATE`, `RMI_REALM_DESTROY`.

use super::{Outcome2, Refusal};
use crate::granule::GranuleState;
use crate::hal::Hal;
use crate::hash::Algorithm;
use crate::pages::{self, RealmPage, RealmState};
use crate::rmm::Rmm;
use crate::rtt::RealmSpace;
use ::rmi::status::Status;
use ::rmi::v1_0;
use ::rmi::v2_0::RealmParams;
use zerocopy::{FromZeros, IntoBytes};

impl<H: Hal> Rmm<'_, H> {
    #[inline(never)]
    pub(super) fn realm_create_2(&self, rd: u64, params_pa: u64) -> Outcome2<()> {
        let bad = Refusal::Known(Status::ErrorInput);
        let mut given = RealmParams::new_zeroed();
        self.hal
            .ns_read(self.host_page(params_pa)?, 0, given.as_mut_bytes())
            .map_err(|_| bad)?;
        if given.flags1 != 0 || given.num_aux_planes != 0 || given.max_num_vdevs != 0 {
            return Err(bad);
        }
        let algorithm = Algorithm::from_raw(given.hash_algo).ok_or(bad)?;
        // What is measured stands where RMI 1.0 has it.
        let mut params = v1_0::RealmParams::new_zeroed();
        params.flags = given.flags0;
        params.s2sz = given.s2sz;
        params.sve_vl = given.sve_vl;
        params.num_bps = given.num_bps;
        params.num_wps = given.num_wps;
        params.pmu_num_ctrs = given.pmu_num_ctrs;
        params.hash_algo = given.hash_algo;
        params.rpv = given.rpv;
        params.rtt_base = given.rtt_base;
        params.rtt_level_start = given.rtt_level_start;
        params.rtt_num_start = given.rtt_num_start;
        let space = self.validate(&params)?;
        let vmids = 1 << self.cpu.vmid_bits();
        params.vmid = self.vmids.take_any(vmids).ok_or(Refusal::Global)?;
        self.build_realm(rd, &params, &space, algorithm)
            .map_err(|status| {
                self.vmids.give_back(params.vmid);
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
