//! The end: the summary as the last line on the UART, then power off.

use core::fmt::{self, Write};

use report::summary::{Granules, Summary, TooLong, Vm};

use crate::calls::Calls;
use crate::host::Host;
use crate::machine::Finished;
use crate::rmm::{self, Rmm};
use crate::sync::Mutex;
use crate::{console, power};

/// Too large for a stack.
static SUMMARY: Mutex<Summary> = Mutex::new(Summary::new());

/// Writes the summary and turns the machine off.
pub fn finish(host: &Host, rmm: &Rmm, results: &[Finished]) -> ! {
    // The walk over all books is for the case that something is left.
    if let Some(books) = rmm.books()
        && books.ledger.counts().outstanding > 0
    {
        for (granule, owner) in books.ledger.held() {
            log::error!("{granule} stays with the RMM: {owner}");
        }
    }
    let mut summary = SUMMARY.lock();
    fill(&mut summary, rmm, results);
    if let Some(bench) = host.bench {
        bench.report(host.entered, &mut summary);
    }
    let mut line = Line;
    console::fresh_line();
    match summary.finish(&host.args.nonce, &mut line) {
        Ok(()) => console::write(b"\r\n"),
        Err(TooLong) => log::error!("{TooLong}"),
    }
    power::off()
}

fn fill(summary: &mut Summary, rmm: &Rmm, results: &[Finished]) {
    let mut calls = Calls::default();
    rmm.count(&mut calls);
    for result in results {
        calls.add(result.calls.iter());
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
    for result in results {
        let vm = Vm {
            name: &result.name,
            is_realm: result.is_realm,
            outcome: result.outcome,
            rim: result.rim.as_ref().map(|rim| &rim[..]),
            rim_reported: result.rim_reported.as_deref(),
            exits: result.exits,
        };
        summary.vm(&vm, result.calls.iter());
    }
    let counts = rmm.books().map(|books| books.ledger.counts());
    let counts = counts.unwrap_or_default();
    summary.granules(Granules {
        delegated: counts.delegated,
        undelegated: counts.undelegated,
        outstanding: counts.outstanding,
        realm_pas_at_off: rmm::realm_pas_count(),
    });
}

/// The console as a writer.
struct Line;

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        console::write(text.as_bytes());
        Ok(())
    }
}
