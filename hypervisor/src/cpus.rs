//! The physical CPUs: how the others are started, and what each does for ever.

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use conduit::{Conduit, Regs};
use entry::{MAX_CPUS, SecondaryBoot};
use heapless::Vec;
use platform::{Platform, PsciConduit};
use recorder::{Event, Who};
use rsi::psci;
use sched::{Kicks, Pick, TaskId};
use spin::Once;

use crate::arch::smc::SmcConduit;
use crate::arch::{cpu, gic, guest, timer};
use crate::console;
use crate::flight;
use crate::interrupts::{self, Taken};
use crate::machine::{MACHINE, Machine};
use crate::memory::phys;
use crate::operator;

/// Seconds that a CPU has to come up.
const PATIENCE: u64 = 5;
/// How often a second is looked whether they are up.
const LOOKS: u64 = 100_000;

/// The CPUs by their dense numbers.
static CPUS: Once<Vec<u64, MAX_CPUS>> = Once::new();
/// What each of them starts with, at its own number.
static BOOTS: Once<[SecondaryBoot; MAX_CPUS]> = Once::new();
/// The CPUs that are up, a bit for each.
static UP: AtomicU32 = AtomicU32::new(1);

/// Starts the CPUs of the platform, as far as this image has stacks for them,
/// and waits until they are up. One that does not come stays away, with a line
/// that says so.
pub fn start(platform: &Platform, ttbr: u64) {
    let own = cpu::affinity();
    let others = platform.cpus.iter().map(|cpu| cpu.mpidr);
    let others = others.filter(|mpidr| *mpidr != own);
    let all: Vec<u64, MAX_CPUS> = core::iter::once(own).chain(others).take(MAX_CPUS).collect();
    if platform.cpus.len() > MAX_CPUS {
        let left = platform.cpus.len() - MAX_CPUS;
        log::warn!("{left} CPUs stay off: this image has stacks for {MAX_CPUS}");
    }
    let all = CPUS.call_once(|| all);
    if all.len() > 1 && platform.psci.conduit != PsciConduit::Smc {
        log::warn!("PSCI is called by HVC, which EL2 cannot: one CPU it is");
        return;
    }
    let boots = BOOTS.call_once(|| {
        core::array::from_fn(|number| SecondaryBoot {
            ttbr,
            stack_top: entry::stack_top(number).raw(),
            cpu: number as u64,
        })
    });
    let mut expected = 1;
    for ((number, mpidr), boot) in all.iter().enumerate().zip(boots).skip(1) {
        phys::clean(boot);
        let context = &raw const *boot as u64;
        let entry = entry::secondary_entry().raw();
        let call = Regs::call(psci::CPU_ON_64, &[*mpidr, entry, context]);
        let Regs([answer, ..]) = SmcConduit.call(call);
        match answer {
            0 => expected |= 1 << number,
            code => log::error!(
                "CPU {number} (MPIDR {mpidr:#x}) stays off: PSCI CPU_ON gave {}",
                code as i64
            ),
        }
    }
    wait_for(expected);
}

/// Waits for CPUs that were told to start.
fn wait_for(expected: u32) {
    let deadline = timer::now() + PATIENCE * timer::frequency();
    while UP.load(Ordering::Acquire) & expected != expected {
        if timer::now() > deadline {
            let missing = expected & !UP.load(Ordering::Acquire);
            for number in (0..MAX_CPUS).filter(|number| missing >> number & 1 != 0) {
                log::error!("CPU {number} was started and did not come up in {PATIENCE} s");
            }
            break;
        }
        // Rather than spin: an emulator that runs one CPU at a time would have the
        // others wait for the end of this one's turn.
        timer::arm(timer::now() + timer::frequency() / LOOKS);
        cpu::wait_for_interrupt();
        let _ = interrupts::take();
    }
    log::info!("{} CPUs are up", up().count());
}

/// How many CPUs are up, counted from 0 to the first that is not.
pub fn count() -> usize {
    UP.load(Ordering::Acquire).trailing_ones() as usize
}

/// The dense numbers of the CPUs that are up.
pub fn up() -> impl Iterator<Item = usize> {
    let up = UP.load(Ordering::Acquire);
    (0..MAX_CPUS).filter(move |number| up >> number & 1 != 0)
}

/// Where a CPU that has been started goes on.
pub fn arrive(number: usize) -> ! {
    cpu::unmask_serror();
    if let Err(error) = interrupts::open_cpu() {
        log::error!("CPU {number} stays idle: {error}");
        cpu::park();
    }
    // Without VHE no CPU has it, and the boot CPU says so.
    let _ = guest::setup();
    UP.fetch_or(1 << number, Ordering::Release);
    loop {
        if let Some(machine) = MACHINE.get() {
            Local::new(machine, number).work();
        }
        cpu::wait_for_interrupt();
        let _ = interrupts::take();
    }
}

