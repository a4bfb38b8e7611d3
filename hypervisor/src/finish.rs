//! The end: the summary as the last line on the UART, then power off.

use report::frame;
use report::summary::{Exits, Granules, Outcome, Summary, TooLong, Vm};
use vm_config::{VmKind, VmPlan};

use crate::calls::Calls;
use crate::machine::{Machine, Place};
use crate::rmm;
use crate::{console, flight, power};

/// Writes the summary and turns the machine off.
pub fn finish(machine: &Machine) -> ! {
    // The walk over all books is for the case that something is left.
    if let Some(books) = machine.rmm.books()
        && books.ledger.counts().outstanding > 0
    {
        for (granule, owner) in books.ledger.held() {
            log::error!("{granule} stays with the RMM: {owner}");
        }
    }
    let mut summary = machine.summary.lock();
    fill(&mut summary, machine);
    if let Some(bench) = machine.bench {
        bench.report(machine.boot.entered, &mut summary);
    }
    console::finish();
    let nonce = &machine.args.nonce;
    if machine.args.trace {
        flight::dump(machine, |number, json| {
            // A console takes everything.
            let number = Some(number);
            let _ = console::framed(|out| frame::write(out, frame::TRACE, nonce, number, json));
        });
    }
    if let Err(TooLong) = console::framed(|line| summary.finish(nonce, line)) {
        log::error!("{TooLong}");
    }
    power::off()
}

fn fill(summary: &mut Summary<'_>, machine: &Machine) {
    let rmm = machine.rmm;
    let mut calls = Calls::default();
    machine.count_calls(&mut calls);
    let version = rmm.books().map(|books| {
        let version = books.offer.version;
        (version.major(), version.minor())
    });
    summary.begin(rmm::firmware(), crate::arch::cpu::has_rme(), version);
    if let Some(books) = rmm.books() {
        let version = books.offer.version;
        let quirks = books.offer.more.map(|more| more.quirks);
        summary.rmm(
            (version.major(), version.minor()),
            quirks.map(|quirks| quirks.flavour()),
            quirks.iter().flat_map(|quirks| quirks.words()),
        );
    }
    summary.calls(calls.iter());
    for place in &machine.vms {
        tell(summary, place);
    }
    let counts = rmm.books().map(|books| books.ledger.counts());
    let counts = counts.unwrap_or_default();
    summary.granules(Granules {
        delegated: counts.delegated,
        undelegated: counts.undelegated,
        outstanding: counts.outstanding,
        realm_pas_at_off: rmm::realm_pas_count(),
    });
    summary.memory(machine.before, machine.ram.usage());
}

fn tell(summary: &mut Summary<'_>, place: &Place) {
    let mut calls = Calls::default();
    match place {
        Place::Here(vm) => {
            vm.count_calls(&mut calls);
            let life = vm.life.lock();
            let told = Vm {
                rim: life.rim.as_ref().map(|rim| &rim[..]),
                rim_reported: life.rim_reported.as_deref(),
                exits: vm.exits(),
                ..idle(&vm.plan, life.outcome)
            };
            summary.vm(&told, calls.iter());
        }
        Place::Absent { plan, outcome } => summary.vm(&idle(plan, *outcome), calls.iter()),
    }
}

/// A VM that never ran.
fn idle(plan: &VmPlan, outcome: Outcome) -> Vm<'_> {
    Vm {
        name: &plan.name,
        is_realm: plan.kind == VmKind::Realm,
        outcome,
        rim: None,
        rim_reported: None,
        exits: Exits::default(),
    }
}
