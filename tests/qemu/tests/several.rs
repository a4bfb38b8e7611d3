//! Several VMs side by side, of both kinds.

use qemu_tests::{Dialect, Run};
use xtask::exit::Exit;

qemu_tests::in_both_dialects! {
    two_realms_and_a_plain_vm_end_as_asked
    a_realm_and_a_plain_vm_use_four_cpus_each_and_copy_64_mib_between_them
}

fn two_realms_and_a_plain_vm_end_as_asked(dialect: Dialect) {
    let machine = Run::guest("demo").rmi(dialect).timeout(600).go();
    machine
        .expect_exit(Exit::Good)
        .expect_outcome_of("hello", "off")
        .expect_outcome_of("linux-realm", "off")
        .expect_outcome_of("linux-vm", "off")
        .expect_no_granule_lost();
}

fn a_realm_and_a_plain_vm_use_four_cpus_each_and_copy_64_mib_between_them(dialect: Dialect) {
    let machine = Run::guest("pair").rmi(dialect).timeout(1500).go();
    machine
        .expect_exit(Exit::Good)
        .expect_outcome_of("pair-realm", "off")
        .expect_outcome_of("pair-vm", "off")
        .expect_no_granule_lost()
        .expect("net: 10.0.0.1 reaches 10.0.0.2")
        .expect("net: received 67108864 bytes");
    let worked = machine.log().matches("cpus: 4 of 4 worked").count();
    if worked != 2 {
        machine.fail(&format!("{worked} of 2 guests say that four CPUs worked"));
    }
}
