//! The table of RMI cases over real SMCs.
//!
//! An image like the hypervisor's, booted in its place: at EL2, with the same
//! entry path. It runs every case of [`contract::cases`] against whatever RMM
//! the firmware has and prints KTAP, so that a disagreement between the RMM
//! core on the host and an RMM on the machine shows as one failed line.
#![no_std]
#![no_main]

use conduit::{Conduit, Regs};
use contract::bench::{self, Bench};
use contract::case::Program;
use contract::cases;
use entry::BootInfo;
use payload::machine::{self, Smc};
use payload::pool::POOL;
use payload::{println, rmm};

payload::entry!(main, secondary);

/// No other CPU is ever started.
fn secondary(_cpu: usize) -> ! {
    machine::off()
}

fn main(boot: &BootInfo) -> ! {
    machine::open_console(boot);
    println!("KTAP version 1");
    let dialect = rmm::agree();
    println!("1..{}", cases::all(dialect).count());
    println!("# {dialect:?}");
    let mut place = Place;
    let mut failed = 0;
    for (case, number) in cases::all(dialect).zip(1..) {
        match bench::run(&mut place, case, dialect) {
            Ok(()) => println!("ok {number} {}", case.name),
            Err(failure) => {
                failed += 1;
                println!("not ok {number} {}", case.name);
                println!("# {failure}");
            }
        }
    }
    println!("# {failed} failed");
    machine::off()
}

/// The machine as a place to run cases in.
struct Place;

impl Conduit for Place {
    fn call(&self, regs: Regs) -> Regs {
        Smc.call(regs)
    }
}

impl Bench for Place {
    fn pool(&self) -> u64 {
        POOL.base()
    }

    fn write(&mut self, address: u64, value: u64) {
        POOL.write(address, value);
    }

    fn read(&self, address: u64) -> u64 {
        POOL.read(address)
    }

    /// The program's machine code is in place: the CPU executes it.
    fn program(&mut self, _program: Program) {}
}
