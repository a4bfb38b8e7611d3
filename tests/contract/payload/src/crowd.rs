//! The scenarios of many CPUs over real SMCs.
//!
//! Turns on every CPU that the device tree names, runs [`contract::crowd`] on all
//! of them at once, then turns them off and on while others call the RMM, and
//! prints KTAP. The last line says how many granules are Realm's at the end.
#![no_std]
#![no_main]

use conduit::{Conduit, Regs};
use contract::bench::POOL_GRANULES;
use contract::case::Dialect;
use contract::crowd::{Hall, PAGES, SCENARIOS, Seat, Worker, Wrong};
use core::hint::spin_loop;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use entry::{BootInfo, MAX_CPUS};
use payload::cpus::{self, Cpus};
use payload::machine::{self, Smc};
use payload::pool::POOL;
use payload::{println, rmm};
use platform::Platform;

/// RAM behind the image that nobody uses: mapped by nobody but the RMM.
const GRANULES: u64 = 0x7000_0000;
/// How often a CPU goes off and comes back.
const NAPS: u64 = 8;
/// The monitor's count of granules that are Realm's, but for the RMM's own.
const REALM_PAS_COUNT: u32 = 0xc200_0001;
/// Looks at another CPU before it is given up.
const PATIENCE: u64 = 100_000_000;

const PSCI_OFF: i64 = 1;
const PSCI_ALREADY_ON: i64 = -4;

static HALL: Hall = Hall::new();
static IS_SECOND: AtomicBool = AtomicBool::new(false);
/// How often each CPU has come back since it first went off.
static WAKES: [AtomicU64; MAX_CPUS] = [const { AtomicU64::new(0) }; MAX_CPUS];
static NAPPING: AtomicBool = AtomicBool::new(false);
/// CPUs that are done.
static ENDED: AtomicU64 = AtomicU64::new(0);

payload::entry!(main, secondary);

/// A CPU's place.
struct Station;

impl Conduit for Station {
    fn call(&self, regs: Regs) -> Regs {
        Smc.call(regs)
    }
}

impl Seat for Station {
    fn pages(&self) -> u64 {
        POOL.base()
    }

    fn granules(&self) -> u64 {
        GRANULES
    }

    fn write(&self, address: u64, value: u64) {
        POOL.write(address, value);
    }

    fn read(&self, address: u64) -> u64 {
        POOL.read(address)
    }

    fn pause(&self) {
        spin_loop();
    }

    fn is_parallel(&self) -> bool {
        true
    }
}

const _: () = assert!(PAGES <= POOL_GRANULES);

fn main(boot: &BootInfo) -> ! {
    machine::open_console(boot);
    println!("KTAP version 1");
    let cpus = match Platform::from_fdt(machine::device_tree(boot)) {
        Ok(platform) => Cpus::of(&platform),
        Err(why) => panic!("{why}"),
    };
    IS_SECOND.store(rmm::agree() == Dialect::V2_0, Ordering::Release);
    println!("# {} CPUs, {:?}", cpus.count(), dialect());
    println!("1..{}", SCENARIOS.len() + 2);
    HALL.admit(cpus.count() as u64);
    for number in 1..cpus.count() {
        let answer = cpus.turn_on(number);
        assert!(answer == 0, "CPU_ON of CPU {number}: {answer}");
    }
    let worker = Worker::new(&Station, &HALL, 0, dialect());
    if run_all(&worker, 0) {
        let outcome = lead_naps(&worker, &cpus);
        if report(0, SCENARIOS.len(), NAPS_NAME, outcome) {
            run_again(&worker, 0);
        }
    }
    end(cpus.count() as u64)
}

/// Every CPU but the first, each time it comes on.
fn secondary(cpu: usize) -> ! {
    let worker = Worker::new(&Station, &HALL, cpu as u64, dialect());
    let is_back = NAPPING.load(Ordering::Acquire);
    if is_back || run_all(&worker, cpu) {
        let outcome = nap_or_work(&worker, cpu, is_back);
        if report(cpu, SCENARIOS.len(), NAPS_NAME, outcome) {
            run_again(&worker, cpu);
        }
    }
    ENDED.fetch_add(1, Ordering::AcqRel);
    loop {
        spin_loop();
    }
}

