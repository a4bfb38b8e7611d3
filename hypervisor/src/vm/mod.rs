//! A virtual machine: its memory, its devices, its vCPUs and its course of life.
//!
//! A VM is shared by all CPUs. Each part has a lock of its own (`docs/unsafe.md`):
//! the steward's [`Life`], each [`Vcpu`], memory, devices.

mod ended;
mod engine;
mod guest;
mod make;
mod stage;
mod steward;
mod stop;
mod tally;
mod vcpu;

pub use ended::Ended;
pub use engine::{Engines, Rec};
pub use guest::{Guest, Trouble};
pub use make::Maker;
pub use stage::{Shown, Stage};
pub use steward::Life;
pub use tally::{REASONS, Tally};
pub use vcpu::{Turn, Vcpu};

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use ::vcpu::Counters;
use devices::{Board, Request};
use realm::VmId;
use rmi::v1_0::RecRun;
use sched::TaskId;
use virtio::{Served, Terminal};
use vm_config::{VmPlan, map};

use crate::bench::Bench;
use crate::calls::Calls;
use crate::console;
use crate::io::Holdings;
use crate::memory::{OfGuest, SharedRam, Window};
use crate::output::Output;
use crate::rmm::Counter;
use crate::sync::{Guard, Mutex, rank};

/// The number that no VM has.
const NOBODY: VmId = match VmId::new(0) {
    Some(number) => number,
    None => unreachable!(),
};

/// A virtual machine.
pub struct Vm {
    /// Its description.
    pub plan: VmPlan,
    /// Its place among the VMs of the machine.
    pub place: usize,
    /// Its steward's task; those of its vCPUs follow.
    pub steward: TaskId,
    /// Its memory.
    pub guest: GuestLock,
    /// Its devices.
    pub devices: Mutex<Devices, { rank::DEVICES }>,
    /// Its vCPUs.
    pub vcpus: Vec<Vcpu>,
    /// Its course of life.
    pub life: Mutex<Life, { rank::LIFE }>,
    /// Counts the calls that belong to no vCPU of it.
    pub calls: Option<&'static dyn Counter>,
    /// Where it is in that course.
    pub stage: Shown,
    /// How often its building was begun.
    pub starts: AtomicU32,
    /// Pages of RAM that it brought by touching them.
    pub populated: AtomicU64,
    end: Mutex<End, { rank::END }>,
    ending: AtomicBool,
}

/// Whether a VM is to end, and what then.
#[derive(Debug, Default)]
struct End {
    /// Why it is to end, once it is.
    why: Option<Ended>,
    /// Whether the operator wants it to live again then.
    comes_back: bool,
    /// Whether the operator has asked its guest to stop.
    is_asked: bool,
}

/// What comes after a life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Next {
    /// Nothing.
    Over,
    /// Another life, because the VM began again by itself.
    Again,
    /// Another life, because the operator wants it.
    Anew,
}

/// A VM's memory behind its lock.
pub struct GuestLock(Mutex<Box<dyn Guest>, { rank::TABLES }>);

impl GuestLock {
    fn new(guest: Box<dyn Guest>) -> Self {
        Self(Mutex::new(guest))
    }

    /// The memory.
    pub fn lock(&self) -> Guard<'_, Box<dyn Guest>, { rank::TABLES }> {
        self.0.lock()
    }
}

/// What a VM's exits go to.
pub struct Devices {
    /// Interrupt controller and UART.
    pub board: Board<'static>,
    /// Where output goes.
    pub outlet: Outlet,
    /// What its virtio devices hold of the host.
    pub holdings: Holdings,
}

impl Devices {
    /// Takes in an exit, and does what devices can do about it.
    #[inline(always)]
    pub fn exited(&mut self, vcpu: usize, run: &mut RecRun) -> Request {
        self.board.after_exit(vcpu, run, &mut self.outlet)
    }

    /// The exits so far.
    pub fn counters(&self) -> &Counters {
        &self.board.counters
    }
}

/// What a guest wants of the host's console, and what it reports.
pub struct Outlet {
    /// Its console output.
    pub output: Output,
    /// The RIM it reported.
    pub rim: Option<heapless::Vec<u8, 64>>,
    /// The VM's place at the console.
    vm: usize,
    bench: Option<Bench>,
}

impl Outlet {
    fn new(vm: usize, bench: Option<Bench>) -> Self {
        Self {
            output: Output::new(vm, bench),
            rim: None,
            vm,
            bench,
        }
    }
}

impl devices::Host for Outlet {
    #[inline]
    fn write(&mut self, byte: u8) {
        self.output.put(byte);
    }

    fn read(&mut self) -> Option<u8> {
        console::take(self.vm)
    }

    fn mark(&mut self, number: u64) {
        if let Some(bench) = self.bench {
            bench.mark(number);
        }
    }

