//! `RMI_REC_CREATE`, `RMI_REC_DESTROY`, `RMI_REC_ENTER`.

use crate::features::AUX_COUNT;
use crate::granule::{GranuleState, Guard, RecMark};
use crate::hal::{Hal, TlbScope};
use crate::measure;
use crate::pages::{self, Aux, MAX_RECS, RealmPage, RealmState, RecPage};
use crate::params::RecSpec;
use crate::rmm::{Outcome, Rmm};
use crate::run::reset;
use ::rmi::status::Status;
use ::rmi::v1_0::{MAX_AUX, Mpidr, REC_FLAG_RUNNABLE};

/// Fills a REC's page, which is all zeroes, from its parameters.
fn fill(page: &mut RecPage, realm: &RealmPage, spec: &RecSpec, mpidr: Mpidr, aux: &Aux) {
    page.index = u64::from(mpidr.index());
    page.set_aux_granules(aux);
    page.stage2 = realm.stage2;
    page.num_bps = realm.num_bps;
    page.num_wps = realm.num_wps;
    reset::power_on(&mut page.context, spec.pc, mpidr);
    for (to, from) in page.context.gprs.iter_mut().zip(spec.gprs) {
        *to = from;
    }
}

impl<H: Hal> Rmm<'_, H> {
    #[inline(never)]
    pub(super) fn rec_create(&self, rd: u64, rec: u64, params_pa: u64) -> Outcome<()> {
        let page = self.host_page(params_pa)?;
        let bad = |_| Status::ErrorInput;
        let spec = RecSpec::read(self.hal, page).map_err(bad)?;
        let [num_aux, aux] = RecSpec::read_aux(self.hal, page).map_err(bad)?;
        if num_aux != AUX_COUNT as u64 {
            return Err(Status::ErrorInput);
        }
        let wanted = [
            Some((self.granule(rd)?, GranuleState::Rd)),
            Some((self.granule(rec)?, GranuleState::Delegated)),
            Some((self.granule(aux)?, GranuleState::Delegated)),
        ];
        let Some([Some(mut rd), Some(mut rec), Some(mut aux)]) = self.granules.lock_all(&wanted)
        else {
            return Err(Status::ErrorInput);
        };
        let mut list = [None; MAX_AUX];
        if let Some(first) = list.first_mut() {
            *first = Some(aux.granule());
        }
        self.install_rec(&mut rd, &mut rec, &spec, &list)?;
        aux.become_state(GranuleState::RecAux);
        Ok(())
    }

    /// Makes a locked granule, which is all zeroes, the next REC of a Realm.
    #[inline(never)]
    pub(crate) fn install_rec(
        &self,
        rd: &mut Guard<'_>,
        rec: &mut Guard<'_>,
        spec: &RecSpec,
        aux: &Aux,
    ) -> Outcome<()> {
        let mpidr = Mpidr::from_raw(spec.mpidr).ok_or(Status::ErrorInput)?;
        if spec.flags & !REC_FLAG_RUNNABLE != 0 {
            return Err(Status::ErrorInput);
        }
        let owner = rd.granule();
        let live = rd.number();
        let mut rd_page = pages::locked(self.hal, rd);
        let realm = pages::realm(&mut rd_page);
        if realm.state() != RealmState::New || realm.recs >= MAX_RECS as u64 {
            return Err(Status::ErrorRealm { index: 0 });
        }
        let index = realm.recs;
        if u64::from(mpidr.index()) != index {
            return Err(Status::ErrorInput);
        }
        realm.add_rec(rec.granule());
        let runnable = spec.flags & REC_FLAG_RUNNABLE != 0;
        if runnable {
            realm.rim = measure::rec_create(self.hal, &realm.initial(), spec);
        }

        rec.become_state(GranuleState::Rec);
        rec.set_owner(owner);
        rec.set_number(index);
        if runnable {
            rec.set_runnable(RecMark::Yes);
        }
        let mut rec_page = pages::locked(self.hal, rec);
        fill(pages::rec(&mut rec_page), realm, spec, mpidr, aux);
        drop(rd_page);
        rd.set_number(live + 1);
        Ok(())
    }

    /// Notes that a REC of a Realm exists no more.
    pub(crate) fn rec_is_gone(&self, rd: &mut Guard<'_>) {
        let live = rd.number().saturating_sub(1);
        rd.set_number(live);
        if live == 0 {
            // Nothing of the Realm is walked any more: what follows until its
            // end needs no maintenance entry by entry.
            let mut page = pages::locked(self.hal, rd);
            let realm = pages::realm(&mut page);
            self.forget(realm, TlbScope::All);
            realm.note_forgotten();
        }
    }

    #[inline(never)]
    pub(super) fn rec_destroy(&self, rec: u64) -> Outcome<()> {
        // The RD must be locked too, and may lie below the REC: look first who
        // it is, then take both in order and see whether that is still so.
        let owner = {
            let guard = self.lock(rec, GranuleState::Rec)?;
            if guard.is_running() {
                return Err(Status::ErrorRec);
            }
            guard.owner().ok_or(Status::ErrorInput)?
        };
        let (mut rd, mut rec) =
            self.lock_two((owner.raw(), GranuleState::Rd), (rec, GranuleState::Rec))?;
        if rec.owner() != Some(owner) {
            return Err(Status::ErrorInput);
        }
        if rec.is_running() {
            return Err(Status::ErrorRec);
        }
        let aux = {
            let mut page = pages::locked(self.hal, &mut rec);
            pages::rec(&mut page).aux_granules()
        };
        for granule in aux.into_iter().flatten() {
            if let Some(mut aux) = pages::internal(&self.granules, granule, GranuleState::RecAux) {
                pages::release(self.hal, &mut aux);
            }
        }
        pages::release(self.hal, &mut rec);
        self.rec_is_gone(&mut rd);
        Ok(())
    }

    #[inline(never)]
    pub(crate) fn rec_enter(&self, cpu: usize, rec: u64, run: u64) -> Outcome<()> {
        let run = self.host_page(run)?;
        let (granule, owner, runnable) = {
            let mut guard = self.lock(rec, GranuleState::Rec)?;
            if guard.is_running() {
                return Err(Status::ErrorRec);
            }
            let owner = guard.owner().ok_or(Status::ErrorInput)?;
            guard.set_running(RecMark::Yes);
            (guard.granule(), owner, guard.is_runnable())
        };
        // From here until the mark is taken off, the page is this CPU's alone.
        let outcome = self.enter(cpu, granule, owner, run, runnable);
        if let Some(mut guard) = self.granules.lock(granule, GranuleState::Rec) {
            guard.set_running(RecMark::No);
        }
        outcome
    }
}
