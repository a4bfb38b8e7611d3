//! `RMI_PSCI_COMPLETE` with two arguments: the RMM finds the REC itself.

use super::{Outcome2, Refusal};
use crate::granule::GranuleState;
use crate::hal::Hal;
use crate::pages::{self, Pending};
use crate::rmm::Rmm;
use ::rmi::status::Status;

impl<H: Hal> Rmm<'_, H> {
    pub(super) fn psci_complete_2(&self, calling: u64, status: u64) -> Outcome2<()> {
        let bad = Refusal::Known(Status::ErrorInput);
        let (owner, index) = {
            let mut guard = self.lock(calling, GranuleState::Rec)?;
            let owner = guard.owner().ok_or(bad)?;
            if guard.is_running() {
                return Err(bad);
            }
            let mut page = pages::locked(self.hal, &mut guard);
            let rec = pages::rec(&mut page);
            if !matches!(rec.pending(), Pending::CpuOn | Pending::AffinityInfo) {
                return Err(bad);
            }
            (owner, rec.psci.target)
        };
        let target =
            self.with_realm(owner, |realm| realm.rec_at(index).ok_or(Status::ErrorInput))?;
        Ok(self.psci_complete(calling, target.raw(), status)?)
    }
}
