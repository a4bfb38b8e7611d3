//! A plain VM that does what no guest should, once.
#![no_std]
#![no_main]

guests::entry!(main);

fn main(_dtb: u64) {
    guests::plain::announce();
    guests::hostile::vm::try_all();
}