/// The tick at which a CPU, or a vCPU that waits, looks around again whatever
/// happens.
pub fn heartbeat() -> u64 {
    timer::now().saturating_add(timer::frequency())
}

/// Interrupts these CPUs.
pub fn kick(kicks: Kicks) {
    let Some(cpus) = CPUS.get() else {
        return;
    };
    for (number, mpidr) in kicks
        .iter()
        .filter_map(|number| Some((number, cpus.get(number)?)))
    {
        let cpu = number as u16;
        flight::note(Who::HOST, Event::Kick { cpu });
        gic::kick(*mpidr);
    }
}

/// Interrupts all CPUs but this one.
pub fn kick_others() {
    let own = cpu::number();
    for number in up().filter(|number| *number != own) {
        kick(Kicks::one(number));
    }
}

/// What a CPU spent its time on, in ticks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Times {
    /// With vCPUs, their exits included.
    pub guests: u64,
    /// Asleep.
    pub idle: u64,
    /// How often it took up another vCPU than the last.
    pub switches: u64,
}

/// [`Times`] as its CPU alone writes them.
struct Spent {
    guests: AtomicU64,
    idle: AtomicU64,
    switches: AtomicU64,
}

static TIMES: [Spent; MAX_CPUS] = [const {
    Spent {
        guests: AtomicU64::new(0),
        idle: AtomicU64::new(0),
        switches: AtomicU64::new(0),
    }
}; MAX_CPUS];

fn add(to: &AtomicU64, value: u64) {
    to.store(
        to.load(Ordering::Relaxed).wrapping_add(value),
        Ordering::Relaxed,
    );
}

/// What CPU `number` has spent its time on.
pub fn times(number: usize) -> Times {
    TIMES.get(number).map_or(Times::default(), |spent| Times {
        guests: spent.guests.load(Ordering::Relaxed),
        idle: spent.idle.load(Ordering::Relaxed),
        switches: spent.switches.load(Ordering::Relaxed),
    })
}

/// The affinity of CPU `number`.
pub fn mpidr(number: usize) -> Option<u64> {
    CPUS.get()?.get(number).copied()
}

/// What one CPU keeps for itself while it works.
pub struct Local {
    /// Its dense number.
    pub number: usize,
    machine: &'static Machine,
    /// The vCPU it ran last.
    last: Option<TaskId>,
}

impl Local {
    /// The state of CPU `number`.
    pub fn new(machine: &'static Machine, number: usize) -> Self {
        machine.sched.lock().online(number);
        Self {
            number,
            machine,
            last: None,
        }
    }

    /// Runs a task until it leaves.
    fn run(&mut self, task: TaskId) {
        let begun = timer::now();
        let was_vcpu = self.machine.run(self, task);
        if let (true, Some(spent)) = (was_vcpu, TIMES.get(self.number)) {
            add(&spent.guests, timer::now() - begun);
            add(&spent.switches, (self.last != Some(task)).into());
            self.last = Some(task);
        }
    }

    /// Runs tasks, and sleeps while there are none.
    pub fn work(mut self) -> ! {
        loop {
            self.machine.check_time(timer::now());
            console::attend(timer::now());
            operator::attend(self.machine);
            let (pick, kicks) = self.machine.sched.lock().pick(self.number, timer::now());
            kick(kicks);
            match pick {
                Pick::Run { task, timer } => {
                    self.arm(timer);
                    self.run(task);
                }
                Pick::Idle { timer } => self.idle(timer),
            }
        }
    }

    fn idle(&mut self, timer: Option<u64>) {
        if self.number == 0 && self.machine.is_over() {
            self.machine.finish();
        }
        self.arm(timer);
        let begun = timer::now();
        cpu::wait_for_interrupt();
        if let Some(spent) = TIMES.get(self.number) {
            add(&spent.idle, timer::now() - begun);
        }
        if self.take_interrupts().input() {
            self.machine.feed_all();
        }
    }

    /// Has the timer ring at `until`, or earlier if the machine or the console
    /// wants attention, and in any case before long: should a call of
    /// another CPU ever be missed, that costs a moment and not a VM.
    pub fn arm(&mut self, until: Option<u64>) {
        let others = self.machine.due().min(console::due());
        let at = until.unwrap_or(u64::MAX).min(others).min(heartbeat());
        timer::arm(at);
    }

    /// Takes the pending interrupts.
    #[inline]
    pub fn take_interrupts(&mut self) -> Taken {
        interrupts::take()
    }
}
