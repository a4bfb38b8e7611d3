//! Running a REC: what `RMI_REC_ENTER` does between its two pages
//! (DEN0137 A4.3 to A6).

mod abort;
mod esr;
mod gic;
mod inject;
pub(crate) mod reset;
mod sysreg;
mod timer;

use crate::context::{HCR_TWE, HCR_TWI};
use crate::granule::GranuleState;
use crate::hal::{Hal, RunExit, RunExitKind};
use crate::pages::{self, LastExit, Pending, RealmPage, RealmState, RecPage};
use crate::params::EnterSpec;
use crate::rmm::{Dialect, Outcome, Rmm, log};
use ::rmi::status::Status;
use ::rmi::v1_0::{
    ENTER_FLAG_EMUL_MMIO, ENTER_FLAG_INJECT_SEA, ENTER_FLAG_TRAP_WFE, ENTER_FLAG_TRAP_WFI,
    ExitReason, GICV3_HCR_MASK, RecExit, RecRun,
};
use addr::GranuleAddr;
use core::mem::offset_of;
use zerocopy::{FromZeros, IntoBytes};

/// What comes after the RMM has looked at why a REC stopped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Next {
    /// The REC goes on.
    Resume,
    /// The host must see it; the exit record is filled.
    Exit,
}

/// A REC that this CPU has marked as running, and the host's two records.
pub(crate) struct Running<'r> {
    /// The RD of its Realm, which cannot go away while the REC exists.
    pub(crate) owner: GranuleAddr,
    /// Its page.
    pub(crate) rec: &'r mut RecPage,
    /// Its own granule.
    pub(crate) granule: GranuleAddr,
    /// What the host said.
    pub(crate) enter: &'r EnterSpec,
    /// What the host will read.
    pub(crate) exit: &'r mut RecExit,
}

impl Running<'_> {
    /// Ends the run for a reason.
    pub(crate) fn leave(&mut self, reason: ExitReason) -> Next {
        self.exit.exit_reason = reason as u64;
        Next::Exit
    }
}

