//! Realms on the embedded firmware.

use qemu_tests::{Dialect, Run};
use xtask::exit::Exit;

qemu_tests::in_both_dialects! {
    the_demo_shows_a_realm_from_the_inside_and_leaves_nothing_behind
    host_and_realm_agree_on_the_initial_measurement
    a_hostile_realm_harms_nobody_and_forges_no_verdict
    a_realm_that_never_exits_is_killed_at_the_deadline_and_taken_apart
    a_realm_that_asks_for_a_reset_ends_otherwise_than_asked
    an_idle_realm_is_left_alone_until_the_deadline
    a_realm_that_turns_its_only_cpu_off_is_ended_with_a_report
    a_guest_that_says_nothing_is_no_demo
    touching_a_delegated_granule_is_reported_with_its_owner_and_survived
}

fn the_demo_shows_a_realm_from_the_inside_and_leaves_nothing_behind(dialect: Dialect) {
    let machine = Run::guest("hello").rmi(dialect).go();
    machine
        .expect_exit(Exit::Good)
        .expect_outcome("off")
        .expect_no_granule_lost()
        .expect("Hello from a Realm")
        .expect("none of the secrets in them shows through the shared alias")
        .expect("a timer interrupt wakes me once")
        .expect("0 failed")
        .expect_not("FAIL");
    assert_eq!(machine.field("/firmware"), "embedded");
    let version = match dialect {
        Dialect::V1_0 => "1.0",
        Dialect::V2_0 => "2.0",
    };
    assert_eq!(machine.field("/rmi_version"), version);
    let exits = machine.field("/vms/0/exits");
    for reason in ["sync", "irq", "psci", "ripas_change", "host_call"] {
        assert_ne!(exits[reason], 0, "no exit of kind {reason}: {exits}");
    }
}

fn host_and_realm_agree_on_the_initial_measurement(dialect: Dialect) {
    let machine = Run::guest("hello").rmi(dialect).go();
    let rim = machine.field("/vms/0/rim");
    assert!(rim.as_str().is_some_and(|rim| rim.len() == 64), "{rim}");
    assert_eq!(rim, machine.field("/vms/0/rim_reported"));
}

fn a_hostile_realm_harms_nobody_and_forges_no_verdict(dialect: Dialect) {
    let machine = Run::guest("hostile").rmi(dialect).go();
    machine
        .expect_exit(Exit::Good)
        .expect_outcome("off")
        .expect_no_granule_lost()
        .expect_not("FAIL");
    let forged = machine
        .log()
        .lines()
        .filter(|line| line.starts_with("SUZERAIN-SUMMARY"))
        .count();
    if forged < 2 {
        machine.fail("the hostile Realm printed no forged summary");
    }
}

fn a_realm_that_never_exits_is_killed_at_the_deadline_and_taken_apart(dialect: Dialect) {
    let machine = Run::guest("spin").rmi(dialect).timeout(5).go();
    machine
        .expect_exit(Exit::TimeOut)
        .expect("spinning until somebody ends me")
        .expect_outcome("killed")
        .expect_no_granule_lost();
}

fn a_realm_that_asks_for_a_reset_ends_otherwise_than_asked(dialect: Dialect) {
    let machine = Run::guest("reset").rmi(dialect).go();
    machine
        .expect_exit(Exit::Failed)
        .expect_outcome("reset")
        .expect_no_granule_lost();
}

fn an_idle_realm_is_left_alone_until_the_deadline(dialect: Dialect) {
    let machine = Run::guest("sleep").rmi(dialect).timeout(8).go();
    machine
        .expect_exit(Exit::TimeOut)
        .expect("sleeping until somebody ends me")
        .expect_outcome("killed")
        .expect_no_granule_lost();
    let enters = machine.field("/vms/0/rmi_calls/REC_ENTER").as_u64();
    if enters.is_none_or(|enters| enters > 10) {
        machine.fail(&format!("{enters:?} entries for a Realm that sleeps"));
    }
}

fn a_realm_that_turns_its_only_cpu_off_is_ended_with_a_report(dialect: Dialect) {
    let machine = Run::guest("halt").rmi(dialect).timeout(20).go();
    machine.expect_exit(Exit::Failed).expect_no_granule_lost();
}

fn a_guest_that_says_nothing_is_no_demo(dialect: Dialect) {
    let machine = Run::guest("silent").rmi(dialect).go();
    machine
        .expect_exit(Exit::Good)
        .expect_outcome("off")
        .expect_no_granule_lost();
    assert_eq!(
        machine.field("/vms/0/rim_reported"),
        &serde_json::Value::Null
    );
    assert_eq!(machine.field("/vms/0/exits/host_call"), 0);
}

fn touching_a_delegated_granule_is_reported_with_its_owner_and_survived(dialect: Dialect) {
    let machine = Run::guest("hello")
        .rmi(dialect)
        .hypervisor_args("suzerain.selftest=gpf")
        .go();
    machine
        .expect_exit(Exit::Good)
        .expect_no_granule_lost()
        .expect("granule protection fault")
        .expect("0 failed");
}
