//! Isolation shown, not claimed.
//!
//! - `gpf`: EL2 reads a granule that it has delegated, gets a granule protection
//!   fault, says which granule and whose it is, and goes on;
//! - `gpf-vm`: the granule that a plain VM starts in is delegated behind its back,
//!   so that it takes such a fault with its first instruction.

use addr::{GRANULE_SIZE, GranuleAddr};
use realm::intent::Delegation;
use realm::{Memory, VmId};
use report::args::{Args, SelfTest};
use vm_config::VmKind;

use crate::arch::vectors::{ReadFault, guarded_read};
use crate::machine::Machine;
use crate::memory::Ram;
use crate::rmm::{Books, Dialect, Rmm, Session};
use crate::vm::Vm;

/// Runs the self-tests that the arguments ask for.
pub fn run(args: &Args, rmm: &Rmm, ram: &mut Ram) {
    if args.selftest != Some(SelfTest::Gpf) {
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

/// A VM is about to run. Reads a granule of a Realm, or gives one of a plain VM away
/// and returns it, if the arguments ask for it.
pub fn begins(vm: &Vm, machine: &Machine) -> Option<GranuleAddr> {
    match machine.args.selftest? {
        SelfTest::Gpf => {
            let rec = vm.guest.lock().rec(0)?;
            probe(machine.rmm.books()?, rec);
            None
        }
        SelfTest::GpfVm if vm.plan.kind == VmKind::Normal => {
            let entry = vm.plan.entry.align_down(GRANULE_SIZE);
            let first = vm.guest.lock().device_address(machine.ram, entry)?;
            let granule = GranuleAddr::containing(first);
            let (done, _) = delegation(machine.rmm)?.delegate(granule, 1);
            (done == 1).then_some(granule)
        }
        SelfTest::GpfVm => None,
    }
}

/// Takes the granule that [`begins`] gave away back before its VM is taken down.
pub fn ends(granule: GranuleAddr, machine: &Machine) {
    if let Some(rmm) = delegation(machine.rmm) {
        let (done, _) = rmm.undelegate(granule, 1);
        log::info!("self-test gpf-vm: {granule}, {done} of 1 came back");
    }
}

fn delegation(rmm: &Rmm) -> Option<&dyn Delegation> {
    match rmm {
        Rmm::V1_0(session) => Some(&session.rmm),
        Rmm::V2_0(session) => Some(&session.rmm),
        Rmm::None => None,
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
