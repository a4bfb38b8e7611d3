//! What the operator asks about VMs and does with them.

use core::fmt::Write;
use core::sync::atomic::Ordering::Relaxed;

use heapless::{String, Vec};
use realm::Kind;
use recorder::Reason;
use sched::Standing;
use shell::Form;
use shell::answer::{ExitRow, Exits, NoRmm, NotARealm, RealmInfo, VcpuRow, VmInfo, VmList, VmRow};
use vm_config::{VmKind, VmPlan};

use super::host::Kinds;
use super::{gather, say, tell};
use crate::arch::timer;
use crate::machine::{Machine, Place};
use crate::vm::{REASONS, Stage, Tally, Vm};

/// Devices of a VM at most.
const DEVICES: usize = 16;

/// `vm list`
pub fn list(machine: &Machine, form: Form) {
    let rows = gather(machine.vms.len(), machine.vms.iter().map(row));
    say(form, rows.as_deref().map(VmList).as_ref().map(|a| a as _));
}

/// `vm info NAME`
pub fn info(machine: &Machine, place: usize, form: Form) {
    let Some(place) = machine.vms.get(place) else {
        return;
    };
    let mut ended = String::<160>::new();
    let mut populated = 0;
    let mut vcpus = Some(alloc::vec::Vec::new());
    if let Some(vm) = place.vm() {
        populated = populated_bytes(machine, vm);
        vcpus = gather(vm.vcpus.len(), vcpu_rows(machine, vm));
        if let Some(why) = vm.life.lock().ended {
            // It is cut where it does not fit.
            let _ = write!(ended, "{why}");
        }
    }
    let devices = devices(place.plan());
    let answer = vcpus.as_deref().map(|vcpus| VmInfo {
        vm: row(place),
        ended: Some(ended.as_str()).filter(|ended| !ended.is_empty()),
        populated,
        devices: &devices,
        vcpus,
    });
    say(form, answer.as_ref().map(|a| a as _));
}

/// `realm info NAME`
pub fn realm(machine: &Machine, place: usize, form: Form) {
    let Some(place) = machine.vms.get(place) else {
        return;
    };
    let plan = place.plan();
    if plan.kind == VmKind::Normal {
        return say(form, Some(&NotARealm(&plan.name)));
    }
    let (Some(books), Some(vm)) = (machine.rmm.books(), place.vm()) else {
        return say(form, Some(&NoRmm));
    };
    let kinds = Kinds::of(&books.ledger, Some(vm.number()));
    let (rim, reported) = {
        let life = &mut *vm.life.lock();
        let rim = vm.rim(life, machine);
        let reported = vm.devices.lock().outlet.rim.clone();
        (rim, reported.or(life.rim_reported.clone()))
    };
    let start_level = i8::try_from(plan.realm.geometry.start_level()).unwrap_or_default();
    let tables = [Kind::Rtt3, Kind::Rtt2, Kind::Rtt1]
        .into_iter()
        .zip([3, 2, 1]);
    let mut tables = tables.filter(|(kind, _)| kinds.count(*kind) > 0);
    let granules = kinds.named();
    say(
        form,
        Some(&RealmInfo {
            name: &plan.name,
            state: state(place),
            rim: rim.as_ref().map(|rim| &rim[..]),
            rim_reported: reported.as_deref(),
            ipa_bits: plan.ipa_bits,
            start_level,
            deepest_level: tables.next().map_or(start_level, |(_, level)| level),
            recs: kinds.count(Kind::Rec) as u32,
            granules: &granules,
        }),
    );
}

/// `exits [NAME]`
pub fn exits(machine: &Machine, place: Option<usize>, form: Form) {
    let wanted = |vm: &&Vm| place.is_none_or(|place| vm.place == place);
    let vms = || machine.vms().filter(wanted);
    let count: usize = vms().map(|vm| vm.vcpus.len() * REASONS).sum();
    let rows = gather(count, vms().flat_map(exit_rows));
    let answer = rows.as_deref().map(|rows| Exits {
        hz: timer::frequency(),
        rows,
    });
    say(form, answer.as_ref().map(|a| a as _));
}

/// `vm start NAME`
pub fn start(machine: &'static Machine, place: usize) {
    let Some(vm) = present(machine, place) else {
        return;
    };
    machine.hold();
    let name = &vm.plan.name;
    match vm.start(machine) {
        true => tell(format_args!("{name} starts")),
        false if machine.is_closing() => tell(format_args!("the run is ending")),
        false if vm.is_ending() => {
            let _ = begin_again(machine, vm);
            tell(format_args!(
                "{name} is ending; it starts when that is done"
            ));
        }
        false => tell(format_args!(
            "{name} is not off; `vm restart {name}` starts it anew"
        )),
    }
}

/// `vm stop NAME`
pub fn stop(machine: &'static Machine, place: usize) {
    let Some(vm) = present(machine, place) else {
        return;
    };
    machine.hold();
    let name = &vm.plan.name;
    match vm.stage.get() {
        Stage::Over => tell(format_args!("{name} is off already")),
        Stage::Build => tell(format_args!(
            "{name} is being built, and nothing in it can be asked yet; `vm kill {name}` ends it"
        )),
        Stage::Run if vm.ask(machine) => tell(format_args!(
            "{name} is asked to stop: its power key is pressed"
        )),
        Stage::Run | Stage::TakeDown => tell(format_args!("{name} is ending already")),
    }
}

