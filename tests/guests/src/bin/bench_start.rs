//! One of many, for `cargo xtask bench`: comes up, and stays until all the others
//! have, so that none is taken down while others are built.
#![no_std]
#![no_main]

use guests::gic::Gic;
use guests::{check, plain, timer};
use vm_config::map;

guests::entry!(main);

/// When all are up, whoever counts: ticks since the machine started.
const UNTIL: u64 = 10_000_000_000;

fn main(_dtb: u64) {
    let gic = Gic::new(plain::find_out());
    gic.enable();
    gic.enable_private(map::TIMER_VIRTUAL_INTID);
    timer::arm(UNTIL.saturating_sub(timer::now()));
    check!(
        timer::wait_until(1000, || timer::ticks() > 0),
        "the timer wakes me"
    );
}
