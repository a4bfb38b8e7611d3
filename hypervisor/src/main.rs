//! Suzerain: a Type-1 hypervisor at EL2 that hosts Arm CCA Realms.
//!
//! [`el2_main`] is the flow: boot info, platform, RAM, RMM session, plan,
//! machine, run. Each step makes a value that the next one needs, so that their
//! order is a matter of types. Crates below `core/` decide, this one acts.
#![no_std]
#![no_main]

extern crate alloc;

mod arch;
mod bench;
mod calls;
mod console;
mod cpus;
mod finish;
mod flight;
mod interrupts;
mod io;
mod machine;
mod memory;
mod network;
mod operator;
mod output;
mod panic;
mod plain;
mod power;
mod rmm;
mod selftest;
mod startup;
mod sync;
mod uart;
mod vm;

use entry::BootInfo;

fn el2_main(boot: BootInfo) -> ! {
    let (platform, mut map) = startup::platform(&boot);
    let args = startup::arguments(&platform);
    let mut ram = startup::ram(&boot, &platform, &mut map);
    startup::interrupts(&platform, &mut map, &args);
    let rmm = startup::rmm(&platform, &mut ram);
    selftest::run(&args, rmm, &mut ram);
    let plan = startup::plan(&boot);
    cpus::start(&platform, map.ttbr());
    let machine = startup::machine(boot, args, plan, rmm, ram);
    cpus::kick_others();
    cpus::Local::new(machine, 0).work()
}