    fn rim(&mut self, rim: &[u8]) {
        self.rim = heapless::Vec::from_slice(rim).ok();
    }
}

impl Terminal for Outlet {
    fn print(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.output.put(byte));
    }

    fn has_input(&mut self) -> bool {
        console::has_input(self.vm)
    }

    fn input(&mut self, to: &mut [u8]) -> usize {
        let bytes = core::iter::from_fn(|| console::take(self.vm));
        let places = to.iter_mut().zip(bytes);
        places.map(|(to, byte)| *to = byte).count()
    }
}

impl Vm {
    /// The task of vCPU `index`.
    pub fn task(&self, index: usize) -> TaskId {
        self.steward.plus(1 + index as u16)
    }

    /// Whether its vCPUs are to leave it.
    #[inline]
    pub fn is_ending(&self) -> bool {
        self.ending.load(Ordering::Acquire)
    }

    /// Ends it; the first reason counts. The steward sees to the rest, once it
    /// is woken.
    pub fn end(&self, why: Ended) {
        let mut end = self.end.lock();
        end.why.get_or_insert(why);
        self.ending.store(true, Ordering::Release);
    }

    /// Ends it because the operator wants that, whatever else was the matter, to
    /// have it live again or not.
    pub fn kill(&self, comes_back: bool) {
        let mut end = self.end.lock();
        *end = End {
            why: Some(Ended::ByOperator),
            comes_back,
            is_asked: false,
        };
        self.ending.store(true, Ordering::Release);
    }

    /// It is down: whether another life begins, which the operator may want, or
    /// the VM itself, if `may_restart`, unless it was asked to stop. Whoever wanted
    /// its end meanwhile gets it in that life. If none begins, it is over.
    fn lives_again(&self, may_restart: bool) -> Next {
        let mut end = self.end.lock();
        let is_asked = core::mem::take(&mut end.is_asked);
        let next = if core::mem::take(&mut end.comes_back) {
            end.why = None;
            Next::Anew
        } else if is_asked || !may_restart {
            self.stage.set(Stage::Over);
            return Next::Over;
        } else {
            Next::Again
        };
        self.stage.set(Stage::Build);
        self.ending.store(end.why.is_some(), Ordering::Release);
        next
    }

    /// Whether its life is over.
    pub fn is_over(&self) -> bool {
        self.stage.get() == Stage::Over
    }

    /// Has the virtio device in `slot` work; returns the vCPUs that are to be
    /// told. What is too much for one go is left ([`Vm::unfinished`]): all vCPUs
    /// are told then, for one of them has to go on.
    pub fn serve(&self, slot: usize, ram: SharedRam) -> u64 {
        let mut guest = self.guest.lock();
        let mut devices = self.devices.lock();
        let Devices {
            board,
            outlet,
            holdings,
        } = &mut *devices;
        let mut memory = Window::new(OfGuest {
            guest: &mut **guest,
            ram,
        });
        match board.serve(slot, &mut memory, &mut holdings.with(outlet)) {
            Served::Done => {}
            Served::More => return u64::MAX,
            Served::Broke(why) => {
                let name = &self.plan.name;
                log::warn!("{name}: the virtio device in slot {slot} stops: {why}");
            }
        }
        board.attention(usize::MAX)
    }

    /// A slot whose virtio device has more to do.
    pub fn unfinished(&self) -> Option<usize> {
        self.devices.lock().board.unfinished()
    }

    /// Gives its virtio console what came in, or else its UART, as far as it has
    /// room; returns the vCPUs that are to be told.
    pub fn feed(&self, ram: SharedRam) -> u64 {
        let mut devices = self.devices.lock();
        let console = devices.board.device(map::VIRTIO_CONSOLE);
        if console.is_some_and(|console| console.is_running()) {
            drop(devices);
            return self.serve(map::VIRTIO_CONSOLE, ram);
        }
        while let Some(byte) = console::peek(self.place) {
            if !devices.board.receive(byte) {
                break;
            }
            console::take(self.place);
        }
        devices.board.attention(usize::MAX)
    }

    /// Its number with the RMM and in the ledger.
    pub fn number(&self) -> VmId {
        // There are fewer VMs than numbers.
        VmId::new(self.place as u16 + 1).unwrap_or(NOBODY)
    }

    /// What each of its vCPUs has done.
    pub fn tallies(&self) -> impl Iterator<Item = &'static Tally> {
        self.vcpus.iter().map(|vcpu| vcpu.tally)
    }

    /// Adds the RMI calls made for it to `calls`; those of vCPUs once they are off.
    pub fn count_calls(&self, calls: &mut Calls) {
        calls.add(self.life.lock().calls.iter());
        if let Some(counter) = self.calls {
            counter.count(calls);
        }
    }

    /// Its port of the switch, by its number.
    pub fn port(&self) -> Option<usize> {
        Some(self.devices.lock().holdings.port()?.index())
    }
}
