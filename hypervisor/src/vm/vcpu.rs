//! A virtual CPU: its page, what runs it, and its slices of a physical one.

use core::sync::atomic::Ordering::Relaxed;

use devices::Request;
use realm::{Fault, RipasAnswer};
use recorder::Cause;
use rmi::client::{PsciAnswer, RmiError};
use rmi::rtt::Ripas;
use rsi::psci;
use sched::{Leave, Review};
use vcpu::{Repeats, enter};
use vm_config::CpuOn;

use super::engine::{Engine, Engines, Psci};
use super::{Ended, Tally, Trouble, Vm};
use crate::arch::timer;
use crate::bench::Start;
use crate::calls::Calls;
use crate::console;
use crate::cpus::{self, Local};
use crate::flight;
use crate::machine::Machine;
use crate::memory::RunPage;
use crate::sync::{Mutex, rank};

/// A virtual CPU.
pub struct Vcpu {
    /// What it has done.
    pub tally: &'static Tally,
    /// Whoever runs it holds this for the whole slice.
    body: Mutex<Body, { rank::VCPU }>,
}

/// What a vCPU is made of.
struct Body {
    /// The page it is entered with.
    page: RunPage,
    /// What runs it.
    engine: Engines,
    /// It waits for an interrupt, and its last exit says until when at most.
    waits: bool,
    /// It was started while it was going off: it may turn out to be off.
    tentative: bool,
    /// Its last faults that were none.
    repeats: Repeats,
}

impl Vcpu {
    /// A vCPU that runs nothing.
    pub fn new(page: RunPage, tally: &'static Tally) -> Self {
        Self {
            tally,
            body: Mutex::new(Body {
                page,
                engine: Engines::None,
                waits: false,
                tentative: false,
                repeats: Repeats::default(),
            }),
        }
    }

    /// Gives it a new life.
    pub fn begin(&self) {
        let mut body = self.body.lock();
        body.page.clear();
        body.waits = false;
        body.tentative = false;
    }

    /// Ends its life; the calls made in it are added to `calls`.
    pub fn end(&self, calls: &mut Calls) {
        let mut body = self.body.lock();
        body.engine.count(calls);
        body.engine = Engines::None;
    }

    /// Notes that it was started while it was going off.
    pub fn started_again(&self) {
        self.body.lock().tentative = true;
    }

    /// Runs it until it leaves its CPU, and says why it does.
    pub fn slice(&self, turn: &mut Turn<'_>) -> Leave {
        let body = &mut *self.body.lock();
        if body.waits {
            if let Some(leave) = turn.still_waits(&mut body.page) {
                return leave;
            }
            body.waits = false;
        }
        if matches!(body.engine, Engines::None) {
            let mut guest = turn.vm.guest.lock();
            body.engine = guest.engine(turn.vcpu, turn.machine.rmm);
            drop(guest);
            turn.note_start();
        }
        let page = &mut body.page;
        turn.repeats = body.repeats;
        let left = match &mut body.engine {
            Engines::None => Err(Ended::NotBuilt),
            Engines::V1_0(rec) => turn.run(rec, page),
            Engines::V2_0(rec) => turn.run(rec, page),
            Engines::Plain(vcpu) => turn.run(&mut **vcpu, page),
        };
        body.repeats = turn.repeats;
        if matches!((&left, &body.engine), (Ok(Leave::Off), Engines::Plain(_))) {
            // Another start is another beginning.
            body.engine = Engines::None;
        }
        let tentative = core::mem::take(&mut body.tentative);
        match left {
            Ok(leave) => {
                body.waits = matches!(leave, Leave::Wait { .. });
                leave
            }
            // Not runnable: the start that met it on its way off was none.
            Err(Ended::NotEntered(RmiError::Rec)) if tentative => Leave::Off,
            // The Realm is off: the vCPU that turned it off is on its way to say so.
            Err(Ended::NotEntered(RmiError::Realm(_))) if turn.others_alive() => Leave::Off,
            Err(ended) => {
                turn.vm.end(ended);
                Leave::Off
            }
        }
    }
}

/// A vCPU's turn on a physical CPU.
pub struct Turn<'t> {
    /// The machine.
    pub machine: &'static Machine,
    /// The CPU.
    pub local: &'t mut Local,
    /// The VM.
    pub vm: &'static Vm,
    /// The vCPU.
    pub vcpu: usize,
    /// What it has done.
    pub tally: &'static Tally,
    /// When it exited, if that is noted.
    pub since: u64,
    /// Its last faults that were none.
    pub repeats: Repeats,
}

/// Whether the loop goes on.
type Step = Result<Option<Leave>, Ended>;

