//! A VM's steward: the task that builds the VM, watches over it, takes it down,
//! and builds it again if it is to restart.
//!
//! Each step is short, so that VMs come up and go beside each other and beside
//! those that run.

use core::sync::atomic::Ordering::Relaxed;

use addr::GranuleAddr;
use heapless::Vec;
use realm::Progress;
use realm::rim::Rim;
use recorder::Event;
use report::summary::{Exits, Outcome};
use sched::Leave;
use vm_config::VmKind;

use super::{Ended, Next, Stage, Vm};
use crate::arch::timer;
use crate::calls::Calls;
use crate::console;
use crate::flight;
use crate::machine::Machine;
use crate::selftest;

/// Pages copied into a VM in one step.
const PAGES_PER_STEP: usize = 64;

/// Pages from which on a VM's images take long enough to tell of progress.
const TOLD_FROM: u64 = 1024;

/// A VM's course of life, and what is to be said of it at the end.
pub struct Life {
    /// Restarts that are left.
    restarts: u32,
    /// Quarters of the images of which was told.
    told: u64,
    /// Pages that were in after the last step.
    before: u64,
    /// It is being taken down, and what is said of its end was said.
    told_end: bool,
    /// A granule of it that a self-test gave away.
    withheld: Option<GranuleAddr>,
    /// How the last life ended.
    pub ended: Option<Ended>,
    /// What is said of that in the summary.
    pub outcome: Outcome,
    /// The RIM by the host's own books.
    pub rim: Option<Rim>,
    /// The RIM as the payload reported it.
    pub rim_reported: Option<Vec<u8, 64>>,
    /// Calls that vCPUs of earlier lives made.
    pub calls: Calls,
}

impl Life {
    /// Pages of its images that were put in.
    pub fn copied(&self) -> u64 {
        self.before
    }

    /// A life that begins with building.
    pub fn new(restarts: u32) -> Self {
        Self {
            restarts,
            told: 0,
            before: 0,
            told_end: false,
            withheld: None,
            ended: None,
            outcome: Outcome::Crashed,
            rim: None,
            rim_reported: None,
            calls: Calls::default(),
        }
    }
}