impl<H: Hal> Rmm<'_, H> {
    /// Runs `act` on the Realm of a running REC, whose RD it locks.
    pub(crate) fn with_realm<T>(
        &self,
        owner: GranuleAddr,
        act: impl FnOnce(&mut RealmPage) -> Outcome<T>,
    ) -> Outcome<T> {
        let mut guard = self
            .granules
            .lock(owner, GranuleState::Rd)
            .ok_or(Status::ErrorInput)?;
        let mut page = pages::locked(self.hal, &mut guard);
        act(pages::realm(&mut page))
    }

    /// `RMI_REC_ENTER` for a REC that this CPU has marked as running.
    pub(crate) fn enter(
        &self,
        cpu: usize,
        granule: GranuleAddr,
        owner: GranuleAddr,
        run: GranuleAddr,
        runnable: bool,
    ) -> Outcome<()> {
        let enter = EnterSpec::read(self.hal, run).map_err(|_| Status::ErrorInput)?;
        self.with_realm(owner, |realm| match realm.state() {
            RealmState::New => Err(Status::ErrorRealm { index: 0 }),
            RealmState::SystemOff | RealmState::Zombie => Err(Status::ErrorRealm { index: 1 }),
            RealmState::Active => {
                realm.note_entry();
                realm.inside += 1;
                Ok(())
            }
        })?;
        let outcome = self.enter_active(cpu, granule, owner, run, &enter, runnable);
        self.with_realm(owner, |realm| {
            realm.inside = realm.inside.saturating_sub(1);
            Ok(())
        })?;
        outcome
    }

    fn enter_active(
        &self,
        cpu: usize,
        granule: GranuleAddr,
        owner: GranuleAddr,
        run: GranuleAddr,
        enter: &EnterSpec,
        runnable: bool,
    ) -> Outcome<()> {
        if !runnable {
            return Err(Status::ErrorRec);
        }
        let mut page = self.hal.page(granule);
        let rec = pages::rec(&mut page);
        self.check_enter(rec, enter)?;
        self.load_gic(cpu, rec, enter)?;

        let mut exit = RecExit::new_zeroed();
        let mut running = Running {
            owner,
            rec,
            granule,
            enter,
            exit: &mut exit,
        };
        self.answer_access(&mut running);
        if self.complete(&mut running) == Next::Resume {
            self.run_until_exit(cpu, &mut running);
        }
        self.store_gic(cpu, &mut running);
        timer::report(running.rec, running.exit, self.hal.counter());
        self.hal
            .ns_write(run, offset_of!(RecRun, exit), exit.as_bytes())
            .map_err(|_| Status::ErrorInput)
    }

    /// The last checks; after them the entry cannot fail any more.
    fn check_enter(&self, rec: &RecPage, enter: &EnterSpec) -> Outcome<()> {
        if matches!(rec.pending(), Pending::CpuOn | Pending::AffinityInfo) {
            return Err(Status::ErrorRec);
        }
        let inject = enter.flags & ENTER_FLAG_INJECT_SEA != 0;
        let emulated = enter.flags & ENTER_FLAG_EMUL_MMIO != 0;
        let legal = match rec.last_exit() {
            LastExit::Emulatable => !(inject && emulated),
            LastExit::Unprotected => !emulated,
            LastExit::Other => !inject && !emulated,
        };
        if legal { Ok(()) } else { Err(Status::ErrorRec) }
    }

    /// Takes the host's interrupts, from where its dialect has them. That is
    /// the last thing that can fail.
    fn load_gic(&self, cpu: usize, rec: &mut RecPage, enter: &EnterSpec) -> Outcome<()> {
        let gic = &mut rec.context.gic;
        match self.dialect {
            Dialect::V1_0 => {
                gic::check(enter.gicv3_lrs(), enter.gicv3_hcr(), &self.cpu)?;
                gic::load(gic, enter.gicv3_lrs(), enter.gicv3_hcr(), &self.cpu);
            }
            Dialect::V2_0(_) => {
                self.hal.gic_take(cpu, gic);
                let (lrs, hcr) = (gic.lrs, gic.hcr & GICV3_HCR_MASK);
                gic::check(&lrs, hcr, &self.cpu)?;
                gic::load(gic, &lrs, hcr, &self.cpu);
            }
        }
        Ok(())
    }

    fn store_gic(&self, cpu: usize, running: &mut Running<'_>) {
        let gic = &mut running.rec.context.gic;
        match self.dialect {
            Dialect::V1_0 => gic::store(gic, running.exit, &self.cpu),
            Dialect::V2_0(_) => {
                gic::switch_off(gic);
                self.hal.gic_give(cpu, gic);
            }
        }
    }

    /// Gives the REC what the host answered to its last access.
    fn answer_access(&self, running: &mut Running<'_>) {
        let rec = &mut *running.rec;
        let esr = esr::Abort(rec.last_esr);
        if running.enter.flags & ENTER_FLAG_INJECT_SEA != 0 {
            inject::external_abort(&mut rec.context, esr, rec.last_far);
        } else if running.enter.flags & ENTER_FLAG_EMUL_MMIO != 0 {
            if !esr.is_write() {
                let [data, ..] = *running.enter.gprs();
                rec.context.set_gpr(esr.register(), esr.extend(data));
            }
            rec.context.skip_instruction();
        }
        rec.set_last_exit(LastExit::Other);
        rec.last_esr = 0;
        rec.last_far = 0;
    }

    /// Completes the call that the REC left with.
    fn complete(&self, running: &mut Running<'_>) -> Next {
        match running.rec.pending() {
            Pending::Ripas => {
                self.complete_ipa_state_set(running);
                Next::Resume
            }
            Pending::HostCall => self.complete_host_call(running),
            _ => Next::Resume,
        }
    }

    #[inline(never)]
    fn run_until_exit(&self, cpu: usize, running: &mut Running<'_>) {
        let flags = running.enter.flags;
        let mut hcr = 0;
        if flags & ENTER_FLAG_TRAP_WFI != 0 {
            hcr |= HCR_TWI;
        }
        if flags & ENTER_FLAG_TRAP_WFE != 0 {
            hcr |= HCR_TWE;
        }
        let stage2 = running.rec.stage2;
        let [Some(aux), ..] = running.rec.aux_granules() else {
            return;
        };
        let mut aux_page = self.hal.page(aux);
        let fp = &mut pages::aux(&mut aux_page).fp;
        // A Realm that never stops calling cannot stay here for ever: a
        // physical interrupt ends the run, and the host decides.
        loop {
            if timer::changed(running.rec, self.hal.counter()) {
                running.leave(ExitReason::Irq);
                return;
            }
            running.rec.context.hcr = hcr;
            let why = self.hal.run(cpu, &mut running.rec.context, fp, &stage2);
            if self.stopped(running, &why) == Next::Exit {
                return;
            }
        }
    }

    fn stopped(&self, running: &mut Running<'_>, why: &RunExit) -> Next {
        match why.kind {
            RunExitKind::Irq => running.leave(ExitReason::Irq),
            RunExitKind::Fiq => running.leave(ExitReason::Fiq),
            RunExitKind::SError => {
                running.exit.esr = esr::of_serror(why.esr);
                running.leave(ExitReason::SError)
            }
            RunExitKind::Sync => self.synchronous(running, why),
        }
    }

    fn synchronous(&self, running: &mut Running<'_>, why: &RunExit) -> Next {
        match esr::class(why.esr) {
            esr::EC_WFX => {
                running.rec.context.skip_instruction();
                running.exit.esr = esr::of_wfx(why.esr);
                running.leave(ExitReason::Sync)
            }
            esr::EC_SMC64 => self.call(running),
            esr::EC_SYSREG => self.system_register(running, why.esr),
            esr::EC_INSTRUCTION_ABORT_LOWER => self.instruction_abort(running, why),
            esr::EC_DATA_ABORT_LOWER => self.data_abort(running, why),
            esr::EC_HVC64 => {
                // The return address of an HVC is behind it.
                let context = &mut running.rec.context;
                context.pc = context.pc.wrapping_sub(4);
                inject::undefined(context);
                Next::Resume
            }
            esr::EC_UNKNOWN
            | esr::EC_FP
            | esr::EC_LS64
            | esr::EC_PAUTH
            | esr::EC_SVE
            | esr::EC_SME
            | esr::EC_MOPS => {
                // Instructions of features that the Realm was not told of.
                inject::undefined(&mut running.rec.context);
                Next::Resume
            }
            class => {
                log!(
                    self.hal,
                    Warn,
                    "REC {:#x}: exception class {class:#x} at {:#x} is nobody's",
                    running.granule.raw(),
                    running.rec.context.pc
                );
                running.exit.esr = 0;
                running.leave(ExitReason::Sync)
            }
        }
    }
}
