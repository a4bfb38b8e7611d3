//! The machine at work: all its VMs, and who runs where.

use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use ::stage2::Vmids;
use entry::BootInfo;
use realm::plan::Bundle;
use recorder::{Cause, Event};
use report::args::Args;
use report::summary::{CAPACITY, Summary};
use report::summary::{Memory, Outcome};
use sched::{Home, Kicks, Leave, Sched, Slot, Stopped, TaskId};
use spin::Once;
use vcpu::Repeats;
use vm_config::{Plan, VmPlan, map};

use crate::arch::{cpu, guest, stage2, timer};
use crate::bench::Bench;
use crate::calls::Calls;
use crate::console;
use crate::cpus::{self, Local};
use crate::finish;
use crate::flight;
use crate::memory::{Ram, SharedRam, phys};
use crate::network;
use crate::rmm::Rmm;
use crate::sync::{Mutex, rank};
use crate::vm::{Ended, Maker, Turn, Vm};

/// The machine, once there is one.
pub static MACHINE: Once<Machine> = Once::new();

/// The time slice of a vCPU whose CPU others wait for, in milliseconds.
const SLICE_MS: u64 = 10;

/// Bytes of the heap for a VM, and for a vCPU besides: what they take, rounded up to
/// a power of two as the heap does.
const HEAP_PER_VM: usize = 24 << 10;
const HEAP_PER_VCPU: usize = 4 << 10;

/// Rounds of bringing frames that one call goes.
const ROUNDS: usize = 16;

/// No deadline.
const NEVER: u64 = u64::MAX;

/// What there is to run, and what it runs on.
pub struct Machine {
    /// What the boot loader handed over.
    pub boot: BootInfo,
    /// The arguments.
    pub args: Args,
    /// The RMM.
    pub rmm: &'static Rmm,
    /// RAM.
    pub ram: SharedRam,
    /// Counts what exits cost, if asked for.
    pub bench: Option<Bench>,
    /// Who runs where.
    pub sched: Mutex<Sched<'static>, { rank::SCHED }>,
    /// The VMs of the plan.
    pub vms: Vec<Place>,
    /// What memory was in use before the first VM was built.
    pub before: Memory,
    /// Where the end of the run is told.
    pub summary: Mutex<Summary<'static>, { rank::SUMMARY }>,
    /// VMs that are not over yet.
    live: AtomicUsize,
    /// The operator is at work: the run does not end with its last VM.
    held: AtomicBool,
    /// No life begins any more.
    closing: AtomicBool,
    deadline: AtomicU64,
    /// When to look after guests that were asked to stop.
    asked_due: AtomicU64,
}

/// A VM's place in the plan. Both kinds are large, and there is one a VM.
#[expect(clippy::large_enum_variant, reason = "most are the large one")]
pub enum Place {
    /// The VM.
    Here(Vm),
    /// A VM that cannot run here.
    Absent {
        /// Its description.
        plan: VmPlan,
        /// What is said of it at the end.
        outcome: Outcome,
    },
}

impl Place {
    /// Its description.
    pub fn plan(&self) -> &VmPlan {
        match self {
            Self::Here(vm) => &vm.plan,
            Self::Absent { plan, .. } => plan,
        }
    }

    /// The VM, if it can run.
    pub fn vm(&self) -> Option<&Vm> {
        match self {
            Self::Here(vm) => Some(vm),
            Self::Absent { .. } => None,
        }
    }
}

