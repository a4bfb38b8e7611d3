//! `RMI_PSCI_COMPLETE`: the host names the REC that a PSCI call meant.

use crate::granule::{GranuleState, RecMark};
use crate::hal::Hal;
use crate::pages::{self, Pending};
use crate::rmm::{Outcome, Rmm};
use crate::run::reset;
use ::rmi::status::Status;
use ::rmi::v1_0::Mpidr;
use ::rsi::psci;

/// A PSCI status as it stands in a register.
fn encoded(status: i64) -> u64 {
    status as u64
}

impl<H: Hal> Rmm<'_, H> {
    #[inline(never)]
    pub(crate) fn psci_complete(&self, calling: u64, target: u64, status: u64) -> Outcome<()> {
        let (mut caller, mut target) =
            self.lock_two((calling, GranuleState::Rec), (target, GranuleState::Rec))?;
        if caller.owner() != target.owner() || caller.is_running() {
            return Err(Status::ErrorInput);
        }
        let target_is_on = target.is_runnable() || target.is_running();
        let mut page = pages::locked(self.hal, &mut caller);
        let caller = pages::rec(&mut page);
        let pending = caller.pending();
        if !matches!(pending, Pending::CpuOn | Pending::AffinityInfo)
            || caller.psci.target != target.number()
        {
            return Err(Status::ErrorInput);
        }
        let denied = status == encoded(psci::DENIED);
        if status != encoded(psci::SUCCESS) && !(denied && pending == Pending::CpuOn) {
            return Err(Status::ErrorInput);
        }
        let answer = match pending {
            Pending::AffinityInfo if target.is_runnable() => psci::AFFINITY_ON,
            Pending::AffinityInfo => psci::AFFINITY_OFF,
            _ if target_is_on => encoded(psci::ALREADY_ON),
            _ => status,
        };
        if pending == Pending::CpuOn && !target_is_on && !denied {
            let mut page = pages::locked(self.hal, &mut target);
            let rec = pages::rec(&mut page);
            let index = u32::try_from(rec.index).map_err(|_| Status::ErrorInput)?;
            reset::power_on(
                &mut rec.context,
                caller.psci.entry,
                Mpidr::from_index(index),
            );
            rec.context.set_gpr(0, caller.psci.context_id);
            drop(page);
            target.set_runnable(RecMark::Yes);
        }
        caller.set_pending(Pending::None);
        caller.context.set_gpr(0, answer);
        // A host may not deny what has happened already; the call is over all
        // the same.
        if pending == Pending::CpuOn && target_is_on && denied {
            return Err(Status::ErrorInput);
        }
        Ok(())
    }
}