impl Turn<'_> {
    /// Enters the vCPU until there is nothing for it to do.
    #[inline(never)]
    fn run<E: Engine>(&mut self, engine: &mut E, page: &mut RunPage) -> Result<Leave, Ended> {
        if let Some(leave) = self.finish()? {
            return Ok(leave);
        }
        engine.attach();
        let left = self.turns(engine, page);
        engine.detach();
        self.leave_nothing();
        left
    }

    /// What the last exit had for other vCPUs must not wait for the next entry.
    #[inline(never)]
    fn leave_nothing(&self) {
        let attention = self.vm.devices.lock().board.attention(self.vcpu);
        self.alert(attention);
    }

    #[inline(always)]
    fn turns<E: Engine>(&mut self, engine: &mut E, page: &mut RunPage) -> Result<Leave, Ended> {
        let vcpu = self.vcpu;
        let bench = self.machine.bench;
        let mut devices = self.vm.devices.lock();
        loop {
            devices.board.before_enter(vcpu, &mut page.get().enter);
            let attention = devices.board.attention(vcpu);
            drop(devices);
            if attention != 0 {
                self.alert(attention);
            }
            let detailed = flight::is_detailed();
            if detailed {
                self.time(page);
            }
            engine.enter(page).map_err(Ended::NotEntered)?;
            let run = page.get();
            if detailed {
                self.since = timer::now();
                flight::exited(&run.exit);
            }
            if let Some(bench) = bench {
                bench.exited(&run.exit);
            }
            self.tally.exited(&run.exit);
            devices = self.vm.devices.lock();
            match devices.exited(vcpu, run) {
                Request::Resume => {}
                // Most interrupts are the guest's own and need nothing more.
                Request::Interrupted => {
                    let taken = self.local.take_interrupts();
                    if !taken.is_nothing() || self.has_input() {
                        drop(devices);
                        if let Some(leave) = self.attend()? {
                            return Ok(leave);
                        }
                        devices = self.vm.devices.lock();
                    }
                }
                Request::Populate(ipa) => {
                    drop(devices);
                    self.populate(ipa)?;
                    devices = self.vm.devices.lock();
                }
                request => {
                    drop(devices);
                    if let Some(leave) = self.perform(request, page, engine)? {
                        return Ok(leave);
                    }
                    devices = self.vm.devices.lock();
                }
            }
        }
    }

    /// Does what devices cannot.
    fn perform(&mut self, request: Request, page: &mut RunPage, engine: &mut dyn Psci) -> Step {
        if flight::is_detailed() {
            return self.act(request, page, engine);
        }
        flight::exited(&page.get().exit);
        let step = self.act(request, page, engine)?;
        if step.is_none() {
            flight::enters();
        }
        Ok(step)
    }

    fn act(&mut self, request: Request, page: &mut RunPage, engine: &mut dyn Psci) -> Step {
        match request {
            Request::Resume | Request::Interrupted | Request::Populate(_) => Ok(None),
            Request::Share(ipa) => self.share(ipa, page),
            Request::Wait => Ok(self.still_waits(page)),
            Request::ConvertRipas { base, top, value } => {
                let answer = match Ripas::from_raw(value.into()) {
                    Some(ripas) => self.convert((base, top), ripas)?,
                    None => RipasAnswer::Reject,
                };
                if answer == RipasAnswer::Reject {
                    enter::reject_ripas(&mut page.get().enter);
                }
                Ok(None)
            }
            Request::CpuOff => Ok(Some(Leave::Off)),
            Request::CpuOn { target } => self.cpu_on(target, engine),
            Request::AffinityInfo { target } => {
                engine.complete(match self.machine.is_alive(self.vm, target) {
                    true => psci::AFFINITY_ON,
                    false => psci::AFFINITY_OFF,
                });
                self.psci_complete(target, PsciAnswer::Success)?;
                Ok(None)
            }
            Request::Device { slot } => {
                self.machine.serve(self.vm, slot);
                self.finish()
            }
            Request::Stop(stop) => Err(Ended::Stopped(stop)),
        }
    }

    /// Whether something was typed for the guest. The first look is enough nearly
    /// always.
    #[inline(always)]
    fn has_input(&self) -> bool {
        console::any_input() && console::has_input(self.vm.place)
    }

    /// Looks at what is going on beside this guest, and then at what its devices
    /// had to leave.
    #[cold]
    fn attend(&mut self) -> Step {
        match self.look_up()? {
            None => self.finish(),
            leave => Ok(leave),
        }
    }

    /// Goes on with what virtio devices had to leave, as long as this vCPU may
    /// keep its CPU: a guest that never runs out of work for a device gets no
    /// more time by it than by anything else.
    fn finish(&mut self) -> Step {
        while let Some(slot) = self.vm.unfinished() {
            if let Some(leave) = self.look_up()? {
                return Ok(Some(leave));
            }
            self.machine.serve(self.vm, slot);
        }
        Ok(None)
    }

    /// Looks at what is going on beside this guest.
    #[cold]
    fn look_up(&mut self) -> Step {
        let now = timer::now();
        self.machine.feed_all();
        self.machine.check_time(now);
        console::attend(now);
        self.vm.devices.lock().outlet.output.flush();
        if self.vm.is_ending() {
            return Ok(Some(Leave::Off));
        }
        // What the operator wants is done between two tasks.
        if console::has_command() {
            return Ok(Some(Leave::Yield));
        }
        let (review, kicks) = self.machine.sched.lock().review(self.local.number, now);
        cpus::kick(kicks);
        match review {
            Review::Go { timer } => {
                self.local.arm(timer);
                Ok(None)
            }
            Review::Preempt => Ok(Some(Leave::Yield)),
        }
    }

    /// Notes that the guest is entered, and how long its last exit took.
    #[cold]
    fn time(&mut self, page: &mut RunPage) {
        let since = core::mem::take(&mut self.since);
        if since != 0 {
            let reason = page.get().exit.exit_reason as u8;
            self.tally.took(reason, timer::now() - since);
        }
        flight::enters();
    }

    /// Notes for benches that a VM is about to be entered.
    #[cold]
    fn note_start(&self) {
        if let (Some(bench), 0) = (self.machine.bench, self.vcpu) {
            bench.starts(Start {
                tick: timer::now(),
                ram: self.machine.ram.usage().ram,
            });
        }
    }

    /// Whether another vCPU of the VM is on.
    #[cold]
    fn others_alive(&self) -> bool {
        let mut others = (0..self.vm.vcpus.len()).filter(|index| *index != self.vcpu);
        others.any(|index| self.machine.is_alive(self.vm, index))
    }

    /// Has other vCPUs of the VM look at their interrupts.
    #[cold]
    fn alert(&self, vcpus: u64) {
        self.machine.wake_vcpus(self.vm, vcpus, Cause::Interrupt);
    }

    /// Why the vCPU, which waits for an interrupt, leaves its CPU; nothing if
    /// there is one for it.
    fn still_waits(&mut self, page: &mut RunPage) -> Option<Leave> {
        if self.vm.is_ending() {
            return Some(Leave::Off);
        }
        if self.has_input() {
            self.machine.feed(self.vm);
        }
        // Should this not be the end of it, this vCPU is woken again.
        if let Some(slot) = self.vm.unfinished() {
            self.machine.serve(self.vm, slot);
        }
        let exit = &page.get().exit;
        let mut devices = self.vm.devices.lock();
        if devices.board.wakes(self.vcpu, exit, timer::now()) {
            return None;
        }
        devices.outlet.output.flush();
        let until = vcpu::timer::next(exit).unwrap_or(u64::MAX);
        let until = Some(until.min(cpus::heartbeat()));
        Some(Leave::Wait { until })
    }

    #[inline]
    fn populate(&mut self, ipa: addr::Ipa) -> Result<(), Ended> {
        let pages = self.vm.guest.lock().populate(self.machine.ram, ipa);
        let pages = pages?;
        self.vm.populated.fetch_add(pages as u64, Relaxed);
        if let Some(bench) = self.machine.bench {
            bench.populated(pages);
        }
        match pages {
            0 => self.go_on_after(ipa),
            _ => Ok(()),
        }
    }

    /// A fault for which there was nothing to do: that may not go on for ever.
    #[cold]
    fn go_on_after(&mut self, ipa: addr::Ipa) -> Result<(), Ended> {
        match self.repeats.again(ipa, self.tally.synchronous()) {
            true => Err(Ended::Stuck(ipa)),
            false => Ok(()),
        }
    }

    fn share(&mut self, ipa: addr::Ipa, page: &mut RunPage) -> Step {
        let shared = self.vm.guest.lock().share(self.machine.ram, ipa);
        match shared {
            Ok(0) => self.go_on_after(ipa).map(|()| None),
            Ok(_) => Ok(None),
            Err(Trouble::Realm(Fault::NotShared(_))) => {
                enter::inject_sea(&mut page.get().enter);
                Ok(None)
            }
            Err(trouble) => Err(trouble.into()),
        }
    }

    fn convert(
        &mut self,
        range: (addr::Ipa, addr::Ipa),
        ripas: Ripas,
    ) -> Result<RipasAnswer, Ended> {
        let (ram, vcpu) = (self.machine.ram, self.vcpu as u32);
        Ok(self.vm.guest.lock().convert(ram, vcpu, range, ripas)?)
    }

    /// Turns another vCPU on. Where there is an RMM it has the last word, so that
    /// one that is on already is told of the start as well: it notices when it
    /// goes off.
    fn cpu_on(&mut self, target: usize, engine: &mut dyn Psci) -> Step {
        if self.vm.plan.realm.cpu_on == CpuOn::Deny {
            engine.complete(psci::DENIED as u64);
            self.psci_complete(target, PsciAnswer::Denied)?;
            return Ok(None);
        }
        let Some(start) = engine.wanted_start() else {
            self.psci_complete(target, PsciAnswer::Success)?;
            self.machine.start_vcpu(self.vm, target);
            return Ok(None);
        };
        // Of two who want the same at once, the second finds it on.
        let mut guest = self.vm.guest.lock();
        let answer = match self.machine.is_alive(self.vm, target) {
            true => psci::ALREADY_ON,
            false => {
                guest.set_start(target, start);
                self.machine.start_vcpu(self.vm, target);
                psci::SUCCESS
            }
        };
        engine.complete(answer as u64);
        Ok(None)
    }

    fn psci_complete(&mut self, target: usize, answer: PsciAnswer) -> Result<(), Ended> {
        let mut guest = self.vm.guest.lock();
        Ok(guest.psci_complete(self.vcpu as u32, target as u32, answer)?)
    }
}