impl Machine {
    /// The machine that `plan` describes; `None`, with a line in the log, if
    /// there is no memory for its books.
    pub fn new(
        boot: BootInfo,
        args: Args,
        plan: Plan<'static>,
        rmm: &'static Rmm,
        mut ram: Ram,
    ) -> Option<Self> {
        let bench = args.bench.then(Bench::start);
        let tasks: usize = plan.vms().map(|vm| 1 + vm.vcpus as usize).sum();
        let vcpus = tasks - plan.len();
        ram.extend_heap(plan.len() * HEAP_PER_VM + vcpus * HEAP_PER_VCPU)?;
        let slots = ram.keep::<Slot>(tasks.max(1))?;
        let room = ram.table::<u8>(CAPACITY)?;
        let slice = timer::frequency() * SLICE_MS / 1000;
        let mut sched = Sched::new(slots, slice);
        let mut vms = Vec::new();
        vms.try_reserve_exact(plan.len()).ok()?;
        let mut maker = Maker {
            rmm,
            bundle: bundle(&boot),
            ram: &mut ram,
            bench,
            promised: 0,
            dedicated: 0,
            vmids: Vmids::new(&stage2::features()),
            plain: guest::setup(),
        };
        let mut next = TaskId::new(0);
        for (plan, number) in plan.vms().zip(1..) {
            let steward = next;
            next = next.plus(1 + plan.vcpus as u16);
            let place = maker.make(plan, number, steward);
            if let Place::Here(vm) = &place {
                introduce(&mut sched, vm);
            }
            vms.push(place);
        }
        if let Some(bench) = bench {
            bench.memory(boot.image.whole().size() + ram.in_use());
        }
        let ticks = |seconds: u64| seconds.saturating_mul(timer::frequency());
        let ram = SharedRam::new(ram);
        Some(Self {
            before: ram.usage(),
            live: vms.iter().filter_map(Place::vm).count().into(),
            deadline: args.deadline.map_or(NEVER, ticks).into(),
            asked_due: NEVER.into(),
            summary: Mutex::new(Summary::new(room)),
            held: false.into(),
            closing: false.into(),
            boot,
            args,
            rmm,
            ram,
            bench,
            sched: Mutex::new(sched),
            vms,
        })
    }

    /// The VMs that can run.
    pub fn vms(&self) -> impl Iterator<Item = &Vm> {
        self.vms.iter().filter_map(Place::vm)
    }

    /// Runs `task` on this CPU until it leaves; says whether it was a vCPU, whose
    /// time is noted.
    pub fn run(&'static self, local: &mut Local, task: TaskId) -> bool {
        let Some((vm, vcpu)) = self.owner(task) else {
            // No slot is started that belongs to nobody.
            self.sched.lock().leave(local.number, Leave::Off);
            return false;
        };
        let number = local.number;
        flight::takes_cpu(vm, vcpu);
        let why = match vcpu.and_then(|index| Some((index, vm.vcpus.get(index)?))) {
            Some((index, vcpu)) => {
                vcpu.tally.comes(timer::now());
                vcpu.slice(&mut Turn {
                    machine: self,
                    local,
                    vm,
                    vcpu: index,
                    tally: vcpu.tally,
                    since: 0,
                    repeats: Repeats::default(),
                })
            }
            None => vm.step(self),
        };
        flight::leaves_cpu(vm, vcpu, why);
        let vcpu = vcpu.and_then(|index| vm.vcpus.get(index));
        if let Some(vcpu) = vcpu {
            vcpu.tally.leaves(timer::now());
        }
        let again = self.sched.lock().leave(number, why);
        if why == Leave::Off
            && let Some(vcpu) = vcpu
        {
            match again {
                true => vcpu.started_again(),
                false => self.wake(vm.steward),
            }
        }
        vcpu.is_some()
    }

    /// The VM that `task` belongs to, and the vCPU of it, unless it is the
    /// steward.
    pub fn owner(&self, task: TaskId) -> Option<(&Vm, Option<usize>)> {
        self.vms().find_map(|vm| {
            let offset = task.index().checked_sub(vm.steward.index())?;
            match offset.checked_sub(1) {
                None => Some((vm, None)),
                Some(vcpu) => (vcpu < vm.vcpus.len()).then_some((vm, Some(vcpu))),
            }
        })
    }

    /// Has a task look at its world again.
    pub fn wake(&self, task: TaskId) {
        let kicks = self.sched.lock().wake(task, cpu::number());
        cpus::kick(kicks);
    }

