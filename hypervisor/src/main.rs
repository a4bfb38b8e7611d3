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
mod finish;
mod host;
mod machine;
mod memory;
mod output;
mod panic;
mod power;
mod rmm;
mod run;
mod selftest;
mod startup;
mod sync;

use entry::BootInfo;

fn el2_main(boot: BootInfo) -> ! {
    let (platform, mut map) = startup::platform(&boot);
    let args = startup::arguments(&platform);
    let mut ram = startup::ram(&boot, &platform, &mut map);
    let mut host = startup::host(&boot, &platform, &mut map, args);
    let rmm = rmm::open(&platform, &mut ram);
    selftest::run(&host.args, &rmm, &mut ram);
    let plan = startup::plan(&boot);
    let machine = machine::Machine::new(&boot, plan, &rmm);
    let results = machine.run(&mut ram, &mut host);
    finish::finish(&host, &rmm, &results)
}
