//! Plain VMs, on machines with RME and without.

use qemu_tests::{Dialect, Machine, Run};
use xtask::exit::Exit;

/// The bar for a call that the hypervisor answers out of hand, from the guest and
/// back, in instructions. The loop around it is in the figure.
const NULL_CALL: u64 = 150;

qemu_tests::in_both_dialects! {
    a_plain_vm_has_what_a_machine_has
    a_hostile_plain_vm_gets_the_architected_answers_and_reaches_no_firmware
    a_granule_protection_fault_of_a_plain_vm_ends_it_and_nobody_else
}

fn a_plain_vm_has_what_a_machine_has(dialect: Dialect) {
    well(&Run::guest("hello-vm").rmi(dialect).go());
}

/// The hypervisor gives the RMM the granule that the VM starts in.
fn a_granule_protection_fault_of_a_plain_vm_ends_it_and_nobody_else(dialect: Dialect) {
    let machine = Run::guest("hello-vm")
        .vm("hello")
        .rmi(dialect)
        .hypervisor_args("suzerain.selftest=gpf-vm")
        .go();
    machine
        .expect_exit(Exit::Failed)
        .expect_outcome_of("hello-vm", "crashed")
        .expect("and the memory behind that belongs to another world")
        .expect("1 of 1 came back")
        .expect_outcome_of("hello", "off")
        .expect("Hello from a Realm")
        .expect_no_granule_lost()
        .expect_no_memory_lost();
}

#[test]
fn a_plain_vm_needs_no_rme() {
    well(&Run::guest("hello-vm").no_rme().go());
}

fn well(machine: &Machine) {
    machine
        .expect_exit(Exit::Good)
        .expect_outcome("off")
        .expect("Hello from a plain VM")
        .expect("my vector registers are as I left them")
        .expect("pages came back")
        .expect_not("FAIL");
    let exits = machine.field("/vms/0/exits");
    for reason in ["sync", "irq", "psci", "host_call"] {
        assert_ne!(exits[reason], 0, "no exit of kind {reason}: {exits}");
    }
}

fn a_hostile_plain_vm_gets_the_architected_answers_and_reaches_no_firmware(dialect: Dialect) {
    let machine = Run::guest("hostile-vm").rmi(dialect).go();
    machine
        .expect_exit(Exit::Good)
        .expect_outcome("off")
        .expect_no_granule_lost()
        .expect("0xc4000151, GRANULE_DELEGATE, is not for me: -1")
        .expect_not("FAIL");
    let calls = machine.field("/rmi_calls");
    assert_eq!(calls.get("GRANULE_DELEGATE"), None, "{calls}");
}

#[test]
fn debians_kernel_runs_as_a_plain_vm() {
    let machine = Run::guest("linux-normal").no_rme().timeout(280).go();
    machine
        .expect_exit(Exit::Good)
        .expect_outcome("off")
        .expect("SUZERAIN-GUEST: rsi: not a Realm")
        .expect("SUZERAIN-GUEST: all checks passed");
}

#[test]
fn a_call_of_nothing_keeps_its_bar() {
    let machine = Run::guest("hello-vm").no_rme().counted().go();
    machine.expect_exit(Exit::Good);
    let ticks = machine
        .log()
        .split_once("a call of nothing takes ")
        .and_then(|(_, rest)| rest.split_once(' '))
        .and_then(|(ticks, _)| ticks.parse::<u64>().ok());
    match ticks {
        Some(ticks) if ticks <= NULL_CALL => {}
        _ => machine.fail(&format!("{ticks:?} instructions, at most {NULL_CALL}")),
    }
}
