//! The end: the summary as the last line on the UART, then power off.

use core::fmt::{self, Write};

use report::summary::{Exits, Granules, Outcome, Summary, TooLong, Vm};
use vm_config::{VmKind, VmPlan};

use crate::calls::Calls;
use crate::machine::{Machine, Place};
use crate::rmm;
use crate::sync::{Mutex, rank};
use crate::{console, power};

/// Too large for a stack.
static SUMMARY: Mutex<Summary, { rank::SUMMARY }> = Mutex::new(Summary::new());

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
    let mut summary = SUMMARY.lock();
    fill(&mut summary, machine);
    if let Some(bench) = machine.bench {
        bench.report(machine.boot.entered, &mut summary);
    }
    let mut line = Line;
    console::fresh_line();
    match summary.finish(&machine.args.nonce, &mut line) {
        Ok(()) => console::write(b"\r\n"),
        Err(TooLong) => log::error!("{TooLong}"),
    }
    power::off()
}

fn fill(summary: &mut Summary, machine: &Machine) {
    let rmm = machine.rmm;
    let mut calls = Calls::default();
    rmm.count(&mut calls);
    for place in &machine.vms {
        count(place, &mut calls);
    }
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

/// Adds the calls made for a VM.
fn count(place: &Place, calls: &mut Calls) {
    if let Some(vm) = place.vm() {
        calls.add(vm.life.lock().calls.iter());
        if let Some(counter) = vm.calls {
            counter.count(calls);
        }
    }
}

fn tell(summary: &mut Summary, place: &Place) {
    let mut calls = Calls::default();
    count(place, &mut calls);
    match place {
        Place::Here(vm) => {
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

/// The console as a writer.
struct Line;

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        console::write(text.as_bytes());
        Ok(())
    }
}
