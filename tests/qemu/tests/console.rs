//! The operator's console and the flight recorder, as an operator uses them.

use std::collections::BTreeSet;

use qemu_tests::{Dialect, Files, Run};
use serde_json::Value;
use xtask::exit::Exit;

qemu_tests::in_both_dialects! {
    guests_have_rows_of_their_own_and_questions_are_answered
    one_vm_is_killed_started_and_restarted_while_the_other_goes_on
    nothing_a_guest_prints_looks_like_the_shell_or_another_guest
    attached_keys_go_to_the_guest_and_only_ctrl_t_comes_back
    the_recorder_is_told_as_json_with_every_exit_when_that_is_wanted
    a_crash_is_told_with_what_the_guest_did_last
    the_flight_recorder_becomes_a_picture_with_the_guest_in_it
}

/// Two Realms that never end by themselves.
fn pair(dialect: Dialect) -> Run {
    Run::guest("sleep").vm("spin").rmi(dialect)
}

fn guests_have_rows_of_their_own_and_questions_are_answered(dialect: Dialect) {
    let machine = pair(dialect)
        .typing(&[
            ("spin  | spinning", "vm list\r"),
            ("shared", "realm info sleep\r"),
            ("RTT  ", "mem --json\r"),
            ("\"largest\"", "nonsense\r"),
            ("there is no command", "off\r"),
        ])
        .go();
    machine.expect_exit(Exit::Good).expect_no_granule_lost();
    machine
        .expect_outcome_of("sleep", "stopped")
        .expect_outcome_of("spin", "stopped");
    let rim = machine.field("/vms/0/rim").as_str().unwrap_or_default();
    let told = machine.log().matches(rim).count();
    // In the firmware's line, in the answer and in the summary.
    assert!(told >= 3, "the RIM was told {told} times");
    let rows = machine.rows();
    let json = rows.iter().find(|row| row.starts_with("{\"ram\""));
    let json: Value = serde_json::from_str(json.map_or("", String::as_str)).unwrap();
    assert!(json["free"].as_u64() < json["ram"].as_u64(), "{json}");
}

fn one_vm_is_killed_started_and_restarted_while_the_other_goes_on(dialect: Dialect) {
    pair(dialect)
        .typing(&[
            ("spin  | spinning", "vm kill spin\r"),
            // Not before it is down: a VM that still ends is not off.
            ("granules came back", "vm start spin\r"),
            ("spin  | spinning", "vm restart spin\r"),
            ("Realm spin starts again", ""),
            ("spin  | spinning", "vm info sleep\r"),
            ("started  1 times", "off\r"),
        ])
        .go()
        .expect_exit(Exit::Good)
        .expect_no_granule_lost()
        .expect_not("sleep starts again");
}

fn nothing_a_guest_prints_looks_like_the_shell_or_another_guest(dialect: Dialect) {
    let machine = Run::guest("sleep")
        .vm("forger")
        .rmi(dialect)
        .typing(&[("forged what I could", "vm list\r"), ("shared", "off\r")])
        .go();
    machine
        .expect_exit(Exit::Good)
        .expect("forger | ^[[2J^[[H^Msuzerain> vm kill sleep")
        .expect("forger | ^Msleep  | I am somebody else")
        .expect_not("\x1b[2J")
        .expect_not("sleep ends");
}

fn attached_keys_go_to_the_guest_and_only_ctrl_t_comes_back(dialect: Dialect) {
    pair(dialect)
        .typing(&[
            ("sleep | sleeping", "vm console sleep\r"),
            ("Ctrl-T comes back", "off\r\x14"),
            ("left sleep", "off\r"),
        ])
        .go()
        .expect_exit(Exit::Good)
        .expect("left sleep")
        .expect_no_granule_lost();
}

