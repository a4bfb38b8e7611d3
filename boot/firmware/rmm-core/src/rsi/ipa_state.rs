//! `RSI_IPA_STATE_SET`, `RSI_IPA_STATE_GET`.

use super::{Args, answer};
use crate::hal::Hal;
use crate::pages::{Pending, RipasRequest};
use crate::rmm::Rmm;
use crate::rtt::Walk;
use crate::run::{Next, Running};
use ::rmi::rtt::Ripas;
use ::rmi::status::Status as RmiStatus;
use ::rmi::v1_0::{ENTER_FLAG_RIPAS_RESPONSE, ExitReason};
use ::rsi::{IPA_STATE_CHANGE_DESTROYED, RESPONSE_ACCEPT, RESPONSE_REJECT, Status};
use addr::Ipa;

impl<H: Hal> Rmm<'_, H> {
    fn is_protected_range(&self, running: &Running<'_>, base: u64, top: u64) -> bool {
        let checked = self.with_realm(running.owner, |realm| {
            let space = realm.space().ok_or(RmiStatus::ErrorInput)?;
            Ok(space.is_protected_range(Ipa::new(base), Ipa::new(top)))
        });
        checked.unwrap_or(false)
    }

    pub(super) fn ipa_state_set(&self, running: &mut Running<'_>, args: &Args) -> Next {
        let [base, top, ripas, flags, ..] = *args;
        let settable = ripas == Ripas::Empty as u64 || ripas == Ripas::Ram as u64;
        if !settable || !self.is_protected_range(running, base, top) {
            return answer(running, Status::ErrorInput, &[]);
        }
        running.rec.ripas = RipasRequest {
            next: base,
            top,
            ripas,
            change_destroyed: flags & IPA_STATE_CHANGE_DESTROYED,
        };
        running.rec.set_pending(Pending::Ripas);
        running.exit.ripas_base = base;
        running.exit.ripas_top = top;
        running.exit.ripas_value = ripas;
        running.leave(ExitReason::RipasChange)
    }

    /// Tells the Realm how far the host went.
    pub(crate) fn complete_ipa_state_set(&self, running: &mut Running<'_>) {
        let request = running.rec.ripas;
        let rejected = running.enter.flags & ENTER_FLAG_RIPAS_RESPONSE != 0
            && request.ripas == Ripas::Ram as u64
            && request.next != request.top;
        let response = if rejected {
            RESPONSE_REJECT
        } else {
            RESPONSE_ACCEPT
        };
        running.rec.set_pending(Pending::None);
        running.rec.ripas = RipasRequest {
            next: 0,
            top: 0,
            ripas: 0,
            change_destroyed: 0,
        };
        answer(running, Status::Success, &[request.next, response]);
    }

    pub(super) fn ipa_state_get(&self, running: &mut Running<'_>, base: u64, top: u64) -> Next {
        let found = self.with_realm(running.owner, |realm| {
            let space = realm.space().ok_or(RmiStatus::ErrorInput)?;
            let (base, top) = (Ipa::new(base), Ipa::new(top));
            if !space.is_protected_range(base, top) {
                return Err(RmiStatus::ErrorInput);
            }
            let mut walk = Walk::to_leaf(self.hal, &space, base).ok_or(RmiStatus::ErrorInput)?;
            let ripas = walk.entry.ripas().ok_or(RmiStatus::ErrorInput)?;
            let mut reached = base.align_down(walk.size().max(1));
            while reached < top && walk.entry.ripas() == Some(ripas) {
                reached = reached.checked_add(walk.size()).unwrap_or(top);
                if !walk.next(self.hal) {
                    break;
                }
            }
            Ok((reached.min(top), ripas))
        });
        match found {
            Ok((reached, ripas)) => {
                answer(running, Status::Success, &[reached.raw(), ripas as u64])
            }
            Err(_) => answer(running, Status::ErrorInput, &[]),
        }
    }
}
