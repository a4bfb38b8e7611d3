//! The steps of `el2_main` up to the first VM, each with the one line that says
//! why there is no going on.

use core::fmt::Display;

use addr::PhysRange;
use entry::BootInfo;
use platform::Platform;
use report::args::Args;
use spin::Once;
use vm_config::Plan;

use crate::arch::mmu::{Map, Use};
use crate::arch::{cpu, smc};
use crate::machine::{MACHINE, Machine};
use crate::memory::{Ram, phys};
use crate::rmm::{self, Rmm};
use crate::{console, flight, interrupts, operator, power};

/// Says why the run ends here, and ends it. There is no summary, so that whoever
/// started the run sees that it is incomplete.
fn give_up(what: &str, why: impl Display) -> ! {
    log::error!("{what}: {why}");
    power::off()
}

/// Reads the machine, puts the final map in place and opens the console.
pub fn platform(boot: &BootInfo) -> (Platform, Map) {
    let blob = phys::device_tree(boot);
    let found = blob.clone().and_then(Platform::from_fdt);
    let uart = match (&found, &blob) {
        (Ok(platform), _) => Some(platform.uart),
        (Err(_), Ok(blob)) => platform::console(blob).ok(),
        (Err(_), Err(_)) => None,
    };
    let fdt_size = blob.map_or(1, |blob| blob.len() as u64);
    let map = PhysRange::with_size(boot.fdt, fdt_size)
        .ok()
        .and_then(|fdt| Map::new(boot, fdt).ok());
    let Some(mut map) = map else {
        // Neither a console nor a way to one.
        power::off()
    };
    if let Some(uart) = &uart
        && map.add(uart.registers, Use::Device).is_ok()
    {
        map.activate();
        console::open(uart);
    }
    cpu::unmask_serror();
    match found {
        Ok(platform) => {
            log::info!(
                "Suzerain {} at {} on {}",
                env!("CARGO_PKG_VERSION"),
                boot.image.text.base(),
                platform.model
            );
            (platform, map)
        }
        Err(error) => give_up("cannot start", error),
    }
}

/// Reads the arguments and sets the log's level.
pub fn arguments(platform: &Platform) -> Args {
    let args = Args::parse(&platform.bootargs, &mut |ignored| log::warn!("{ignored}"));
    log::set_max_level(operator::level(args.log));
    args
}

/// Maps and claims RAM.
pub fn ram(boot: &BootInfo, platform: &Platform, map: &mut Map) -> Ram {
    let image = boot.image.whole();
    let fdt = phys::device_tree(boot)
        .ok()
        .and_then(|blob| PhysRange::with_size(boot.fdt, blob.len() as u64).ok())
        .unwrap_or(image);
    let bundle = boot.bundle.unwrap_or(image);
    let taken = [image, fdt, bundle];
    let usable = platform
        .usable_ram(&taken)
        .unwrap_or_else(|error| give_up("cannot use RAM", error));
    for range in &usable {
        map.add(*range, Use::Memory)
            .unwrap_or_else(|error| give_up("cannot map RAM", error));
    }
    let ram = Ram::claim(usable).unwrap_or_else(|error| give_up("cannot use RAM", error));
    log::info!("{} MiB of RAM are free", ram.free() >> 20);
    ram
}

/// Sets up the interrupt controller and what the host wants of it.
pub fn interrupts(platform: &Platform, map: &mut Map, args: &Args) {
    let gic = &platform.gic;
    let ranges = core::iter::once(&gic.distributor).chain(&gic.redistributors);
    for range in ranges {
        map.add(*range, Use::Device)
            .unwrap_or_else(|error| give_up("cannot map the GIC", error));
    }
    interrupts::open(platform, args.interactive)
        .unwrap_or_else(|error| give_up("cannot use the GIC", error));
}

/// Asks for an RMM.
pub fn rmm(platform: &Platform, ram: &mut Ram) -> &'static Rmm {
    static RMM: Once<Rmm> = Once::new();
    RMM.call_once(|| rmm::open(platform, ram))
}

/// Puts the machine together.
pub fn machine(
    boot: BootInfo,
    args: Args,
    plan: Plan<'static>,
    rmm: &'static Rmm,
    mut ram: Ram,
) -> &'static Machine {
    let Some(seats) = console::Seats::new(plan.len(), &mut ram) else {
        give_up("cannot run VMs", "no RAM for their consoles")
    };
    flight::open(&mut ram);
    smc::set_noting(args.trace);
    match Machine::new(boot, args, plan, rmm, ram) {
        Some(machine) => {
            let names = machine.vms.iter().map(|place| &*place.plan().name);
            console::begin(seats, names, &machine.args);
            MACHINE.call_once(|| machine)
        }
        None => give_up("cannot run VMs", "no RAM for their books"),
    }
}

/// Reads what is to run.
pub fn plan(boot: &BootInfo) -> Plan<'static> {
    match phys::bundle(boot).map(Plan::decode) {
        Some(Ok(plan)) => plan,
        Some(Err(error)) => give_up("cannot read the VM bundle", error),
        None => {
            log::warn!("the image has no VM bundle: nothing to run");
            Plan::default()
        }
    }
}
