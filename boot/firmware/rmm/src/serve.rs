//! The life of the RMM: one RMI after the other.

use crate::hw::hal::Machine;
use crate::hw::{gic, memory, smc, stop, sysreg, world};
use addr::{GRANULE_SIZE, PhysRange};
use conduit::Regs;
use rmm_core::{Config, CpuFeatures, Dialect, Rmm};
use rmm_image::manifest::MAX_BANKS;
use spin::Once;

static MACHINE: Once<Machine> = Once::new();
static BANKS: Once<Banks> = Once::new();
static RMM: Once<Rmm<'static, Machine>> = Once::new();

/// The banks that are tracked.
struct Banks {
    list: [PhysRange; MAX_BANKS],
    count: usize,
}

/// Makes the core, which speaks `dialect`; returns how many granules it tracks.
///
/// # Panics
///
/// If the core refuses what the manifest's checks let through.
// Kept apart from its caller, which never returns: the core is large, and its
// copies on the way to its place would stay on the first CPU's stack for ever.
#[inline(never)]
pub fn start(dialect: Dialect) -> u64 {
    let banks = BANKS.call_once(|| trackable(memory::granule_capacity()));
    let banks = &banks.list[..banks.count];
    let granules = banks.iter().map(|bank| bank.size() / GRANULE_SIZE).sum();
    let config = Config {
        banks,
        reserved: memory::carve_out(),
        cpu: cpu_features(),
    };
    let machine = MACHINE.call_once(Machine::probe);
    let table = memory::granule_table(granules);
    RMM.call_once(|| match Rmm::new(machine, table, config) {
        Ok(rmm) => rmm.speaking(dialect),
        Err(error) => panic!("{error}"),
    });
    granules
}

/// The manifest's banks, cut off where the granule table has no more words.
fn trackable(mut capacity: u64) -> Banks {
    let nothing = memory::carve_out().expect("the image is not empty");
    let mut banks = Banks {
        list: [nothing; MAX_BANKS],
        count: 0,
    };
    for bank in memory::manifest().banks() {
        let granules = (bank.size() / GRANULE_SIZE).min(capacity);
        if granules * GRANULE_SIZE < bank.size() {
            log::warn!(
                "memory past {:#x} cannot be delegated: the granule table has no room for it",
                bank.base().raw() + granules * GRANULE_SIZE
            );
        }
        if let Ok(range) = PhysRange::with_size(bank.base(), granules * GRANULE_SIZE) {
            banks.list[banks.count] = range;
            banks.count += 1;
            capacity -= granules;
        }
    }
    banks
}

fn cpu_features() -> CpuFeatures {
    let mut cpu = sysreg::cpu_features();
    cpu.ich_vtr = gic::vtr();
    cpu
}

/// Serves RMIs for ever, beginning with the one in `request`.
///
/// # Panics
///
/// If [`start`] has not run on the first CPU.
pub fn run(cpu: usize, mut request: [u64; 8]) -> ! {
    let rmm = RMM.get().expect("the first CPU makes the core");
    loop {
        if stop::is_stopped() {
            stop::stop();
        }
        let Regs(results) = rmm.handle(cpu, Regs(request));
        world::restore_host();
        request = smc::request_complete(results);
    }
}
