//! What the operator does with VMs at moments that nobody has prepared.

use qemu_tests::{Dialect, Files, Run};
use xtask::exit::Exit;

qemu_tests::in_both_dialects! {
    a_vm_is_ended_at_any_moment_of_its_building_and_its_boot
    a_restart_meets_a_vm_that_is_about_to_reset
    a_vm_with_devices_begins_again_with_its_disks_as_they_were
}

const LINUX4: &str = "kernel = \"debian\"\ninitrd = \"builtin\"\nmemory = \"256M\"\nvcpus = 4\n\
                      append = \"suzerain.checks\"\n";

/// A Realm and a plain VM beside each other go through the same; a third, which
/// waits, is not touched.
fn a_vm_is_ended_at_any_moment_of_its_building_and_its_boot(dialect: Dialect) {
    let plain = format!("kind = \"normal\"\n{LINUX4}");
    let files = Files::new(&[("realm.toml", LINUX4), ("plain.toml", &plain)]);
    let machine = Run::guest("sleep")
        .vm(&files.path("realm.toml"))
        .vm(&files.path("plain.toml"))
        .rmi(dialect)
        .timeout(240)
        .typing(&[
            // Half built.
            ("Realm realm: ", "vm kill realm\r"),
            // In the middle of its boot, or close to it; and hardly begun.
            ("granules came back", "vm restart plain\r"),
            ("VM plain starts again", "vm kill plain\r"),
            ("pages came back", "vm start realm\r"),
            ("realm starts", "vm restart realm\r"),
            ("Realm realm starts again", ""),
            // Before the others of its CPUs are up, and while they come up.
            ("realm | [    0.000000] Booting Linux", "vm restart realm\r"),
            ("Realm realm starts again", ""),
            ("smp: Bringing up secondary CPUs", "vm kill realm\r"),
            ("Realm realm: killed by the operator", "vm list\r"),
            ("shared", "vm info sleep\r"),
            ("started  1 times", "off\r"),
        ])
        .go();
    machine
        .expect_exit(Exit::Good)
        .expect_outcome_of("sleep", "stopped")
        .expect_outcome_of("realm", "stopped")
        .expect_outcome_of("plain", "stopped")
        .expect(" MiB are in")
        .expect_no_granule_lost()
        .expect_no_memory_lost();
}

/// Whether it is still being taken down by then, and starts when that is done, or is
/// down, and starts at once, is left to chance.
#[test]
fn a_vm_that_was_just_killed_can_be_started() {
    let machine = Run::guest("sleep")
        .vm("spin")
        .typing(&[
            ("spin  | spinning", "vm kill spin\rvm start spin\r"),
            ("Realm spin: killed by the operator", ""),
            ("spin  | spinning", "vm info spin\r"),
            ("started  2 times", "off\r"),
        ])
        .go();
    machine
        .expect_exit(Exit::Good)
        .expect_outcome_of("spin", "stopped")
        .expect_no_granule_lost()
        .expect_no_memory_lost();
}

/// The guest asks for a reset as soon as it runs, and the operator for a restart as
/// soon as it says so: which of the two comes first is left to chance.
fn a_restart_meets_a_vm_that_is_about_to_reset(dialect: Dialect) {
    const MEETINGS: usize = 10;
    let text = "payload = \"reset_realm\"\nmemory = \"16M\"\nrestarts = 3\n";
    let plain = format!("kind = \"normal\"\n{text}");
    let files = Files::new(&[("realm.toml", text), ("plain.toml", &plain)]);
    let meeting = [
        ("realm | asking for a reset", "vm restart realm\r"),
        ("realm starts again", "vm restart plain\r"),
        ("plain starts again", ""),
    ];
    let mut script = meeting.repeat(MEETINGS);
    script.push(("realm | asking for a reset", "vm info sleep\r"));
    script.push(("started  1 times", "off\r"));
    let machine = Run::guest("sleep")
        .vm(&files.path("realm.toml"))
        .vm(&files.path("plain.toml"))
        .rmi(dialect)
        .timeout(120)
        .typing(&script)
        .go();
    machine
        .expect_outcome_of("sleep", "stopped")
        .expect_not("cannot")
        .expect_no_granule_lost()
        .expect_no_memory_lost();
    // The last life ends by whatever came first.
    let faults = machine.field("/run/faults").as_array();
    let others = faults
        .into_iter()
        .flatten()
        .filter_map(|fault| fault.as_str());
    let others: Vec<_> = others.filter(|fault| !fault.ends_with(" reset")).collect();
    assert_eq!(others, [""; 0], "nothing else is wrong");
}

