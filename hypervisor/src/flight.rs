//! The flight recorder at work: each CPU's ring, and what is noted in it.
//!
//! Always: who has a CPU, wake-ups, kicks, the host's interrupts, stages of lives,
//! commands, and every exit that the loop of exits does not answer by itself. Of
//! all other exits each vCPU keeps the last for each reason ([`recorder::Trail`]).
//! In detail, while that is on: every exit and entry with the time between them,
//! and every RMI call.

use core::fmt::{self, Write};
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use recorder::{About, Cause, Entry, Event, Explained, Guest, Line, Names, Newest, Ring, Who, ipa};
use rmi::v1_0::{ExitReason, RecExit};
use sched::Leave;
use spin::Once;
use vm_config::VmKind;

use crate::arch::{cpu, smc, timer};
use crate::console;
use crate::machine::{MACHINE, Machine};
use crate::memory::Ram;
use crate::vm::Vm;

/// Entries of a CPU.
const ENTRIES: usize = 1024;
/// Entries that a crash shows.
const SHOWN: usize = 16;
/// Exits that are told of a VM that ends badly.
const EXITS: usize = 8;
/// VMs that a trace names.
const NAMED: usize = vm_config::MAX_VMS;

static RINGS: Once<&'static [Ring<ENTRIES>]> = Once::new();
/// VM and vCPU that each CPU runs, for what is noted by who does not know.
static CURRENT: [AtomicU32; entry::MAX_CPUS] =
    [const { AtomicU32::new(u32::MAX) }; entry::MAX_CPUS];

/// Takes memory for the rings; without it nothing is noted.
pub fn open(ram: &mut Ram) {
    match ram.keep(entry::MAX_CPUS) {
        Some(rings) => _ = RINGS.call_once(|| rings),
        None => log::warn!("no RAM for the flight recorder"),
    }
}

fn rings() -> &'static [Ring<ENTRIES>] {
    RINGS.get().copied().unwrap_or(&[])
}

/// Notes an event of this moment.
#[inline(never)]
pub fn note(who: Who, event: Event) {
    note_at(timer::now(), who, event);
}

fn note_at(stamp: u64, who: Who, event: Event) {
    if let Some(ring) = rings().get(cpu::number()) {
        ring.record(stamp, who, event);
    }
}

/// Whom this CPU runs.
fn current() -> Who {
    let packed = CURRENT.get(cpu::number());
    let packed = packed.map_or(u32::MAX, |packed| packed.load(Relaxed));
    Who::vcpu((packed >> 16) as u16, packed as u16)
}

fn set_current(vm: u16, vcpu: u16) {
    if let Some(current) = CURRENT.get(cpu::number()) {
        current.store(u32::from(vm) << 16 | u32::from(vcpu), Relaxed);
    }
}

/// The entry's subject: a VM as a whole, or one of its vCPUs.
pub fn who(vm: &Vm, vcpu: Option<usize>) -> Who {
    let vm = vm.number().raw();
    vcpu.map_or(Who::vm_as_a_whole(vm), |vcpu| Who::vcpu(vm, vcpu as u16))
}

/// A task takes this CPU.
pub fn takes_cpu(vm: &Vm, vcpu: Option<usize>) {
    let index = vcpu.map_or(u16::MAX, |vcpu| vcpu as u16);
    set_current(vm.number().raw(), index);
    note(who(vm, vcpu), Event::ScheduledIn);
}

/// It leaves this CPU.
pub fn leaves_cpu(vm: &Vm, vcpu: Option<usize>, why: Leave) {
    let cause = match why {
        Leave::Yield if vcpu.is_none() => Cause::Step,
        Leave::Yield => Cause::Slice,
        Leave::Wait { .. } => Cause::Wait,
        Leave::Off if vm.is_ending() => Cause::Stopped,
        Leave::Off => Cause::Off,
    };
    note(who(vm, vcpu), Event::ScheduledOut { cause });
    set_current(u16::MAX, u16::MAX);
}

/// The vCPU that this CPU runs has left its guest.
#[cold]
pub fn exited(exit: &RecExit) {
    let (syndrome, address) = match ExitReason::from_raw(exit.exit_reason) {
        Some(ExitReason::Psci) => {
            let [function, ..] = exit.gprs;
            (function, 0)
        }
        Some(ExitReason::HostCall) => (exit.imm, 0),
        Some(ExitReason::RipasChange) => (0, exit.ripas_base),
        _ => (exit.esr, ipa(exit.hpfar, exit.far)),
    };
    let reason = exit.exit_reason as u8;
    note(
        current(),
        Event::Exit {
            reason,
            syndrome,
            address,
        },
    );
}

