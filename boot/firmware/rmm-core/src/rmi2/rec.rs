//! `RMI_REC_CREATE`, `RMI_REC_DESTROY`: the same RECs, in several calls.

use super::operation::{Operation, Work, operation};
use super::{Answer, Outcome2, Refusal, with_status};
use crate::behaviour::Behaviour;
use crate::granule::GranuleState;
use crate::hal::Hal;
use crate::pages;
use crate::params::RecSpec;
use crate::rmm::Rmm;
use ::rmi::status::Status;
use ::rmi::v1_0::MAX_AUX;

impl<H: Hal> Rmm<'_, H> {
    pub(super) fn rec_create_2(
        &self,
        rd: u64,
        rec: u64,
        params: u64,
        behaviour: &Behaviour,
    ) -> Answer {
        let begun = self.begin_create(rd, rec, params, behaviour);
        match begun {
            Ok(answer) => answer,
            Err(refusal) => with_status(refusal.raw(), &[]),
        }
    }

    #[inline(never)]
    fn begin_create(
        &self,
        rd: u64,
        rec: u64,
        params: u64,
        behaviour: &Behaviour,
    ) -> Outcome2<Answer> {
        let params = self.host_page(params)?;
        let (_, mut guard) =
            self.lock_two((rd, GranuleState::Rd), (rec, GranuleState::Delegated))?;
        let work = Work::Create { rd, params };
        let mut operation = operation(work, guard.granule(), behaviour);
        operation.wanted = behaviour.rec_granules();
        let answer = self.operations.begin(&operation)?;
        guard.become_state(GranuleState::Partial);
        Ok(answer)
    }

    pub(super) fn rec_destroy_2(&self, rec: u64, behaviour: &Behaviour) -> Answer {
        match self.begin_destroy(rec, behaviour) {
            Ok(answer) => answer,
            Err(refusal) => with_status(refusal.raw(), &[]),
        }
    }

    #[inline(never)]
    fn begin_destroy(&self, rec: u64, behaviour: &Behaviour) -> Outcome2<Answer> {
        let mut guard = self.lock(rec, GranuleState::Rec)?;
        if guard.is_running() {
            return Err(Refusal::Known(Status::ErrorRec));
        }
        let owner = guard.owner().ok_or(Refusal::Known(Status::ErrorInput))?;
        let aux = {
            let mut page = pages::locked(self.hal, &mut guard);
            pages::rec(&mut page).aux_granules()
        };
        let mut operation = operation(Work::Destroy { owner }, guard.granule(), behaviour);
        operation.aux = aux;
        let answer = self.operations.begin(&operation)?;
        guard.become_state(GranuleState::Partial);
        Ok(answer)
    }

    /// The last step of an operation.
    #[inline(never)]
    pub(super) fn finish(&self, operation: &mut Operation) -> Outcome2<()> {
        match operation.work {
            Work::Create { rd, params } => self.finish_create(operation, rd, params),
            Work::Destroy { owner } => {
                let (mut rd, mut rec) = self.lock_two(
                    (owner.raw(), GranuleState::Rd),
                    (operation.rec.raw(), GranuleState::Partial),
                )?;
                pages::release(self.hal, &mut rec);
                self.rec_is_gone(&mut rd);
                Ok(())
            }
        }
    }

    #[inline(never)]
    fn finish_create(
        &self,
        operation: &mut Operation,
        rd: u64,
        page: addr::GranuleAddr,
    ) -> Outcome2<()> {
        let bad = Refusal::Known(Status::ErrorInput);
        let spec = RecSpec::read(self.hal, page).map_err(|_| bad)?;
        let (mut rd, mut rec) = self.lock_two(
            (rd, GranuleState::Rd),
            (operation.rec.raw(), GranuleState::Partial),
        )?;
        self.install_rec(&mut rd, &mut rec, &spec, &operation.aux)?;
        operation.aux = [None; MAX_AUX];
        Ok(())
    }
}
