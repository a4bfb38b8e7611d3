//! A Realm that never ends and never exits of its own will.
#![no_std]
#![no_main]

use guests::println;

guests::entry!(main);

fn main(_dtb: u64) {
    println!("spinning until somebody ends me");
    loop {
        core::hint::spin_loop();
    }
}