/// The vCPU that this CPU runs enters its guest.
#[cold]
pub fn enters() {
    note(current(), Event::Enter);
}

/// A call of firmware has returned after so many ticks; an RMI is noted, but for
/// `REC_ENTER`, of which exit and entry tell.
#[cold]
pub fn called(function: u64, argument: u64, status: u64, ticks: u64) {
    const REC_ENTER: u32 = rmi::v1_0::FID_BASE + 0x0c;
    let fid = function as u32;
    if fid == REC_ENTER || !rmi::v2_0::is_rmi(fid) {
        return;
    }
    note(
        current(),
        Event::Rmi {
            fid,
            status: status as u16,
            ticks: ticks.min(u32::MAX.into()) as u32,
            argument,
        },
    );
}

/// Whether every exit and every call is noted.
#[inline(always)]
pub fn is_detailed() -> bool {
    smc::is_noting()
}

/// Writes the last entries of all CPUs in words, for a crash.
pub fn tell_last(out: &mut dyn Write) -> fmt::Result {
    if rings().is_empty() {
        return Ok(());
    }
    out.write_str("what happened last:\r\n")?;
    recorder::print(out, rings(), SHOWN, timer::frequency(), &Known)
}

/// Tells in the log how a VM that ends badly exited last, in words.
pub fn tell_exits(vm: &Vm) {
    let mut newest = Newest::<EXITS>::new();
    for (index, tally) in vm.tallies().enumerate() {
        tally
            .last(who(vm, Some(index)))
            .for_each(|entry| newest.offer(entry));
    }
    let now = timer::now();
    for entry in newest.iter() {
        let ago = timer::micros_of(now.saturating_sub(entry.stamp));
        let names = &Known;
        log::info!("{} us ago: {}", ago, Explained { entry, names });
    }
}

/// Tells the operator in words what a VM that crashed did last.
pub fn tell_last_of(vm: &Vm) {
    let number = vm.number().raw();
    let (hz, names) = (timer::frequency(), &Known);
    console::line(format_args!("what {} did last:", vm.plan.name));
    let is_its = |entry: &Entry| entry.who.vm() == Some(number);
    recorder::latest(rings(), SHOWN, is_its, |cpu, entry| {
        let line = Line {
            cpu,
            entry,
            hz,
            names,
        };
        console::line(format_args!("{line}"));
    });
}

/// Gives `line` every line of the trace with its number.
pub fn dump(machine: &Machine, line: impl FnMut(u32, &str)) {
    let vms: heapless::Vec<_, NAMED> = (machine.vms())
        .map(|vm| recorder::Vm {
            number: vm.number().raw(),
            name: &vm.plan.name,
            is_realm: vm.plan.kind == VmKind::Realm,
            vcpus: vm.plan.vcpus,
        })
        .collect();
    let about = About {
        hz: timer::frequency(),
        rmi: version(machine),
        vms: &vms,
    };
    let vcpus = machine.vms().flat_map(|vm| {
        let tallies = vm.tallies().enumerate();
        tallies.map(move |(index, tally)| (who(vm, Some(index)), tally))
    });
    let exits = vcpus.flat_map(|(who, tally)| tally.last(who));
    recorder::dump(rings(), exits, &about, line);
}

fn version(machine: &Machine) -> Option<(u16, u16)> {
    let version = machine.rmm.books()?.offer.version;
    Some((version.major(), version.minor()))
}

/// Names for the words of a crash.
struct Known;

impl Names for Known {
    fn guest(&self, vm: u16) -> Option<Guest<'_>> {
        let mut vms = MACHINE.get()?.vms();
        let vm = vms.find(|known| known.number().raw() == vm)?;
        Some(Guest {
            name: &vm.plan.name,
            is_realm: vm.plan.kind == VmKind::Realm,
        })
    }

    fn command(&self, fid: u32) -> Option<&str> {
        match version(MACHINE.get()?)? {
            (2, _) => rmi::v2_0::Command::from_fid(fid).map(rmi::v2_0::Command::name),
            _ => rmi::v1_0::Command::from_fid(fid).map(rmi::v1_0::Command::name),
        }
    }

    fn device(&self, _: u64) -> Option<&str> {
        None
    }
}
