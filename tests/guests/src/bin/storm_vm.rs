//! A plain VM that does what no guest should, without end.
#![no_std]
#![no_main]

use guests::{hostile, plain};

guests::entry!(main);

fn main(_dtb: u64) {
    plain::announce();
    hostile::storm::rage(0, hostile::vm::try_all)
}