/// `vm kill NAME`
pub fn kill(machine: &'static Machine, place: usize) {
    let Some(vm) = present(machine, place) else {
        return;
    };
    machine.hold();
    let name = &vm.plan.name;
    if vm.is_over() {
        return tell(format_args!("{name} is off already"));
    }
    vm.kill(false);
    machine.wake(vm.steward);
    tell(format_args!("{name} ends"));
}

/// `vm restart NAME`
pub fn restart(machine: &'static Machine, place: usize) {
    let Some(vm) = present(machine, place) else {
        return;
    };
    machine.hold();
    let name = &vm.plan.name;
    if !begin_again(machine, vm) {
        return tell(format_args!("{name} stays off: the run is ending"));
    }
    tell(format_args!("{name} starts again"));
}

/// Has a VM live again once it is down; false if it is down and stays so.
fn begin_again(machine: &'static Machine, vm: &'static Vm) -> bool {
    vm.kill(true);
    machine.wake(vm.steward);
    // Its steward has seen that it is to come back, or is through with it.
    !vm.is_over() || vm.start(machine)
}

/// The VM, if it can run.
fn present(machine: &'static Machine, place: usize) -> Option<&'static Vm> {
    let place = machine.vms.get(place)?;
    if place.vm().is_none() {
        let name = &place.plan().name;
        tell(format_args!(
            "{name} cannot run on this machine; the boot log says why"
        ));
    }
    place.vm()
}

fn row(place: &Place) -> VmRow<'_> {
    let plan = place.plan();
    let tallies = || place.vm().into_iter().flat_map(Vm::tallies);
    VmRow {
        name: &plan.name,
        is_realm: plan.kind == VmKind::Realm,
        state: state(place),
        vcpus: plan.vcpus,
        pins: &plan.cpus,
        memory: plan.memory.size(),
        starts: place.vm().map_or(0, |vm| vm.starts.load(Relaxed)),
        exits: tallies().map(Tally::count).sum(),
        run_micros: timer::micros_of(tallies().map(|tally| tally.ran(timer::now())).sum()),
    }
}

/// How a VM is, in a word or two.
fn state(place: &Place) -> &'static str {
    let Place::Here(vm) = place else {
        return "absent";
    };
    match vm.stage.get() {
        Stage::Build => "building",
        Stage::Run if vm.is_ending() => "ending",
        Stage::Run if vm.is_asked() => "stopping",
        Stage::Run => "running",
        Stage::TakeDown => "ending",
        Stage::Over => vm.life.lock().outcome.word(),
    }
}

fn vcpu_rows<'v>(machine: &'v Machine, vm: &'v Vm) -> impl Iterator<Item = VcpuRow<'static>> + 'v {
    vm.tallies().enumerate().map(|(index, tally)| {
        let standing = machine.sched.lock().standing(vm.task(index));
        let (state, cpu) = match standing {
            Standing::Off => ("off", None),
            Standing::Ready => ("ready", None),
            Standing::Running(cpu) => ("running", Some(cpu as u32)),
            Standing::Waiting(cpu) => ("waiting", Some(cpu as u32)),
        };
        VcpuRow {
            index: index as u32,
            state,
            cpu,
            exits: tally.count(),
            run_micros: timer::micros_of(tally.ran(timer::now())),
        }
    })
}

fn exit_rows(vm: &Vm) -> impl Iterator<Item = ExitRow<'_>> {
    vm.tallies().enumerate().flat_map(move |(vcpu, tally)| {
        let exits = tally.exits().filter(|exits| exits.count > 0);
        exits.map(move |exits| ExitRow {
            vm: &vm.plan.name,
            vcpu: vcpu as u32,
            reason: Reason::from_raw(exits.reason).map_or("other", Reason::word),
            count: exits.count,
            timed: exits.timed,
            ticks: exits.ticks,
        })
    })
}

/// RAM that is behind a VM's addresses: a Realm's by the ledger, a plain VM's by
/// what was put there.
fn populated_bytes(machine: &Machine, vm: &Vm) -> u64 {
    if vm.is_over() {
        return 0;
    }
    let pages = match (vm.plan.kind, machine.rmm.books()) {
        (VmKind::Realm, Some(books)) => {
            let kinds = Kinds::of(&books.ledger, Some(vm.number()));
            kinds.count(Kind::Data) + kinds.count(Kind::FrameData)
        }
        _ => vm.life.lock().copied() + vm.populated.load(Relaxed),
    };
    pages << addr::GRANULE_SHIFT
}

fn devices(plan: &VmPlan) -> Vec<&'static str, DEVICES> {
    let has = &plan.devices;
    let single = [
        (true, "uart"),
        (true, "power-key"),
        (has.console, "virtio-console"),
        (has.entropy, "virtio-rng"),
        (has.net.is_some(), "virtio-net"),
    ];
    let single = single
        .into_iter()
        .filter_map(|(has, name)| has.then_some(name));
    let disks = has.disks.iter().map(|_| "virtio-blk");
    single.chain(disks).take(DEVICES).collect()
}
