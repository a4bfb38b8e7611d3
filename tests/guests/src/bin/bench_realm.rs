//! Exits of each kind, many times, for `cargo xtask bench`.
#![no_std]
#![no_main]

use guests::console::Pl011;
use guests::gic::Gic;
use guests::{bits, check, println, realm, timer};
use rsi::host_call;
use vm_config::map;

guests::entry!(main);

/// Exits of each kind.
const ROUNDS: u64 = 256;

fn main(_dtb: u64) {
    println!("bench: {ROUNDS} exits of each kind");
    let Ok(config) = realm::config() else {
        check!(false, "the RMM tells me my configuration");
        return;
    };
    let shared_bit = map::shared_bit(config.ipa_width as u8);
    for _ in 0..ROUNDS {
        realm::host_call(host_call::NOP, &mut [0; 31]);
    }
    let gic = Gic::new(shared_bit);
    for _ in 0..ROUNDS {
        gic.typer();
    }
    let uart = Pl011::new(shared_bit);
    for _ in 0..ROUNDS {
        uart.flags();
    }
    gic.enable();
    gic.enable_private(map::TIMER_VIRTUAL_INTID);
    timer::unmask();
    for round in 1..=ROUNDS {
        timer::arm(2_000);
        // Spinning, so that the exit is the timer's and not that of WFI.
        let mut patience = 100_000_000u64;
        while u64::from(timer::ticks()) < round && patience > 0 {
            patience -= 1;
            core::hint::spin_loop();
        }
    }
    check!(
        u64::from(timer::ticks()) == ROUNDS,
        "every timer interrupt arrived"
    );
    let fresh = (0..ROUNDS)
        .map(|page| bits::read(bits::SCRATCH + page * 4096))
        .fold(0, |all, word| all | word);
    check!(fresh == 0, "fresh memory is zero");
}
