//! Isolation shown, not claimed: EL2 reads a granule that it has delegated, gets
//! a granule protection fault, says which granule and whose it is, and goes on.

use addr::GranuleAddr;
use realm::{Memory, VmId};
use report::args::Args;

use crate::arch::vectors::{ReadFault, guarded_read};
use crate::memory::Ram;
use crate::rmm::{Books, Dialect, Rmm, Session};

/// Runs the self-tests that the arguments ask for.
pub fn run(args: &Args, rmm: &Rmm, ram: &mut Ram) {
    if !args.selftest_gpf {
        return;
    }
    let passed = match rmm {
        Rmm::V1_0(session) => granule_protection_fault(session, ram),
        Rmm::V2_0(session) => granule_protection_fault(session, ram),
        Rmm::None => false,
    };
    let verdict = if passed { "passed" } else { "FAILED" };
    log::info!("self-test gpf: {verdict}");
}

/// Reads a granule of a Realm that lives, if the arguments ask for it.
pub fn read_realm(args: &Args, books: &Books, granule: GranuleAddr) {
    if args.selftest_gpf {
        probe(books, granule);
    }
}

/// Delegates a granule, reads it, takes it back and reads it again. Returns
/// whether the hardware did what it promises.
fn granule_protection_fault<B: Dialect>(session: &Session<B>, ram: &mut Ram) -> bool {
    let (rmm, ledger) = (&session.rmm, &session.books.ledger);
    let Some((run, vm)) = ram.alloc(1).zip(VmId::new(0)) else {
        log::error!("self-test gpf: no RAM");
        return false;
    };
    let granule = run.base();
    let run = match ledger.delegate(rmm, run, vm) {
        Ok(run) => run,
        Err(refusal) => {
            log::error!("self-test gpf: {granule} not delegated: {}", refusal.error);
            if let Some(rest) = refusal.rest {
                ram.set_aside(rest);
            }
            return false;
        }
    };
    let stopped = probe(&session.books, granule);
    ledger.undelegate(rmm, run, vm, |run| ram.free(run));
    let returned = guarded_read(granule.address());
    log::info!("self-test gpf: {granule} after undelegation: {returned:x?}");
    stopped && returned.is_ok()
}

fn probe(books: &Books, granule: GranuleAddr) -> bool {
    match guarded_read(granule.address()) {
        Err(ReadFault::GranuleProtection) => {
            match books.ledger.owner(granule.address()) {
                Some(owner) => log::info!(
                    "self-test gpf: granule protection fault at {granule}: {owner}; going on"
                ),
                None => log::error!("self-test gpf: {granule} is in no book"),
            }
            true
        }
        other => {
            log::error!("self-test gpf: {granule} is delegated, and reading it gave {other:x?}");
            false
        }
    }
}
