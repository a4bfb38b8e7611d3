//! What a plain VM's exits take, told from the inside, for `cargo xtask bench`.
//!
//! Where the counter counts instructions, the time between two looks at it is what
//! the host spent in between, and a little of this payload's own.
#![no_std]
#![no_main]

use guests::console::Pl011;
use guests::gic::Gic;
use guests::{bits, check, plain, println, realm, smc, timer};
use rsi::{host_call, psci};

guests::entry!(main);

/// Devices of a plain VM have no other address.
const NO_SHARED_BIT: u64 = 0;
/// Times that each is done.
const ROUNDS: u64 = 256;
/// A function of the vendor's range that no host has.
const NOTHING: u64 = 0xc600_ffff;

fn main(_dtb: u64) {
    plain::announce();
    let nothing = median(|_| {});
    let figure = |name: &str, act: &dyn Fn(u64)| {
        println!("figure {name} {}", median(act) - nothing);
    };
    figure("null_hvc", &|_| {
        smc::hvc(NOTHING);
    });
    figure("psci_version", &|_| {
        smc::hvc(psci::VERSION.into());
    });
    figure("host_call", &|_| {
        realm::host_call(host_call::NOP, &mut [0; 31]);
    });
    let gic = Gic::new(NO_SHARED_BIT);
    figure("gic_read", &|_| {
        gic.typer();
    });
    let uart = Pl011::new(NO_SHARED_BIT);
    figure("uart_status", &|_| {
        uart.flags();
    });
    figure("fault_per_4k", &|round| {
        bits::read(bits::SCRATCH + round * 4096);
    });
    check!(
        smc::hvc(NOTHING) == psci::NOT_SUPPORTED.cast_unsigned(),
        "a call of nothing is answered as such"
    );
}

/// The median of what `act` takes, the looks at the counter included.
fn median(act: impl Fn(u64)) -> u64 {
    let mut took = [0; ROUNDS as usize];
    for (round, took) in (0..).zip(&mut took) {
        let begun = timer::now();
        act(round);
        *took = timer::now() - begun;
    }
    took.sort_unstable();
    took[took.len() / 2]
}
