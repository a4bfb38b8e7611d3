//! `RMI_GRANULE_RANGE_DELEGATE`, `RMI_GRANULE_RANGE_UNDELEGATE`.
//!
//! A call goes as far as it can and says how far; it fails only where it
//! cannot go at all.

use super::{Answer, Refusal, success, with_status};
use crate::behaviour::Behaviour;
use crate::hal::Hal;
use crate::rmm::{Outcome, Rmm};
use ::rmi::status::Status;
use addr::GRANULE_SIZE;

fn each(
    base: u64,
    top: u64,
    behaviour: &Behaviour,
    mut act: impl FnMut(u64) -> Outcome<()>,
) -> Answer {
    let aligned = base.is_multiple_of(GRANULE_SIZE) && top.is_multiple_of(GRANULE_SIZE);
    if !aligned || base >= top {
        return with_status(Status::ErrorInput.raw(), &[base]);
    }
    let mut reached = base;
    for _ in 0..behaviour.granules_per_call.max(1) {
        if reached == top {
            break;
        }
        if let Err(status) = act(reached) {
            if reached == base {
                return with_status(Refusal::from(status).raw(), &[base]);
            }
            break;
        }
        // Below `top`, so it cannot pass the end.
        reached += GRANULE_SIZE;
    }
    success(&[reached])
}

impl<H: Hal> Rmm<'_, H> {
    pub(super) fn range_delegate(&self, base: u64, top: u64, behaviour: &Behaviour) -> Answer {
        each(base, top, behaviour, |pa| self.granule_delegate(pa))
    }

    pub(super) fn range_undelegate(&self, base: u64, top: u64, behaviour: &Behaviour) -> Answer {
        each(base, top, behaviour, |pa| self.granule_undelegate(pa))
    }
}
