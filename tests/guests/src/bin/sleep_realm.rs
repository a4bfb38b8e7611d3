//! A Realm that waits for an interrupt that nobody sends.
#![no_std]
#![no_main]

use guests::{println, timer};

guests::entry!(main);

fn main(_dtb: u64) {
    println!("sleeping until somebody ends me");
    loop {
        timer::wait_until(u32::MAX, || false);
    }
}