    /// Wakes those vCPUs of `vm` whose bits are set, for this reason.
    pub fn wake_vcpus(&self, vm: &Vm, vcpus: u64, cause: Cause) {
        if vcpus == 0 {
            return;
        }
        let here = cpu::number();
        let mut kicks = Kicks::NONE;
        let mut sched = self.sched.lock();
        for index in (0..vm.vcpus.len()).filter(|index| vcpus >> index & 1 != 0) {
            flight::note(flight::who(vm, Some(index)), Event::Wake { cause });
            kicks = kicks.and(sched.wake(vm.task(index), here));
        }
        drop(sched);
        cpus::kick(kicks);
    }

    /// Lets a vCPU of `vm` run that is off.
    pub fn start_vcpu(&self, vm: &Vm, index: usize) {
        let cause = Cause::CpuOn;
        flight::note(flight::who(vm, Some(index)), Event::Wake { cause });
        let kicks = self.sched.lock().start(vm.task(index));
        cpus::kick(kicks);
    }

    /// Has the steward of `vm` go to work again.
    pub fn start_steward(&self, vm: &Vm) {
        let kicks = self.sched.lock().start(vm.steward);
        cpus::kick(kicks);
    }

    /// Whether vCPU `index` of `vm` is on.
    pub fn is_alive(&self, vm: &Vm, index: usize) -> bool {
        self.sched.lock().is_alive(vm.task(index))
    }

    /// Whether a vCPU of `vm` is on.
    pub fn any_alive(&self, vm: &Vm) -> bool {
        let sched = self.sched.lock();
        (0..vm.vcpus.len()).any(|index| sched.is_alive(vm.task(index)))
    }

    /// Takes all vCPUs of `vm` off; says whether none runs any more. Those that
    /// do are called.
    pub fn stop_vcpus(&self, vm: &Vm) -> bool {
        let mut kicks = Kicks::NONE;
        let mut sched = self.sched.lock();
        for index in 0..vm.vcpus.len() {
            if let Stopped::Running(cpu) = sched.stop(vm.task(index)) {
                kicks = kicks.and(Kicks::one(cpu));
            }
        }
        drop(sched);
        cpus::kick(kicks);
        kicks.is_none()
    }

    /// Gives every VM what was typed for it.
    pub fn feed_all(&self) {
        if console::any_input() {
            let has_input = |vm: &&Vm| console::has_input(vm.place);
            self.vms().filter(has_input).for_each(|vm| self.feed(vm));
        }
    }

    /// Gives a VM what was typed for it.
    pub fn feed(&self, vm: &Vm) {
        self.wake_vcpus(vm, vm.feed(self.ram), Cause::Device);
    }

    /// Has the virtio device in `slot` of `vm` work, and brings the frames it
    /// sent to the VMs they are for.
    pub fn serve(&self, vm: &Vm, slot: usize) {
        self.wake_vcpus(vm, vm.serve(slot, self.ram), Cause::Device);
        if slot != map::VIRTIO_NET {
            return;
        }
        // A VM that is served may send at once: what comes of that after so many
        // rounds is left to the next who is here, and both are awake.
        for _ in 0..ROUNDS {
            let woken = network::take_woken();
            if woken == 0 {
                return;
            }
            let called = |vm: &&Vm| vm.port().is_some_and(|port| woken >> port & 1 != 0);
            for vm in self.vms().filter(called) {
                self.wake_vcpus(vm, vm.serve(map::VIRTIO_NET, self.ram), Cause::Device);
            }
        }
    }

    /// Says where the vCPUs of a VM stand that is about to be killed for its time:
    /// whether it was busy, or waited, and for what.
    fn tell_standing(&self, vm: &Vm) {
        for index in 0..vm.vcpus.len() {
            let standing = self.sched.lock().standing(vm.task(index));
            let interrupts = vm.devices.lock().board.private_interrupts(index);
            let [pending, enabled, active, listed] = interrupts.unwrap_or_default();
            log::info!(
                "{} vCPU {index}: {standing:?}; private interrupts pending {pending:#x}, \
                 enabled {enabled:#x}, active {active:#x}, listed {listed:#x}",
                vm.plan.name
            );
        }
        flight::tell_exits(vm);
    }

