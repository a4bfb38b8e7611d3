//! Isolation shown, not claimed: EL2 reads a granule that it has delegated, gets
//! a granule protection fault, says which granule and whose it is, and goes on.

use addr::GranuleAddr;
use realm::{Memory, VmId};
use report::args::Args;

use crate::arch::vectors::{ReadFault, guarded_read};
use crate::memory::Ram;
use crate::rmm::Rmm;

/// Runs the self-tests that the arguments ask for.
pub fn run(args: &Args, rmm: Option<&Rmm<'_>>, ram: &mut Ram) {
    if !args.selftest_gpf {
        return;
    }
    let passed = rmm.is_some_and(|rmm| granule_protection_fault(rmm, ram));
    let verdict = if passed { "passed" } else { "FAILED" };
    log::info!("self-test gpf: {verdict}");
}

/// Reads a granule of a Realm that lives, if the arguments ask for it.
pub fn read_realm(args: &Args, rmm: &Rmm<'_>, granule: GranuleAddr) {
    if args.selftest_gpf {
        probe(rmm, granule);
    }
}

/// Delegates a granule, reads it, takes it back and reads it again. Returns
/// whether the hardware did what it promises.
fn granule_protection_fault(rmm: &Rmm<'_>, ram: &mut Ram) -> bool {
    let Some((run, vm)) = ram.alloc(1).zip(VmId::new(0)) else {
        log::error!("self-test gpf: no RAM");
        return false;
    };
    let granule = run.base();
    let run = match rmm.ledger.delegate(rmm.rmi, run, vm) {
        Ok(run) => run,
        Err(refusal) => {
            log::error!("self-test gpf: {granule} not delegated: {}", refusal.error);
            if let Some(rest) = refusal.rest {
                ram.set_aside(rest);
            }
            return false;
        }
    };
    let stopped = probe(rmm, granule);
    rmm.ledger.undelegate(rmm.rmi, run, vm, |run| ram.free(run));
    let returned = guarded_read(granule.address());
    log::info!("self-test gpf: {granule} after undelegation: {returned:x?}");
    stopped && returned.is_ok()
}

fn probe(rmm: &Rmm<'_>, granule: GranuleAddr) -> bool {
    match guarded_read(granule.address()) {
        Err(ReadFault::GranuleProtection) => {
            match rmm.ledger.owner(granule.address()) {
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
