//! One image, wherever it is loaded.

use qemu_tests::Run;
use xtask::exit::Exit;

/// At the usual address BL33 is entered directly; elsewhere too, as long as the
/// firmware is told. What differs without RME is only who loads the image.
fn runs_at(address: u64) {
    Run::guest("hello")
        .load_address(address)
        .go()
        .expect_exit(Exit::Good)
        .expect_no_granule_lost()
        .expect(&format!("at pa:{address:#x}"))
        .expect("0 failed");
}

#[test]
fn the_image_runs_where_the_firmware_expects_it() {
    runs_at(0x6000_0000);
}

#[test]
fn the_image_runs_right_behind_the_rmm() {
    runs_at(0x4200_0000);
}

#[test]
fn the_image_runs_at_an_odd_multiple_of_2_mib() {
    runs_at(0x8be0_0000);
}