fn a_vm_with_devices_begins_again_with_its_disks_as_they_were(dialect: Dialect) {
    let text = "kernel = \"debian\"\ninitrd = \"builtin\"\nmemory = \"256M\"\n\
                append = \"suzerain.checks suzerain.disk suzerain.entropy\"\n\
                [devices]\nconsole = true\nentropy = true\nnetwork = true\n\
                disk = [{ size = \"2M\" }]\n";
    let text = match dialect {
        Dialect::V1_0 => format!("kind = \"normal\"\n{text}"),
        Dialect::V2_0 => text.to_owned(),
    };
    let files = Files::new(&[("disks.toml", &text)]);
    let machine = Run::guest(&files.path("disks.toml"))
        .vm("sleep")
        .rmi(dialect)
        .timeout(240)
        .typing(&[
            // It has written to its disk by then.
            ("entropy: virtio_rng", "vm kill disks\r"),
            (" disks: killed by the operator", "vm start disks\r"),
            ("all checks passed", ""),
            ("disks: it powered itself off", "vm info sleep\r"),
            ("started  1 times", "off\r"),
        ])
        .go();
    machine
        .expect_exit(Exit::Good)
        .expect_outcome_of("disks", "off")
        .expect_not("FAILED")
        .expect_no_granule_lost()
        .expect_no_memory_lost();
    let rows = machine.rows();
    let disks: Vec<_> = rows
        .iter()
        .filter_map(|row| Some(row.split_once("disk: vda has ")?.1))
        .collect();
    match disks[..] {
        [first, second] if first == second => {}
        _ => machine.fail(&format!("a disk in two lives: {disks:?}")),
    }
}

/// The receiver is ended in the middle of it and begins again: the sender notices by
/// itself, and what it then sends arrives. In one dialect, for it takes long.
#[test]
fn a_vm_is_ended_while_another_sends_to_it() {
    let guest = |kind: &str, net: &str| {
        format!(
            "{kind}kernel = \"debian\"\ninitrd = \"builtin\"\nmemory = \"256M\"\n\
             append = \"suzerain.checks suzerain.brief suzerain.net={net}\"\n[devices]\nnetwork = true\n"
        )
    };
    let files = Files::new(&[
        ("taker.toml", &guest("", "server,10.0.0.2,10.0.0.1")),
        (
            "sender.toml",
            &guest("kind = \"normal\"\n", "client,10.0.0.1,10.0.0.2,8"),
        ),
    ]);
    let machine = Run::guest(&files.path("taker.toml"))
        .vm(&files.path("sender.toml"))
        .rmi(Dialect::V2_0)
        .timeout(300)
        .typing(&[
            ("net: sending 8 MiB", "mem\r"),
            ("largest", "vm restart taker\r"),
            ("Realm taker starts again", ""),
            ("net: received 8388608 bytes", ""),
            ("net: sent 8 MiB", ""),
            ("it powered itself off", ""),
            ("it powered itself off", "off\r"),
        ])
        .go();
    machine
        .expect_exit(Exit::Good)
        .expect_outcome_of("taker", "off")
        .expect_outcome_of("sender", "off")
        .expect_not("FAILED")
        .expect_no_granule_lost()
        .expect_no_memory_lost();
}
