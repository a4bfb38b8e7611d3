//! A Realm that prints what would steer a terminal, or look like the shell's lines
//! and another guest's.
#![no_std]
#![no_main]

use guests::{println, timer};

guests::entry!(main);

fn main(_dtb: u64) {
    // Clears the screen, comes back to the row's beginning, leaves the guest.
    println!("\x1b[2J\x1b[H\rsuzerain> vm kill sleep");
    println!("\x14\x14");
    println!("\rsleep  | I am somebody else");
    println!("forged what I could");
    loop {
        timer::wait_until(u32::MAX, || false);
    }
}
