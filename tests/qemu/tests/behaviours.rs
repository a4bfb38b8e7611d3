//! The host on the embedded RMM when it behaves like others of RMI 2.0.

use qemu_tests::{Behaviour, Machine, Run};
use serde_json::{Value, json};
use xtask::exit::Exit;

/// Runs the demo on an RMM that behaves so.
fn hello(behaviour: Behaviour) -> Machine {
    let machine = Run::guest("hello").rmm_behaviour(behaviour).go();
    machine.expect_exit(Exit::Good).expect_no_granule_lost();
    machine
}

fn calls(machine: &Machine, command: &str) -> u64 {
    let count = machine.field(&format!("/rmi_calls/{command}"));
    count.as_u64().unwrap_or(0)
}

fn rmm(machine: &Machine) -> [&Value; 2] {
    [machine.field("/rmm/flavour"), machine.field("/rmm/quirks")]
}

#[test]
fn like_tf_rmm_it_takes_one_granule_per_call_and_sixteen_for_a_rec() {
    let machine = hello(Behaviour::TfRmmHead);
    machine.expect("rmm: behaving like TF-RMM's head");
    let quirks = json!(["psci-complete-3-arguments", "one-granule-ranges"]);
    assert_eq!(rmm(&machine), [&json!("tf-rmm"), &quirks]);
    let granules = machine.field("/granules/delegated").as_u64().unwrap();
    assert!(calls(&machine, "GRANULE_RANGE_DELEGATE") >= granules);
    // A REC's sixteen granules are asked for once, and given back.
    assert_eq!(calls(&machine, "OP_MEM_DONATE"), 1);
    assert!(calls(&machine, "OP_MEM_RECLAIM") >= 1);
}

#[test]
fn like_bet3_it_is_told_by_its_commands_and_has_other_descriptors() {
    let machine = hello(Behaviour::Bet3);
    machine.expect("rmm: behaving like 2.0-bet3");
    let quirks = json!(["psci-complete-2-arguments"]);
    assert_eq!(rmm(&machine), [&json!("bet3"), &quirks]);
    assert!(calls(&machine, "GRANULE_RANGE_DELEGATE") < 50);
}

#[test]
fn an_rmm_that_is_slow_is_waited_for() {
    let machine = hello(Behaviour::Slow);
    machine.expect("rmm: behaving like a slow RMM");
    // Three pauses at the creation of the REC and three at its end.
    assert!(calls(&machine, "OP_CONTINUE") >= 8);
}

#[test]
fn the_behaviour_of_an_rmm_of_rmi_1_0_is_nobodys_choice() {
    let run = Run::guest("hello").rmm_behaviour(Behaviour::Bet3);
    let why = run.rmi(qemu_tests::Dialect::V1_0).refusal();
    assert!(why.contains("--rmi 1.0"), "{why}");
}
