//! What lines mean, and what is said to those that mean nothing.
use crate::{COMMANDS, Command, Form, Roster, complete, parse};
use report::args::Verbosity;
use std::string::{String, ToString};
use std::vec::Vec;

struct Vms(&'static [&'static str]);

impl Roster for Vms {
    fn count(&self) -> usize {
        self.0.len()
    }

    fn name(&self, vm: usize) -> Option<&str> {
        self.0.get(vm).copied()
    }
}

const VMS: Vms = Vms(&["web", "db", "web-2"]);

fn understood(line: &str) -> Command {
    match parse(line, &VMS) {
        Some(Ok(command)) => command,
        Some(Err(refusal)) => panic!("{line}: {refusal}"),
        None => panic!("{line}: nothing"),
    }
}

fn refused(line: &str) -> String {
    match parse(line, &VMS) {
        Some(Err(refusal)) => refusal.to_string(),
        other => panic!("{line}: {:?}", other.map(Result::ok)),
    }
}

#[test]
fn every_command_is_understood() {
    use Command::*;
    let (text, json) = (Form::Text, Form::Json);
    for (line, command) in [
        ("vm list", VmList(text)),
        ("vm list --json", VmList(json)),
        ("  vm   start web ", VmStart(0)),
        ("vm stop db", VmStop(1)),
        ("vm kill web-2", VmKill(2)),
        ("vm restart db", VmRestart(1)),
        ("vm console db", VmConsole(1)),
        ("vm info --json db", VmInfo(1, json)),
        ("realm info web", RealmInfo(0, text)),
        ("mem", Mem(text)),
        ("ledger --json", Ledger(json)),
        ("exits", Exits(None, text)),
        ("exits db", Exits(Some(1), text)),
        ("cpu", Cpu(text)),
        ("log debug", Log(Verbosity::Debug)),
        ("rmm", Rmm(text)),
        ("trace dump", TraceDump),
        ("help", Help(None)),
        ("help vm", Help(Some("vm"))),
        ("off", Off),
    ] {
        assert_eq!(understood(line), command, "{line}");
    }
    assert!(parse("   ", &VMS).is_none());
}

#[test]
fn refusals_name_the_word_and_what_would_be_right() {
    for (line, sentence) in [
        ("frob", "there is no command \"frob\"; `help` lists them"),
        (
            "vm frob web",
            "`vm` knows no \"frob\"; there is list, info, start, stop, kill, restart, console",
        ),
        ("realm", "`realm` needs one more word: info"),
        (
            "vm kill",
            "say of which VM: `vm kill NAME`, where NAME is web, db, web-2",
        ),
        (
            "vm kill wbe",
            "there is no VM \"wbe\"; there is web, db, web-2",
        ),
        (
            "vm kill web db",
            "\"db\" is one word too many; it is `vm kill NAME`",
        ),
        (
            "mem all",
            "\"all\" is one word too many; it is `mem [--json]`",
        ),
        (
            "log loud",
            "\"loud\" is no level of the log; they are error, warn, info, debug and trace",
        ),
        ("log", "say which level: error, warn, info, debug or trace"),
        (
            "vm stop web --json",
            "`vm stop NAME` has no answer to write as JSON",
        ),
        (
            "vm list --yaml",
            "\"--yaml\" is no option of this; there is `--json` after a command that answers",
        ),
        (
            "help frob",
            "there is no command \"frob\"; `help` lists them",
        ),
    ] {
        assert_eq!(refused(line), sentence);
    }
    assert!(parse("--json", &VMS).is_some_and(|parsed| parsed.is_err()));
}

#[test]
fn a_name_must_be_whole() {
    // A prefix of one VM is another one's name.
    assert_eq!(understood("vm kill web"), Command::VmKill(0));
    assert!(refused("vm kill we").contains("no VM"));
}

#[test]
fn without_vms_the_sentence_says_so() {
    let none = Vms(&[]);
    let Some(Err(refusal)) = parse("vm kill web", &none) else {
        panic!("there is none");
    };
    assert_eq!(
        refusal.to_string(),
        "there is no VM \"web\"; there is none in this run"
    );
}

#[test]
fn every_usage_in_the_table_can_be_typed() {
    for usage in &COMMANDS {
        let shown = usage.to_string();
        let line = (shown.replace("[NAME]", "db").replace("NAME", "db"))
            .replace("LEVEL", "info")
            .replace("[COMMAND]", "vm")
            .replace("[--json]", "--json");
        understood(&line);
        assert!(shown.len() < 32, "help has no room for {shown}");
    }
}

fn completed(line: &str) -> Vec<&'static str> {
    let mut words = Vec::new();
    complete(line, &VMS, &mut |word| words.push(word));
    words
}

#[test]
fn completion_offers_what_may_stand_there() {
    assert_eq!(completed("v"), ["vm"]);
    assert_eq!(completed("l"), ["ledger", "log"]);
    assert_eq!(completed("vm st"), ["start", "stop"]);
    assert_eq!(completed("vm stop w"), ["web", "web-2"]);
    assert_eq!(completed("exits "), ["web", "db", "web-2"]);
    assert_eq!(completed("log d"), ["debug"]);
    assert_eq!(completed("help tr"), ["trace"]);
    for nothing in ["vm stop web ", "frob ", "mem ", "trace dump ", "zz"] {
        assert_eq!(completed(nothing), [""; 0], "{nothing}");
    }
    assert_eq!(completed("").len(), 11);
}
