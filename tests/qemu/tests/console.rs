//! The operator's console and the flight recorder, as an operator uses them.

use qemu_tests::{Machine, Run};
use serde_json::Value;
use xtask::exit::Exit;

/// Two Realms that never end by themselves.
fn pair() -> Run {
    Run::guest("sleep").vm("spin")
}

/// Rows as a person sees them: without what erases the prompt.
fn rows(machine: &Machine) -> Vec<String> {
    let shown = |line: &str| line.replace("\r", "").replace("\x1b[K", "");
    machine.log().lines().map(shown).collect()
}

#[test]
fn guests_have_rows_of_their_own_and_questions_are_answered() {
    let machine = pair()
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
        .expect("sleep | sleeping")
        .expect_outcome_of("sleep", "stopped")
        .expect_outcome_of("spin", "stopped");
    let rim = machine.field("/vms/0/rim").as_str().unwrap_or_default();
    let told = machine.log().matches(rim).count();
    // In the firmware's line, in the answer and in the summary.
    assert!(told >= 3, "the RIM was told {told} times");
    let rows = rows(&machine);
    let json = rows.iter().find(|row| row.starts_with("{\"ram\""));
    let json: Value = serde_json::from_str(json.map_or("", String::as_str)).unwrap();
    assert!(json["free"].as_u64() < json["ram"].as_u64(), "{json}");
}

#[test]
fn one_vm_is_killed_started_and_restarted_while_the_other_goes_on() {
    pair()
        .typing(&[
            ("spin  | spinning", "vm kill spin\r"),
            ("Realm spin: killed by the operator", "vm start spin\r"),
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

#[test]
fn nothing_a_guest_prints_looks_like_the_shell_or_another_guest() {
    let machine = Run::guest("sleep")
        .vm("forger")
        .typing(&[("forged what I could", "vm list\r"), ("shared", "off\r")])
        .go();
    machine
        .expect_exit(Exit::Good)
        .expect("forger | ^[[2J^[[H^Msuzerain> vm kill sleep")
        .expect("forger | ^Msleep  | I am somebody else")
        .expect_not("\x1b[2J")
        .expect_not("sleep ends");
}

#[test]
fn attached_keys_go_to_the_guest_and_only_ctrl_t_comes_back() {
    pair()
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

#[test]
fn the_flight_recorder_becomes_a_picture_with_the_guest_in_it() {
    let dir = own_directory();
    let file = dir.join("trace.json");
    Run::guest("hello")
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
    std::fs::remove_dir_all(dir).expect("it can be removed");
}

/// A directory for this process alone.
fn own_directory() -> std::path::PathBuf {
    let name = format!("suzerain-console-{}", std::process::id());
    let dir = std::env::temp_dir().join(name);
    std::fs::create_dir_all(&dir).expect("a directory can be made");
    dir
}
