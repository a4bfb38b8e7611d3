//! Two vCPUs that send each other interrupts, for `cargo xtask bench`: what a round
//! takes where each has a physical CPU, and where they share one.
//!
//! Runs as both kinds. Where the counter counts instructions it counts those of all
//! CPUs, so that a round's ticks are what both did for it.
#![no_std]
#![no_main]

use core::sync::atomic::{AtomicU64, Ordering};

use guests::gic::{self, Gic};
use guests::{check, cpus, plain, power, println, realm, timer};
use rsi::psci;

guests::entry!(main);

/// Rounds that are counted.
const ROUNDS: usize = 256;
/// Rounds before those, in which both have touched what they need.
const BEFORE: usize = 16;
/// The interrupt they send each other.
const BALL: u32 = 5;

static SHARED_BIT: AtomicU64 = AtomicU64::new(0);

fn main(_dtb: u64) {
    let shared_bit = plain::find_out();
    SHARED_BIT.store(shared_bit, Ordering::Release);
    ready(0, shared_bit);
    let started = cpus::start(1, second);
    check!(started == psci::SUCCESS, "my second CPU starts: {started}");
    if started != psci::SUCCESS {
        return;
    }
    // It says so when it is ready.
    wait();
    (0..BEFORE).for_each(|_| round());
    realm::mark(realm::MARK_BEGIN);
    let mut took = [0; ROUNDS];
    for took in &mut took {
        let begun = timer::now();
        round();
        *took = timer::now() - begun;
    }
    realm::mark(realm::MARK_END);
    took.sort_unstable();
    println!("figure rounds {ROUNDS}");
    println!("figure round {}", took[ROUNDS / 2]);
    check!(took[0] > 0, "{ROUNDS} rounds were made");
}

/// Has CPU `cpu`, which calls this, take the interrupt.
fn ready(cpu: u32, shared_bit: u64) {
    let gic = Gic::of(cpu, shared_bit);
    gic.enable();
    gic.enable_private(BALL);
}

fn round() {
    gic::send_sgi(BALL, 1);
    wait();
}

/// Waits for the interrupt, which stays masked: no handler adds to what is counted.
fn wait() {
    loop {
        timer::wfi();
        let intid = gic::acknowledge();
        if intid == BALL {
            gic::end(intid);
            return;
        }
    }
}

extern "C" fn second() -> ! {
    ready(1, SHARED_BIT.load(Ordering::Acquire));
    gic::send_sgi(BALL, 0);
    for _ in 0..BEFORE + ROUNDS {
        wait();
        gic::send_sgi(BALL, 0);
    }
    power::off_cpu()
}
