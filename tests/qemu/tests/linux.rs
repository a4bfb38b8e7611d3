//! An unmodified Debian kernel as a Realm.

use qemu_tests::Run;
use xtask::exit::Exit;

#[test]
fn linux_knows_it_is_a_realm_touches_its_memory_keeps_time_and_powers_off() {
    let machine = Run::guest("linux").memory("256M").timeout(280).go();
    machine
        .expect_exit(Exit::Good)
        .expect_outcome("off")
        .expect_no_granule_lost()
        .expect("RME: Using RSI version 1.0")
        .expect("SUZERAIN-GUEST: memory:")
        .expect("SUZERAIN-GUEST: sleep: 1 s took")
        .expect("SUZERAIN-GUEST: all checks passed");
}

#[test]
fn a_person_gets_a_shell_and_poweroff_ends_the_run() {
    let machine = Run::guest("linux")
        .memory("256M")
        .timeout(280)
        .typing(&[
            ("# ", "echo answer=$((6 * 7))\n"),
            ("answer=42", "poweroff\n"),
        ])
        .go();
    machine
        .expect_exit(Exit::Good)
        .expect_outcome("off")
        .expect_no_granule_lost()
        .expect("answer=42");
}
