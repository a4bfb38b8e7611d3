//! A plain VM that checks its machine from the inside: PSCI, timer, interrupts,
//! devices, vector registers, memory.
#![no_std]
#![no_main]

use guests::console::Pl011;
use guests::gic::Gic;
use guests::{bits, check, plain, power, println, realm, smc, timer};
use rsi::{host_call, psci};
use vm_config::map;

guests::entry!(main);

/// Devices of a plain VM have no other address.
const NO_SHARED_BIT: u64 = 0;
/// Calls that are timed in a row.
const CALLS: u64 = 256;

fn main(dtb: u64) {
    plain::announce();
    println!();
    println!("Hello from a plain VM. The host that runs me can read this memory.");
    check!(dtb != 0, "the host gave me a device tree, at {dtb:#x}");
    power_calls();
    calls();
    memory();
    check!(
        Pl011::new(NO_SHARED_BIT)
            .send("        (this line went through an emulated PL011)\r\n")
            .is_ok(),
        "the emulated PL011 takes characters"
    );
    vectors_and_time();
}

fn power_calls() {
    check!(
        power::psci(psci::VERSION, [0; 3]) == psci::VERSION_1_1.cast_signed(),
        "there is PSCI 1.1 by SMC"
    );
    check!(
        smc::hvc(psci::VERSION.into()) == psci::VERSION_1_1,
        "and by HVC"
    );
    check!(
        power::psci(psci::FEATURES, [psci::CPU_ON_64.into(), 0, 0]) == psci::SUCCESS,
        "it can turn CPUs on"
    );
    check!(
        power::psci(psci::AFFINITY_INFO_64, [0; 3]) == psci::AFFINITY_ON.cast_signed(),
        "the only one I have is on"
    );
}

fn calls() {
    let mut gprs = core::array::from_fn(|index| index as u64);
    let sent = gprs;
    realm::host_call(host_call::NOP, &mut gprs);
    check!(
        gprs == sent,
        "a host call carries 31 registers there and back"
    );
    let mut gprs = [0; 31];
    realm::host_call(999, &mut gprs);
    check!(
        gprs[0] == host_call::UNKNOWN,
        "the host says so when it does not know a call"
    );
    let begun = timer::now();
    for _ in 0..CALLS {
        smc::hvc(u64::MAX);
    }
    let took = timer::now() - begun;
    println!("        (a call of nothing takes {} ticks)", took / CALLS);
}

fn memory() {
    let fresh = (0..64).all(|page| bits::read(bits::SCRATCH + page * 4096) == 0);
    check!(fresh, "memory I never touched is zero");
    for offset in (0..4 << 20).step_by(4096) {
        bits::write_scratch(offset, offset | 1);
    }
    let kept = (0..4 << 20)
        .step_by(4096)
        .all(|offset| bits::read(bits::SCRATCH + offset) == offset | 1);
    check!(kept, "and keeps what I write to it");
}

fn vectors_and_time() {
    const PATTERN: u64 = 0x0123_4567_89ab_cdef;
    plain::fill_vectors(PATTERN);
    let gic = Gic::new(NO_SHARED_BIT);
    gic.enable();
    gic.enable_private(map::TIMER_VIRTUAL_INTID);
    let begun = timer::now();
    timer::arm(timer::frequency() / 100);
    let ticked = timer::wait_until(1000, || timer::ticks() > 0);
    let took = timer::now() - begun;
    check!(
        ticked && timer::ticks() == 1,
        "a timer interrupt wakes me once"
    );
    check!(
        took >= timer::frequency() / 100,
        "not before the 10 ms I asked for"
    );
    for wanted in 2..100 {
        timer::arm(timer::frequency() / 10_000);
        if !timer::wait_until(1000, || timer::ticks() == wanted) {
            break;
        }
    }
    check!(
        timer::ticks() == 99,
        "and as often as I arm it: {}",
        timer::ticks()
    );
    timer::arm(1);
    timer::unmask();
    let busy = (0..1_000_000).any(|_| timer::ticks() == 100);
    check!(busy, "and while I am busy");
    guests::gic::send_sgi(5, 0);
    gic.enable_private(5);
    check!(
        timer::wait_until(1000, || timer::others() == 1),
        "an interrupt I send myself arrives"
    );
    check!(
        plain::vectors_hold(PATTERN),
        "my vector registers are as I left them"
    );
}
