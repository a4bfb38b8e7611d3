//! A guest that never rests: everything the hostile payloads try, over and over,
//! and storms of interrupts, wake-ups and calls in between. Each answer is still
//! checked; only those that are wrong are printed.

use crate::console::Pl011;
use crate::gic::{self, Gic};
use crate::{bits, check, power, println, timer};
use rsi::psci;
use vm_config::map;

/// Interrupts of each storm.
const STORM: u32 = 512;
/// Looks at a counter that an interrupt has to change.
const PATIENCE: u32 = 100_000;
/// Times it goes to sleep in a row.
const SLEEPS: u32 = 4;

/// Rounds of storms to one of everything else. To sleep gives the CPU to others, so
/// that more of it would be less of a storm; and to change what a granule is costs an
/// emulated machine far more than its instructions say.
const ROUNDS: u64 = 16;

/// Goes on for ever. Devices are reached through `shared_bit`; `try_all` is what
/// this kind of guest tries that no guest should.
pub fn rage(shared_bit: u64, try_all: fn()) -> ! {
    check::quietly();
    let mut round = 0_u64;
    loop {
        let rare = round.is_multiple_of(ROUNDS);
        if rare {
            try_all();
        }
        round += 1;
        let gic = Gic::new(shared_bit);
        gic.calm();
        gic.enable();
        gic.enable_private(map::TIMER_VIRTUAL_INTID);
        for intid in 0..16 {
            gic.enable_private(intid);
        }
        timer_interrupts();
        if rare {
            sleeps();
        }
        shared_interrupts(gic);
        software_interrupts();
        power_calls();
        registers(shared_bit);
        println!("storm: round {round} is over");
    }
}

/// Opens interrupts until `count` has changed by `wanted`, or for a while.
fn arrives(count: fn() -> u32, before: u32, wanted: u32) -> bool {
    timer::unmask();
    let arrived = (0..PATIENCE).any(|_| count().wrapping_sub(before) >= wanted);
    timer::mask();
    arrived && count().wrapping_sub(before) == wanted
}

fn timer_interrupts() {
    let begun = timer::ticks();
    let all = (0..STORM).all(|_| {
        let before = timer::ticks();
        timer::arm(0);
        arrives(timer::ticks, before, 1)
    });
    check!(
        all,
        "a storm of {STORM} interrupts of my timer, each once: {} came",
        timer::ticks().wrapping_sub(begun)
    );
}

fn sleeps() {
    let all = (0..SLEEPS).all(|_| {
        let before = timer::ticks();
        timer::arm(timer::frequency() / 100_000);
        timer::wait_until(PATIENCE, || timer::ticks() != before)
    });
    timer::mask();
    check!(all, "sleep that my timer ends at once");
}

/// All of the distributor's at once: many more than there are list registers.
fn shared_interrupts(gic: Gic) {
    let before = timer::others();
    let count = gic.pend_all_shared();
    check!(
        arrives(timer::others, before, count),
        "{count} interrupts at once: {} came",
        timer::others().wrapping_sub(before)
    );
    gic.calm();
    for intid in 0..16 {
        gic.enable_private(intid);
    }
}

fn software_interrupts() {
    /// `ICC_SGI1R_EL1.IRM`: all CPUs but this one.
    const ALL_OTHERS: u64 = 1 << 40;
    let before = timer::others();
    for round in 0..u64::from(STORM) {
        let intid = (round % 16) << 24;
        gic::write_sgi1r(intid | ALL_OTHERS);
        // Bit 0 of the list is this CPU where all affinities above are zero.
        let affinities = (round % 7 + 1) << 16 | (round % 5) << 32 | (round % 3) << 48;
        gic::write_sgi1r(intid | affinities | 0xffff);
        gic::write_sgi1r(intid | 0xf << 44 | 0xffff);
        gic::write_sgi1r(intid | 0xfffe);
    }
    gic::write_sgi1r(0xffff);
    check!(
        arrives(timer::others, before, 1),
        "of {} interrupts to CPUs that do not exist, and one to me, {} came",
        4 * STORM,
        timer::others().wrapping_sub(before)
    );
}

fn power_calls() {
    let refused = (1..u64::from(STORM)).all(|target| {
        let answer = power::psci(psci::CPU_ON_64, [target, bits::SCRATCH, 0]);
        answer == psci::INVALID_PARAMETERS
    });
    check!(
        refused,
        "a storm of calls to turn on CPUs that do not exist"
    );
    let woken = (0..STORM).all(|_| {
        let before = timer::others();
        gic::send_sgi(0, 0);
        let slept = power::psci(psci::CPU_SUSPEND_64, [0; 3]);
        slept == psci::SUCCESS && arrives(timer::others, before, 1)
    });
    check!(woken, "a storm of sleep with an interrupt at the door");
}

fn registers(shared_bit: u64) {
    let gic = Gic::new(shared_bit);
    let uart = Pl011::new(shared_bit);
    let typer = gic.typer();
    let same = (0..8 * STORM).all(|_| {
        let _ = uart.flags();
        gic.typer() == typer
    });
    check!(same, "a storm of loads from devices");
}
