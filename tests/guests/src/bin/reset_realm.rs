//! A Realm that asks for a reset as soon as it runs.
#![no_std]
#![no_main]

use guests::println;

guests::entry!(main);

fn main(_dtb: u64) {
    println!("asking for a reset");
    guests::power::reset()
}
