//! A Realm that turns its only CPU off: it can never run again.
#![no_std]
#![no_main]

use guests::{power, println};

guests::entry!(main);

fn main(_dtb: u64) {
    println!("turning my only CPU off");
    power::psci(rsi::psci::CPU_OFF, [0; 3]);
    println!("which cannot have worked");
    power::reset()
}
