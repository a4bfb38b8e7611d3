//! `RMI_GRANULE_DELEGATE`, `RMI_GRANULE_UNDELEGATE`.
//!
//! A delegated granule is all zeroes: it is scrubbed here on its way in, and
//! by whoever gives it back to the pool. On its way out nothing is left to do.

use crate::granule::GranuleState;
use crate::hal::Hal;
use crate::pages;
use crate::rmm::{Outcome, Rmm};
use ::rmi::status::Status;

impl<H: Hal> Rmm<'_, H> {
    pub(crate) fn granule_delegate(&self, pa: u64) -> Outcome<()> {
        let mut guard = self.lock(pa, GranuleState::Undelegated)?;
        self.hal
            .delegate(guard.granule())
            .map_err(|_| Status::ErrorInput)?;
        pages::release(self.hal, &mut guard);
        Ok(())
    }

    pub(crate) fn granule_undelegate(&self, pa: u64) -> Outcome<()> {
        let mut guard = self.lock(pa, GranuleState::Delegated)?;
        self.hal
            .undelegate(guard.granule())
            .map_err(|_| Status::ErrorInput)?;
        guard.become_state(GranuleState::Undelegated);
        Ok(())
    }
}