    /// The tick at which [`Machine::check_time`] has something to do; the last
    /// there is, if it has not.
    pub fn due(&self) -> u64 {
        let deadline = self.deadline.load(Ordering::Relaxed);
        deadline.min(self.asked_due.load(Ordering::Relaxed))
    }

    /// Does what has come due at tick `now`.
    #[inline]
    pub fn check_time(&self, now: u64) {
        if now >= self.due() {
            self.check_deadline(now);
            self.attend_asked(now);
        }
    }

    /// Has guests that were asked to stop looked after at tick `at`, or before.
    pub fn attend_asked_at(&self, at: u64) {
        self.asked_due.fetch_min(at, Ordering::AcqRel);
    }

    /// Looks after guests that were asked to stop, if it is time.
    fn attend_asked(&self, now: u64) {
        if now < self.asked_due.load(Ordering::Relaxed) {
            return;
        }
        // Who asks meanwhile brings it forward again.
        self.asked_due.store(NEVER, Ordering::Release);
        for vm in self.vms().filter(|vm| vm.is_asked()) {
            if let Some(again) = vm.attend_asked(self, now) {
                self.attend_asked_at(again);
            }
        }
    }

    /// Ends all VMs if their time is up.
    fn check_deadline(&self, now: u64) {
        if now >= self.deadline.load(Ordering::Relaxed) {
            self.deadline.store(NEVER, Ordering::Relaxed);
            self.close();
            for vm in self.vms() {
                if !vm.is_over() {
                    self.tell_standing(vm);
                }
                vm.end(Ended::Killed);
                self.wake(vm.steward);
            }
        }
    }

    /// A VM has ended for good.
    pub fn one_is_over(&self) {
        if self.live.fetch_sub(1, Ordering::AcqRel) == 1 {
            cpus::kick(Kicks::one(0));
        }
    }

    /// A VM that was over lives again.
    pub fn one_more(&self) {
        self.live.fetch_add(1, Ordering::AcqRel);
    }

    /// Whether the run has come to its end: all VMs have, and the operator does not
    /// want to do something with them.
    pub fn is_over(&self) -> bool {
        self.live.load(Ordering::Acquire) == 0 && !self.held.load(Ordering::Acquire)
    }

    /// The operator has VMs start and end: the run goes on until it is closed.
    pub fn hold(&self) {
        self.held.store(!self.is_closing(), Ordering::Release);
    }

    /// No life begins any more, and the run ends with its last VM.
    pub fn close(&self) {
        self.closing.store(true, Ordering::Release);
        self.held.store(false, Ordering::Release);
        if self.is_over() {
            cpus::kick(Kicks::one(0));
        }
    }

    /// The operator ends all VMs, and with them the run.
    pub fn end_all(&self) {
        self.close();
        for vm in self.vms() {
            vm.kill(false);
            self.wake(vm.steward);
        }
    }

    /// Adds all RMI calls to `calls`; those of vCPUs once they are off.
    pub fn count_calls(&self, calls: &mut Calls) {
        self.rmm.count(calls);
        for vm in self.vms() {
            vm.count_calls(calls);
        }
    }

    /// Whether no life begins any more.
    pub fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    /// Ends the run.
    pub fn finish(&self) -> ! {
        finish::finish(self)
    }

    /// The bundle the VMs came in.
    pub fn bundle(&self) -> Option<Bundle<'static>> {
        bundle(&self.boot)
    }
}

fn bundle(boot: &BootInfo) -> Option<Bundle<'static>> {
    Some(Bundle {
        base: boot.bundle?.base(),
        bytes: phys::bundle(boot)?,
    })
}

/// Makes a VM's tasks known, and has its steward start with building.
fn introduce(sched: &mut Sched<'_>, vm: &Vm) {
    sched.add(vm.steward, Home::Any);
    for index in 0..vm.vcpus.len() {
        let home = vm.plan.cpus.get(index);
        sched.add(
            vm.task(index),
            home.map_or(Home::Any, |cpu| Home::Only(*cpu)),
        );
    }
    // No CPU is at work yet that would have to be told.
    let _ = sched.start(vm.steward);
}
