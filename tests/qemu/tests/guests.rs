//! Guests that are plain VMs whatever the machine is.

use qemu_tests::Run;
use xtask::exit::Exit;

#[test]
fn a_kernel_that_knows_nothing_of_realms_runs_as_a_plain_vm() {
    let machine = Run::guest("linux-6.1").no_rme().timeout(280).go();
    machine
        .expect_exit(Exit::Good)
        .expect("SUZERAIN-GUEST: rsi: not a Realm")
        .expect("SUZERAIN-GUEST: all checks passed");
}

#[test]
fn u_boot_comes_to_its_prompt_and_powers_off_when_told() {
    let machine = Run::guest("uboot")
        .no_rme()
        .timeout(120)
        .typing(&[("=> ", "poweroff\r")])
        .go();
    machine.expect_exit(Exit::Good).expect("U-Boot 20");
}
