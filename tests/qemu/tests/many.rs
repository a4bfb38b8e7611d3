//! Several CPUs, several VMs, several lives.

use qemu_tests::{Dialect, Files, Run};
use xtask::exit::Exit;

qemu_tests::in_both_dialects! {
    eight_cpus_come_up
    vms_of_both_kinds_run_side_by_side
    a_vm_that_is_killed_leaves_the_others_alone
    twenty_lives_leave_nothing_behind
}

fn eight_cpus_come_up(dialect: Dialect) {
    Run::guest("hello")
        .rmi(dialect)
        .cpus(8)
        .go()
        .expect_exit(Exit::Good)
        .expect("8 CPUs are up")
        .expect_no_granule_lost();
}

#[test]
fn one_cpu_does() {
    Run::guest("hello")
        .cpus(1)
        .go()
        .expect_exit(Exit::Good)
        .expect("1 CPUs are up");
}

fn vms_of_both_kinds_run_side_by_side(dialect: Dialect) {
    let machine = Run::guest("hello")
        .vm("hello-vm")
        .vm("hostile")
        .vm("hostile-vm")
        .rmi(dialect)
        .timeout(120)
        .go();
    machine
        .expect_exit(Exit::Good)
        .expect_no_granule_lost()
        .expect_not("FAIL");
    for name in ["hello", "hello-vm", "hostile", "hostile-vm"] {
        machine.expect_outcome_of(name, "off");
    }
    machine.expect_no_memory_lost();
}

/// On one CPU, so that they have to take turns: one spins, one waits for ever, one
/// ends by itself in the meantime.
fn a_vm_that_is_killed_leaves_the_others_alone(dialect: Dialect) {
    let files = Files::new(&[(
        "spin-vm.toml",
        "kind = \"normal\"\npayload = \"spin_realm\"\nmemory = \"16M\"\n",
    )]);
    let machine = Run::guest("spin")
        .vm(&files.path("spin-vm.toml"))
        .vm("sleep")
        .vm("hello")
        .rmi(dialect)
        .cpus(1)
        .timeout(25)
        .go();
    machine
        .expect_exit(Exit::TimeOut)
        .expect_outcome_of("spin", "killed")
        .expect_outcome_of("spin-vm", "killed")
        .expect_outcome_of("sleep", "killed")
        .expect_outcome_of("hello", "off")
        .expect_no_granule_lost();
    machine.expect_no_memory_lost();
}

fn lives(dialect: Dialect, restarts: usize) {
    let text = format!("payload = \"reset_realm\"\nmemory = \"16M\"\nrestarts = {restarts}\n");
    let plain = format!("kind = \"normal\"\n{text}");
    let files = Files::new(&[("realm.toml", &text), ("plain.toml", &plain)]);
    let machine = Run::guest(&files.path("realm.toml"))
        .vm(&files.path("plain.toml"))
        .rmi(dialect)
        .timeout(60 + 4 * restarts as u64)
        .go();
    machine
        .expect_outcome_of("realm", "reset")
        .expect_outcome_of("plain", "reset")
        .expect_no_granule_lost();
    // Each life ends by one call of PSCI. Lines would not do: the RMM's own run into
    // them on the one serial line.
    for vm in ["/vms/0", "/vms/1"] {
        let ends = machine.field(&format!("{vm}/exits/psci"));
        assert_eq!(ends.as_u64(), Some(1 + restarts as u64), "lives of {vm}");
    }
    machine.expect_no_memory_lost();
}

fn twenty_lives_leave_nothing_behind(dialect: Dialect) {
    lives(dialect, 19);
}

#[test]
#[ignore = "long"]
fn a_hundred_lives_leave_nothing_behind() {
    lives(Dialect::V1_0, 99);
    lives(Dialect::V2_0, 99);
}

#[test]
fn a_vm_for_a_cpu_that_is_not_there_is_refused_and_the_others_run() {
    let files = Files::new(&[(
        "pinned.toml",
        "payload = \"hello_realm\"\nmemory = \"16M\"\ncpus = [6]\n",
    )]);
    let machine = Run::guest(&files.path("pinned.toml"))
        .vm("hello")
        .cpus(2)
        .go();
    machine
        .expect_exit(Exit::Failed)
        .expect("it wants CPU 6, this machine has 2, numbered from 0")
        .expect_outcome_of("pinned", "crashed")
        .expect_outcome_of("hello", "off")
        .expect_no_granule_lost();
}

#[test]
fn the_last_cpu_is_the_hosts() {
    let files = Files::new(&[(
        "greedy.toml",
        "payload = \"hello_realm\"\nmemory = \"16M\"\ncpus = [0]\n",
    )]);
    let machine = Run::guest(&files.path("greedy.toml"))
        .vm("hello")
        .cpus(1)
        .go();
    machine
        .expect_exit(Exit::Failed)
        .expect("where the host needs one")
        .expect_outcome_of("greedy", "crashed")
        .expect_outcome_of("hello", "off");
}

#[test]
fn a_vm_that_does_not_fit_is_refused_and_the_others_run() {
    let files = Files::new(&[(
        "large.toml",
        "payload = \"hello_realm\"\nmemory = \"4G\"\n[realm]\nipa_bits = 34\n",
    )]);
    let machine = Run::guest(&files.path("large.toml")).vm("hello").go();
    machine
        .expect_exit(Exit::Failed)
        .expect("it wants 4096 MiB, this machine has")
        .expect_outcome_of("large", "crashed")
        .expect_outcome_of("hello", "off")
        .expect_no_granule_lost();
}

#[test]
fn a_realm_has_a_cpu_to_itself() {
    let files = Files::new(&[
        (
            "own.toml",
            "payload = \"hello_realm\"\nmemory = \"16M\"\ncpus = [1]\n",
        ),
        (
            "own-vm.toml",
            "kind = \"normal\"\npayload = \"hello_vm\"\nmemory = \"16M\"\ncpus = [2]\n",
        ),
    ]);
    let machine = Run::guest(&files.path("own.toml"))
        .vm(&files.path("own-vm.toml"))
        .vm("hello")
        .cpus(3)
        .go();
    machine.expect_exit(Exit::Good).expect_no_granule_lost();
    for name in ["own", "own-vm", "hello"] {
        machine.expect_outcome_of(name, "off");
    }
}