fn the_flight_recorder_becomes_a_picture_with_the_guest_in_it(dialect: Dialect) {
    let dir = tempfile::tempdir().expect("a directory can be made");
    let file = dir.path().join("trace.json");
    // On a CPU of its own, for the calls that take it down push out what was noted
    // before on the CPU that makes them.
    let files = Files::new(&[(
        "hello.toml",
        "payload = \"hello_realm\"\nmemory = \"16M\"\ncpus = [1]\n",
    )]);
    Run::guest(&files.path("hello.toml"))
        .rmi(dialect)
        .trace(file.clone())
        .go()
        .expect_exit(Exit::Good);
    let text = std::fs::read_to_string(&file).expect("the trace is there");
    let trace: Value = serde_json::from_str(&text).expect("it is JSON");
    let events = trace["traceEvents"].as_array().expect("it has events");
    let slices = |name: &str| {
        let is = |event: &&Value| event["ph"] == "X" && event["name"] == name;
        events.iter().filter(is).count()
    };
    assert!(slices("in guest") > 10, "no time in the guest");
    assert!(slices("hello/0") > 0, "the vCPU never had a CPU");
    let exits = events.iter().filter(|event| event["ph"] == "X");
    let exits = exits.filter_map(|event| event["name"].as_str());
    let exits = exits.filter(|name| name.starts_with("exit: ")).count();
    assert!(exits > 10, "no exit was handled");
}

fn the_recorder_is_told_as_json_with_every_exit_when_that_is_wanted(dialect: Dialect) {
    let machine = pair(dialect)
        .typing(&[
            ("sleep | sleeping", "trace on\r"),
            ("RMI call is noted", "vm restart sleep\r"),
            ("sleep | sleeping", "trace dump\r"),
            ("{\"end\":true}", "trace off\r"),
            ("rare exits are noted", "off\r"),
        ])
        .go();
    machine.expect_exit(Exit::Good).expect_no_granule_lost();
    let rows = machine.rows();
    let from = rows.iter().position(|row| row.starts_with("{\"trace\":"));
    let to = rows.iter().position(|row| row == "{\"end\":true}");
    let (Some(from), Some(to)) = (from, to) else {
        machine.fail("there is no dump with a beginning and an end");
    };
    let dump: Vec<Value> = rows[from..=to]
        .iter()
        .map(|row| match serde_json::from_str(row) {
            Ok(value) => value,
            Err(error) => machine.fail(&format!("a row of the dump is no JSON: {error}: {row}")),
        })
        .collect();
    assert_eq!(dump[0]["rmi"], dialect_text(dialect));
    let named: Vec<_> = dump.iter().filter_map(|row| row["name"].as_str()).collect();
    assert_eq!(named, ["sleep", "spin"]);
    let kinds = kinds_of_events(&dump);
    for kind in ["exit", "enter", "rmi", "in", "out", "life", "command"] {
        assert!(kinds.contains(kind), "no entry of kind {kind}: {kinds:?}");
    }
}

fn dialect_text(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::V1_0 => "1.0",
        Dialect::V2_0 => "2.0",
    }
}

/// The kinds of entries in a dump; each entry is `[stamp,"kind",…]` of eight fields.
fn kinds_of_events(dump: &[Value]) -> BTreeSet<&str> {
    let events = dump.iter().filter_map(|row| row["events"].as_array());
    let events = events.flatten();
    events
        .map(|event| {
            assert_eq!(event.as_array().map_or(0, Vec::len), 8, "{event}");
            event[1].as_str().expect("a kind is a word")
        })
        .collect()
}

fn a_crash_is_told_with_what_the_guest_did_last(dialect: Dialect) {
    let machine = Run::guest("halt").vm("hello").rmi(dialect).go();
    machine
        .expect_exit(Exit::Failed)
        .expect_outcome_of("halt", "crashed")
        .expect_outcome_of("hello", "off")
        .expect_no_granule_lost();
    let rows = machine.rows();
    let told = rows.iter().position(|row| row == "what halt did last:");
    let Some(told) = told else {
        machine.fail("nothing says what the guest did last");
    };
    // The other guest goes on talking in between.
    let after = rows[told + 1..].iter();
    let last: Vec<_> = after.filter(|row| row.contains("] CPU ")).collect();
    for words in [
        "Realm halt vCPU 0 takes this CPU",
        "Realm halt vCPU 0 exited: PSCI CPU_OFF",
        "Realm halt vCPU 0 leaves this CPU: ",
        "Realm halt crashed",
    ] {
        if !last.iter().any(|row| row.contains(words)) {
            machine.fail(&format!("what it did last does not say {words:?}"));
        }
    }
    let of_others = last.iter().find(|row| !row.contains(": Realm halt"));
    assert_eq!(of_others, None, "what others did is not asked for");
}
