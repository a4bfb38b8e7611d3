//! Guests that do what no guest should, all the time, beside one that works.
//!
//! Where it matters how long the work takes, time is counted by instructions, so that
//! it does not depend on what else the machine under the test has to do. There is one
//! CPU then: of several, QEMU lets one go on at a time, and one that waits for a lock
//! spends the time of the other.

use qemu_tests::{Dialect, Files, Machine, Run};
use xtask::exit::Exit;

/// Tasks that want a CPU while Linux works: itself and the two that storm.
const BUSY: f64 = 3.0;

/// How much longer the work may take beside them.
///
/// In each round of the queue Linux has one slice and so has each of the others,
/// which makes the work take as long as there are tasks. A guest that storms may
/// overrun its slice by what its last exit takes the host, and no exit may take it
/// as long as another slice.
const SLOWEST: f64 = 1.0 + 2.0 * (BUSY - 1.0);

/// How much longer it takes if both of the others really are at it: with one of them
/// it would be twice as long.
const FASTEST: f64 = 2.2;

#[test]
fn a_realm_works_beside_guests_that_storm() {
    let machine = beside_storms("", Dialect::V1_0);
    machine.expect("Using RSI version");
}

#[test]
fn a_plain_vm_works_beside_guests_that_storm() {
    let machine = beside_storms("kind = \"normal\"\n", Dialect::V2_0);
    machine.expect("rsi: not a Realm");
}

/// They meet in the hypervisor at the same time, in its locks and in the RMM.
#[test]
fn a_realm_with_two_vcpus_works_right_beside_storms_on_other_cpus() {
    let files = Files::new(&[(
        "work.toml",
        "kernel = \"debian\"\ninitrd = \"builtin\"\nmemory = \"256M\"\nvcpus = 2\n\
         append = \"suzerain.checks suzerain.brief suzerain.cpus=2 suzerain.work=8\"\n",
    )]);
    let machine = Run::guest(&files.path("work.toml"))
        .vm("storm")
        .vm("storm-vm")
        .cpus(3)
        .timeout(1200)
        .typing(&[("work: it powered itself off", "off\r")])
        .go();
    machine
        .expect_exit(Exit::Good)
        .expect_outcome_of("work", "off")
        .expect("work: 8 MiB hashed in")
        .expect("SUZERAIN-GUEST: all checks passed")
        .expect_outcome_of("storm", "stopped")
        .expect("storm    | storm: round 1 is over")
        .expect_outcome_of("storm-vm", "stopped")
        .expect("storm-vm | storm: round 1 is over")
        .expect_not("FAIL")
        .expect_no_granule_lost()
        .expect_no_memory_lost();
}

/// Linux does its work alone, twice because memory comes with the first touch, and
/// once more when the operator has had a Realm and a plain VM storm beside it.
fn beside_storms(kind: &str, dialect: Dialect) -> Machine {
    let files = Files::new(&[(
        "work.toml",
        &format!(
            "{kind}kernel = \"debian\"\ninitrd = \"builtin\"\nmemory = \"256M\"\n\
             append = \"suzerain.checks suzerain.brief suzerain.work=8,3\"\n"
        ),
    )]);
    let machine = Run::guest(&files.path("work.toml"))
        .vm("storm")
        .vm("storm-vm")
        .rmi(dialect)
        .cpus(1)
        .counted_without_books()
        .timeout(1200)
        .typing(&[
            ("storm    | hostile", "vm kill storm\rvm kill storm-vm\r"),
            ("work: 8 MiB hashed", "vm console work\r"),
            ("Ctrl-T comes back", "\r\x14"),
            (
                "work     | SUZERAIN-GUEST: work: 8 MiB hashed",
                "vm start storm\rvm start storm-vm\r",
            ),
            // By then the other one, whose exits are cheaper, has had several.
            ("storm    | storm: round 1 is over", "vm console work\r"),
            ("Ctrl-T comes back", "\r\x14"),
            ("SUZERAIN-GUEST: all checks passed", ""),
            ("work: it powered itself off", "off\r"),
        ])
        .go();
    machine
        .expect_exit(Exit::Good)
        .expect_outcome_of("work", "off")
        .expect_outcome_of("storm", "stopped")
        .expect_outcome_of("storm-vm", "stopped")
        .expect_not("FAIL")
        .expect_no_granule_lost()
        .expect_no_memory_lost();
    expect_fair_shares(&machine);
    machine
}

/// Both guests stormed until they were ended, and the work took no longer for it than
/// three who take turns have to wait for each other.
fn expect_fair_shares(machine: &Machine) {
    for name in ["storm", "storm-vm"] {
        let row = format!("{name:8} | storm: round 1 is over");
        machine.expect(&row);
    }
    let times = times_of_work(machine);
    let [_, alone, beside] = times[..] else {
        machine.fail(&format!("the work was done {} times", times.len()));
    };
    let slowdown = beside / alone;
    println!("work takes {alone} s alone, {beside} s beside storms: {slowdown:.2} times as long");
    if !(FASTEST..=SLOWEST).contains(&slowdown) {
        machine.fail(&format!(
            "the work takes {slowdown:.2} times as long, expected {FASTEST} to {SLOWEST}"
        ));
    }
}

/// Seconds of the guest's own time that each turn of its work took.
fn times_of_work(machine: &Machine) -> Vec<f64> {
    let hundredths = machine.rows().into_iter().filter_map(|row| {
        // Whoever attaches is shown again what came before.
        let (_, time) = row.split_once("| SUZERAIN-GUEST: work: 8 MiB hashed in ")?;
        time.strip_suffix(" cs")?.parse::<f64>().ok()
    });
    hundredths.map(|time| time / 100.0).collect()
}
