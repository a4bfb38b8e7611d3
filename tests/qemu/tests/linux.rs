//! An unmodified Debian kernel as a Realm.

use qemu_tests::{Dialect, Run};
use xtask::exit::Exit;

qemu_tests::in_both_dialects! {
    linux_knows_it_is_a_realm_touches_its_memory_keeps_time_and_powers_off
    a_person_gets_a_shell_and_poweroff_ends_the_run
}

fn linux_knows_it_is_a_realm_touches_its_memory_keeps_time_and_powers_off(dialect: Dialect) {
    let machine = Run::guest("linux")
        .rmi(dialect)
        .memory("256M")
        .timeout(280)
        .go();
    machine
        .expect_exit(Exit::Good)
        .expect_outcome("off")
        .expect_no_granule_lost()
        .expect("RME: Using RSI version 1.0")
        .expect("SUZERAIN-GUEST: memory:")
        .expect("SUZERAIN-GUEST: sleep: 1 s took")
        .expect("SUZERAIN-GUEST: all checks passed");
}

fn a_person_gets_a_shell_and_poweroff_ends_the_run(dialect: Dialect) {
    let machine = Run::guest("linux")
        .rmi(dialect)
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