impl Vm {
    /// What it is called in the log.
    pub fn kind(&self) -> &'static str {
        match self.plan.kind {
            VmKind::Realm => "Realm",
            VmKind::Normal => "VM",
        }
    }

    /// Takes one step of its life.
    pub fn step(&'static self, machine: &'static Machine) -> Leave {
        let life = &mut *self.life.lock();
        match self.stage.get() {
            Stage::Build => self.build(life, machine),
            Stage::Run => self.watch(machine),
            Stage::TakeDown => self.take_down(life, machine),
            Stage::Over => Leave::Off,
        }
    }

    fn build(&self, life: &mut Life, machine: &'static Machine) -> Leave {
        let started = timer::now();
        let step = self.guest.lock().advance(machine.ram, PAGES_PER_STEP);
        match step {
            Ok(now) => {
                self.note_progress(life, machine, started, now);
                if now.ready && !self.is_ending() {
                    return self.begin(life, machine);
                }
            }
            Err(error) => {
                log::error!("{} {}: {error}", self.kind(), self.plan.name);
                self.end(Ended::NotBuilt);
            }
        }
        if self.is_ending() {
            self.enter(Stage::TakeDown);
        }
        Leave::Yield
    }

    fn note_progress(&self, life: &mut Life, machine: &Machine, started: u64, now: Progress) {
        let pages = now.done.saturating_sub(life.before);
        if let Some(bench) = machine.bench
            && pages > 0
        {
            bench.measured(timer::now() - started, pages);
        }
        life.before = now.done;
        let quarters = 4 * now.done / now.total.max(1);
        if !now.ready && quarters > life.told && now.total >= TOLD_FROM {
            life.told = quarters;
            let (done, total) = (now.done >> 8, now.total >> 8);
            let (kind, name) = (self.kind(), &self.plan.name);
            log::info!("{kind} {name}: {done} of {total} MiB are in");
        }
    }

    /// Lets its first vCPU run.
    fn begin(&self, life: &mut Life, machine: &'static Machine) -> Leave {
        self.devices.lock().board.reset();
        for vcpu in &self.vcpus {
            vcpu.begin();
        }
        life.withheld = selftest::begins(self, machine);
        log::info!("{} {} runs", self.kind(), self.plan.name);
        self.enter(Stage::Run);
        machine.start_vcpu(self, 0);
        Leave::Wait { until: None }
    }

    /// Waits for the end, and then until no vCPU runs any more.
    fn watch(&self, machine: &Machine) -> Leave {
        if !self.is_ending() {
            if machine.any_alive(self) {
                return Leave::Wait { until: None };
            }
            self.end(Ended::NoCpuLeft);
        }
        if !machine.stop_vcpus(self) {
            // The last of them wakes the steward when it has left.
            return Leave::Wait { until: None };
        }
        self.enter(Stage::TakeDown);
        Leave::Yield
    }

    fn take_down(&self, life: &mut Life, machine: &Machine) -> Leave {
        if !life.told_end {
            self.tell_end(life);
        }
        if let Some(granule) = life.withheld.take() {
            selftest::ends(granule, machine);
        }
        let Some(taken) = self.guest.lock().take_down(machine.ram) else {
            return Leave::Yield;
        };
        let (kind, name) = (self.kind(), &self.plan.name);
        match self.plan.kind {
            VmKind::Realm => log::info!(
                "{kind} {name}: {} granules came back, {} stay with the RMM",
                taken.returned,
                taken.kept
            ),
            VmKind::Normal => log::info!("{kind} {name}: {} pages came back", taken.returned),
        }
        self.bury(life, machine)
    }

    /// Says how it ended, and takes note of it.
    fn tell_end(&self, life: &mut Life) {
        let ended = self.end.lock().why.take().unwrap_or(Ended::NotBuilt);
        self.settle(life);
        log::info!("{} {}: {ended}", self.kind(), self.plan.name);
        if ended.outcome() == Outcome::Crashed {
            let event = Event::Crash {
                syndrome: 0,
                address: 0,
            };
            flight::note(flight::who(self, None), event);
            flight::tell_last_of(self);
            flight::tell_exits(self);
        }
        life.ended = Some(ended);
        life.outcome = ended.outcome();
        life.told_end = true;
    }

    /// It is down: it lives again, or is over.
    fn bury(&self, life: &mut Life, machine: &Machine) -> Leave {
        let (kind, name) = (self.kind(), &self.plan.name);
        life.told_end = false;
        self.note(recorder::Stage::Destroyed);
        let resets = life.outcome == Outcome::Reset && life.restarts > 0;
        let next = self.lives_again(resets && !machine.is_closing());
        if next != Next::Over {
            // Its disks keep what it wrote if it began again by itself.
            match next {
                Next::Anew => self.devices.lock().holdings.renew(machine.ram),
                _ => life.restarts = life.restarts.saturating_sub(1),
            }
            self.anew(life);
            log::info!("{kind} {name} starts again");
            return Leave::Yield;
        }
        let mut devices = self.devices.lock();
        if let Some(port) = devices.holdings.port() {
            log::info!("{kind} {name}: network: {}", port.counters());
        }
        devices.holdings.leave();
        drop(devices);
        let _ = self.rim(life, machine);
        console::ended(self.place);
        machine.one_is_over();
        Leave::Off
    }

    /// Notes that it goes to a stage of its life.
    fn enter(&self, stage: Stage) {
        self.stage.set(stage);
        self.note(match stage {
            Stage::Build => recorder::Stage::Create,
            Stage::Run => recorder::Stage::Active,
            Stage::TakeDown => recorder::Stage::Teardown,
            Stage::Over => recorder::Stage::Destroyed,
        });
    }

    fn note(&self, stage: recorder::Stage) {
        flight::note(flight::who(self, None), Event::Life { stage });
    }

    /// Another building begins.
    fn anew(&self, life: &mut Life) {
        self.note(recorder::Stage::Create);
        life.told = 0;
        life.before = 0;
        life.rim = None;
        self.populated.store(0, Relaxed);
        self.starts.fetch_add(1, Relaxed);
    }

    /// Begins another life of a VM that is over; false if it is not.
    pub fn start(&'static self, machine: &'static Machine) -> bool {
        let life = &mut *self.life.lock();
        if !self.is_over() || machine.is_closing() {
            return false;
        }
        life.restarts = self.plan.restarts;
        self.anew(life);
        self.devices.lock().holdings.renew(machine.ram);
        console::started(self.place);
        // Nobody wants its end yet.
        self.end.lock().comes_back = true;
        let _ = self.lives_again(false);
        machine.one_more();
        machine.start_steward(self);
        true
    }

    /// Its RIM by the calls made; the hash of all measured pages is taken once.
    pub fn rim(&self, life: &mut Life, machine: &Machine) -> Option<Rim> {
        if life.rim.is_none()
            && let Some(bundle) = machine.bundle()
        {
            life.rim = self.guest.lock().rim(&bundle);
        }
        life.rim
    }

    /// Takes note of what its devices and vCPUs leave behind.
    fn settle(&self, life: &mut Life) {
        let mut devices = self.devices.lock();
        devices.outlet.output.flush();
        let reported = devices.outlet.rim.take();
        drop(devices);
        life.rim_reported = reported.or(life.rim_reported.take());
        for vcpu in &self.vcpus {
            vcpu.end(&mut life.calls);
        }
    }

    /// Its exits so far.
    pub fn exits(&self) -> Exits {
        let counted = *self.devices.lock().counters();
        Exits {
            sync: counted.sync,
            irq: counted.irq,
            fiq: counted.fiq,
            psci: counted.psci,
            ripas_change: counted.ripas_change,
            host_call: counted.host_call,
            serror: counted.serror,
        }
    }
}
