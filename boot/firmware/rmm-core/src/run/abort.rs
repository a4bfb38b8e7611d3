//! Stage 2 aborts: whose are they? (DEN0137 A5.3, A4.3.4)

use super::esr::Abort;
use super::{Next, Running, esr, inject};
use crate::hal::{Hal, RunExit};
use crate::pages::LastExit;
use crate::rmm::Rmm;
use crate::rtt::{Entry, Walk};
use ::rmi::rtt::{IpaHalf, Ripas};
use ::rmi::status::Status;
use ::rmi::v1_0::ExitReason;
use addr::Ipa;

/// Bits of `HPFAR_EL2` that hold the faulting IPA's page.
const HPFAR_FIPA: u64 = 0x0000_0fff_ffff_fff0;

/// `HPFAR_EL2` for an IPA.
pub(crate) const fn hpfar(ipa: Ipa) -> u64 {
    (ipa.raw() >> 8) & HPFAR_FIPA
}

/// What the tables say about a faulting address.
enum Place {
    /// Private memory that the host has yet to give, or has taken.
    Missing,
    /// The shared half.
    Shared,
    /// Nothing the Realm may touch.
    Nowhere,
    /// Something is mapped by now: the access may be tried again.
    Mapped,
}

impl<H: Hal> Rmm<'_, H> {
    fn place(&self, running: &Running<'_>, ipa: Ipa) -> Place {
        let walk = self.with_realm(running.owner, |realm| {
            let space = realm.space().ok_or(Status::ErrorInput)?;
            Walk::to_leaf(self.hal, &space, ipa).ok_or(Status::ErrorInput)
        });
        let Ok(walk) = walk else {
            return Place::Nowhere;
        };
        match (walk.half, walk.entry) {
            (_, entry) if entry.is_mapped() => Place::Mapped,
            (IpaHalf::Unprotected, _) => Place::Shared,
            (_, Entry::Unassigned(Ripas::Empty))
            | (
                _,
                Entry::Assigned {
                    ripas: Ripas::Empty,
                    ..
                },
            ) => Place::Nowhere,
            _ => Place::Missing,
        }
    }

    /// The host damaged or poisoned the memory: both sides hear of it.
    fn external(&self, running: &mut Running<'_>, abort: Abort, far: u64) -> Next {
        inject::external_abort(&mut running.rec.context, abort, far);
        running.exit.esr = if abort.is_fetch() {
            abort.fetch()
        } else {
            abort.protected()
        };
        running.leave(ExitReason::Sync)
    }

    fn refuse(&self, running: &mut Running<'_>, abort: Abort, far: u64) -> Next {
        inject::external_abort(&mut running.rec.context, abort, far);
        Next::Resume
    }

    pub(super) fn data_abort(&self, running: &mut Running<'_>, why: &RunExit) -> Next {
        let abort = Abort(why.esr);
        if abort.is_external() {
            return self.external(running, abort, why.far);
        }
        if abort.is_granule_protection() {
            // The host shared a page and took it away without unmapping it.
            return self.refuse(running, abort, why.far);
        }
        let ipa = Ipa::new((why.hpfar & HPFAR_FIPA) << 8);
        match self.place(running, ipa) {
            Place::Nowhere => self.refuse(running, abort, why.far),
            Place::Mapped if abort.is_translation() => Next::Resume,
            Place::Missing => {
                running.exit.esr = abort.protected();
                running.exit.hpfar = hpfar(ipa);
                running.leave(ExitReason::Sync)
            }
            Place::Shared | Place::Mapped => self.shared_access(running, why, ipa),
        }
    }

    fn shared_access(&self, running: &mut Running<'_>, why: &RunExit, ipa: Ipa) -> Next {
        let abort = Abort(why.esr);
        let rec = &mut *running.rec;
        running.exit.esr = abort.unprotected();
        running.exit.far = why.far & (addr::GRANULE_SIZE - 1);
        running.exit.hpfar = hpfar(ipa);
        if abort.is_valid() && abort.is_write() {
            let [data, ..] = &mut running.exit.gprs;
            *data = abort.truncate(rec.context.gpr(abort.register()));
        }
        rec.last_esr = why.esr;
        rec.last_far = why.far;
        rec.set_last_exit(if abort.is_valid() {
            LastExit::Emulatable
        } else {
            LastExit::Unprotected
        });
        running.leave(ExitReason::Sync)
    }

    pub(super) fn instruction_abort(&self, running: &mut Running<'_>, why: &RunExit) -> Next {
        let abort = Abort(why.esr);
        if abort.is_external() {
            return self.external(running, abort, why.far);
        }
        let ipa = Ipa::new((why.hpfar & HPFAR_FIPA) << 8);
        match self.place(running, ipa) {
            Place::Missing => {
                running.exit.esr = abort.fetch();
                running.exit.hpfar = hpfar(ipa);
                running.leave(ExitReason::Sync)
            }
            Place::Mapped if abort.is_translation() => Next::Resume,
            // Nothing is executable outside private memory.
            _ => self.refuse(running, abort, why.far),
        }
    }

    /// Leaves with the abort that an access of the RMM on the Realm's behalf
    /// would have met; the Realm's call is made again afterwards.
    pub(crate) fn leave_for_page(&self, running: &mut Running<'_>, ipa: Ipa, level: i8) -> Next {
        let status = esr::FSC_TRANSLATION + (level.clamp(0, 3) as u64);
        running.exit.esr = esr::with_class(esr::EC_DATA_ABORT_LOWER, status);
        running.exit.hpfar = hpfar(ipa);
        running.leave(ExitReason::Sync)
    }
}
