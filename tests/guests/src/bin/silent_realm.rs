//! A Realm that powers off without a word: a test that takes it for a success
//! is wrong.
#![no_std]
#![no_main]

guests::entry!(main);

fn main(_dtb: u64) {
    guests::power::off()
}
