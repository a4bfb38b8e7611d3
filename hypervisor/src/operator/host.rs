//! What the operator asks about the machine.

use addr::GRANULE_SHIFT;
use heapless::Vec;
use realm::{Kind, Ledger, VmId};
use shell::Form;
use shell::answer::{CpuRow, Cpus, LedgerInfo, MemInfo, NoRmm, RmmInfo};

use super::{gather, say};
use crate::arch::timer;
use crate::calls::Calls;
use crate::cpus;
use crate::machine::Machine;
use crate::vm::Vm;

/// Kinds of granules that the RMM holds, with the names they go by.
const KINDS: [(Kind, &str); 11] = [
    (Kind::Rd, "Realm descriptors"),
    (Kind::Rec, "RECs"),
    (Kind::RecAux, "memory of RECs"),
    (Kind::Rtt0, "RTTs of level 0"),
    (Kind::Rtt1, "RTTs of level 1"),
    (Kind::Rtt2, "RTTs of level 2"),
    (Kind::Rtt3, "RTTs of level 3"),
    (Kind::Data, "private pages"),
    (Kind::FrameData, "private pages in 2 MiB of their own"),
    (Kind::Spare, "in reserve"),
    (Kind::Quarantined, "quarantined"),
];

/// Commands of all dialects, at most.
const COMMANDS: usize = 80;

/// Granules with the RMM by kind.
pub struct Kinds([u64; KINDS.len()]);

impl Kinds {
    /// Those in `ledger`, of one VM or of all.
    pub fn of(ledger: &Ledger<'_>, vm: Option<VmId>) -> Self {
        let mut counts = [0; KINDS.len()];
        let held = ledger.held().map(|(_, owner)| owner);
        for owner in held.filter(|owner| vm.is_none_or(|vm| owner.vm == vm)) {
            let places = KINDS.iter().zip(&mut counts);
            let place = places.filter(|((kind, _), _)| *kind == owner.kind);
            place.for_each(|(_, count)| *count += 1);
        }
        Self(counts)
    }

    /// How many there are of a kind.
    pub fn count(&self, kind: Kind) -> u64 {
        let mut all = KINDS.iter().zip(self.0);
        let found = all.find(|((known, _), _)| *known == kind);
        found.map_or(0, |(_, count)| count)
    }

    /// Those there are, by name.
    pub fn named(&self) -> Vec<(&'static str, u64), { KINDS.len() }> {
        let all = KINDS.iter().zip(self.0);
        all.filter(|(_, count)| *count > 0)
            .map(|((_, name), count)| (*name, count))
            .collect()
    }

    fn sum(&self) -> u64 {
        self.0.iter().sum()
    }
}

/// `mem`
pub fn memory(machine: &Machine, form: Form) {
    let ram = machine
        .ram
        .with(|ram| (ram.in_use(), ram.free(), ram.largest()));
    let (in_use, free, largest) = ram.unwrap_or_default();
    let outstanding = machine
        .rmm
        .books()
        .map(|books| books.ledger.counts().outstanding);
    let delegated = outstanding.unwrap_or_default() << GRANULE_SHIFT;
    let books = machine.before.ram;
    let bundle = machine.boot.bundle.map_or(0, |bundle| bundle.size());
    let answer = MemInfo {
        ram: in_use + free,
        free,
        largest,
        hypervisor: machine.boot.image.whole().size().saturating_sub(bundle),
        bundle,
        books,
        delegated,
        guests: in_use.saturating_sub(books + delegated),
    };
    say(form, Some(&answer));
}

/// `ledger`
pub fn ledger(machine: &'static Machine, form: Form) {
    let Some(books) = machine.rmm.books() else {
        return say(form, Some(&NoRmm));
    };
    let counts = books.ledger.counts();
    let kinds = Kinds::of(&books.ledger, None);
    let of_vm = |vm: &'static Vm| {
        let sum = Kinds::of(&books.ledger, Some(vm.number())).sum();
        (&*vm.plan.name, sum)
    };
    let vms = machine.vms().map(of_vm).filter(|(_, sum)| *sum > 0);
    let vms = gather(machine.vms.len(), vms);
    let kinds_named = kinds.named();
    let answer = vms.as_deref().map(|vms| LedgerInfo {
        delegated: counts.delegated,
        undelegated: counts.undelegated,
        outstanding: counts.outstanding,
        quarantined: kinds.count(Kind::Quarantined),
        kinds: &kinds_named,
        vms,
    });
    say(form, answer.as_ref().map(|a| a as _));
}

/// `cpu`
pub fn cpus(machine: &Machine, form: Form) {
    let row = |index: usize| {
        let (task, is_there) = {
            let sched = machine.sched.lock();
            (sched.running(index), sched.is_online(index))
        };
        let owner = task.and_then(|task| machine.owner(task));
        let running = owner.and_then(|(vm, vcpu)| Some((&*vm.plan.name, vcpu? as u32)));
        let pinned = |vm: &&Vm| vm.plan.cpus.iter().any(|cpu| usize::from(*cpu) == index);
        let times = cpus::times(index);
        CpuRow {
            index: index as u32,
            mpidr: cpus::mpidr(index).unwrap_or_default(),
            state: match (is_there, owner) {
                (false, _) => "off",
                (true, Some((_, Some(_)))) => "runs a vCPU",
                (true, Some((_, None))) => "builds or ends a VM",
                (true, None) => "idle",
            },
            dedicated: machine.vms().find(pinned).map(|vm| &*vm.plan.name),
            running,
            guest_micros: timer::micros_of(times.guests),
            idle_micros: timer::micros_of(times.idle),
            switches: times.switches,
        }
    };
    let rows = gather(entry::MAX_CPUS, cpus::up().map(row));
    say(form, rows.as_deref().map(Cpus).as_ref().map(|a| a as _));
}

/// `rmm`
pub fn rmm(machine: &Machine, form: Form) {
    let Some(books) = machine.rmm.books() else {
        return say(form, Some(&NoRmm));
    };
    let mut calls = Calls::default();
    machine.count_calls(&mut calls);
    let calls: Vec<(&str, u64), COMMANDS> = calls.iter().collect();
    let offer = &books.offer;
    let quirks = offer.more.map(|more| more.quirks);
    let words: Vec<&str, 8> = quirks.iter().flat_map(|quirks| quirks.words()).collect();
    let answer = RmmInfo {
        version: (offer.version.major(), offer.version.minor()),
        flavour: quirks.map(|quirks| quirks.flavour()),
        quirks: &words,
        ipa_bits: offer.features.fields().s2sz,
        list_registers: machine.rmm.list_registers(),
        calls: &calls,
    };
    say(form, Some(&answer));
}
