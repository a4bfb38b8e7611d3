//! Asking a guest to stop, as an operator does.

use qemu_tests::{Dialect, Machine, Run};
use xtask::exit::Exit;

qemu_tests::in_both_dialects! {
    a_realm_s_linux_stops_when_it_is_asked_to
}

fn a_realm_s_linux_stops_when_it_is_asked_to(dialect: Dialect) {
    let machine = Run::guest("linux").rmi(dialect).memory("256M").timeout(280);
    stops("linux", machine).expect_no_granule_lost();
}

#[test]
fn debians_older_kernel_stops_as_a_plain_vm() {
    stops(
        "linux-6.1",
        Run::guest("linux-6.1").no_rme().memory("256M").timeout(280),
    );
}

/// Leaves the guest, once it listens to the key, and asks it to stop.
fn stops(name: &str, run: Run) -> Machine {
    let ask = format!("\x14vm stop {name}\r");
    let machine = run
        .typing(&[
            ("'poweroff' ends the run", &ask),
            ("came back", &format!("vm stop {name}\r")),
            (&format!("{name} is off already"), "off\r"),
        ])
        .go();
    machine
        .expect_exit(Exit::Good)
        .expect_outcome("off")
        .expect(&format!(
            "{name} is asked to stop: its power key is pressed"
        ))
        .expect(&format!("{name}: it powered itself off"))
        .expect_not("did not stop");
    machine
}

#[test]
fn a_guest_that_does_not_listen_is_named_and_goes_on_until_it_is_killed() {
    Run::guest("spin")
        .vm("sleep")
        .hypervisor_args("suzerain.patience=4")
        .typing(&[
            ("spin  | spinning", "vm stop spin\r"),
            ("its power key is pressed", "vm list --json\r"),
            (
                "\"name\":\"spin\",\"kind\":\"realm\",\"state\":\"stopping\"",
                "",
            ),
            (
                "spin did not stop within 4 s; `vm kill spin` ends it at once",
                "vm list --json\r",
            ),
            (
                "\"name\":\"spin\",\"kind\":\"realm\",\"state\":\"running\"",
                "vm kill spin\r",
            ),
            ("spin ends", ""),
            ("came back", "vm stop spin\r"),
            ("spin is off already", "off\r"),
        ])
        .go()
        .expect_exit(Exit::Good)
        .expect_outcome_of("spin", "stopped")
        .expect_no_granule_lost();
}