fn dialect() -> Dialect {
    match IS_SECOND.load(Ordering::Acquire) {
        true => Dialect::V2_0,
        false => Dialect::V1_0,
    }
}

/// Says how a step came out; whether to go on.
fn report(cpu: usize, step: usize, name: &str, outcome: Result<(), Wrong>) -> bool {
    let number = step + 1;
    match outcome {
        Ok(()) if cpu == 0 => println!("ok {number} {name}"),
        Ok(()) => {}
        Err(wrong) => {
            HALL.give_up();
            if cpu == 0 {
                println!("not ok {number} {name}");
            }
            if wrong != Wrong::Elsewhere {
                println!("# CPU {cpu}: {name}: {wrong}");
            }
        }
    }
    outcome.is_ok()
}

fn run_all(worker: &Worker<'_>, cpu: usize) -> bool {
    let mut steps = SCENARIOS.iter().enumerate();
    steps.all(|(step, scenario)| report(cpu, step, scenario.name, worker.run(scenario)))
}

const NAPS_NAME: &str = "CPUs go off and come back while others call the RMM";
const AGAIN_NAME: &str = "the RECs of one Realm run on CPUs that were off";

fn run_again(worker: &Worker<'_>, cpu: usize) {
    let outcome = worker.run(contract::crowd::ON_ALL_CPUS);
    report(cpu, SCENARIOS.len() + 1, AGAIN_NAME, outcome);
}

/// Every other CPU takes naps.
const fn is_napper(cpu: usize) -> bool {
    cpu % 2 == 1
}

/// Waits until something is so, for as long as there is hope.
fn wait(what: &'static str, is_so: impl Fn() -> bool) -> Result<(), Wrong> {
    for _ in 0..PATIENCE {
        if is_so() {
            return Ok(());
        }
        if HALL.is_broken() {
            return Err(Wrong::Elsewhere);
        }
        spin_loop();
    }
    Err(Wrong::Found {
        what,
        found: 0,
        expected: 1,
    })
}

fn check(what: &'static str, found: i64, expected: i64) -> Result<(), Wrong> {
    if found == expected {
        return Ok(());
    }
    Err(Wrong::Found {
        what,
        found: found as u64,
        expected: expected as u64,
    })
}

/// Turns on whoever is off.
fn lead_naps(worker: &Worker<'_>, cpus: &Cpus) -> Result<(), Wrong> {
    NAPPING.store(true, Ordering::Release);
    worker.meet()?;
    check("CPU_ON of the caller", cpus.turn_on(0), PSCI_ALREADY_ON)?;
    for nap in 1..=NAPS {
        for number in (0..cpus.count()).filter(|number| is_napper(*number)) {
            wait("whether a CPU went off", || {
                cpus.affinity(number) == PSCI_OFF
            })?;
            worker.knock()?;
            check("CPU_ON of a CPU that is off", cpus.turn_on(number), 0)?;
            let woke = || WAKES[number].load(Ordering::Acquire) == nap;
            wait("whether a CPU came back", woke)?;
        }
    }
    NAPPING.store(false, Ordering::Release);
    worker.meet()
}

/// What the other CPUs do meanwhile.
fn nap_or_work(worker: &Worker<'_>, cpu: usize, is_back: bool) -> Result<(), Wrong> {
    if !is_back {
        worker.meet()?;
    }
    if is_napper(cpu) {
        let wakes = match is_back {
            true => WAKES[cpu].fetch_add(1, Ordering::AcqRel) + 1,
            false => 0,
        };
        if is_back {
            worker.knock()?;
        }
        if wakes < NAPS {
            cpus::turn_off();
        }
    } else {
        while NAPPING.load(Ordering::Acquire) && !HALL.is_broken() {
            worker.knock()?;
        }
    }
    worker.meet()
}

/// The last words, once every other CPU has had its own.
fn end(cpus: u64) -> ! {
    for _ in 0..PATIENCE {
        if ENDED.load(Ordering::Acquire) + 1 == cpus {
            break;
        }
        spin_loop();
    }
    let Regs([left, ..]) = Smc.call(Regs::call(REALM_PAS_COUNT, &[]));
    println!("# granules that are still Realm's: {left}");
    machine::off()
}
