//! A machine in memory: physical address spaces, stage 2 walks and TLBs,
//! timers and list registers, and Realms that follow a script.
//!
//! The RMM on it is the real one, `rmm-core`. What stands in for hardware is
//! written from the architecture, not from the core: the walker reads the very
//! descriptors the core wrote, translations stay in a TLB until they are
//! invalidated, and an access to the wrong physical address space is a granule
//! protection fault.

mod cpu;
mod machine;
mod mmu;
mod script;

pub use machine::{Gpf, Machine};
pub use script::{Action, Event, Size, SystemRegister};

use addr::{PhysAddr, PhysRange};
use conduit::{Conduit, Regs};
use core::sync::atomic::AtomicU64;
use rmm_core::{Config, CpuFeatures, Dialect, Rmm};

/// Where the model's DRAM begins.
pub const DRAM_BASE: u64 = 0x4000_0000;
/// Bytes of DRAM.
pub const DRAM_SIZE: u64 = 0x8000_0000;
/// Where the RMM's own memory begins.
pub const RMM_BASE: u64 = 0x4010_0000;
/// Bytes of the RMM's own memory.
pub const RMM_SIZE: u64 = 0x0180_0000;

/// Identification registers of QEMU's `max`, as far as the RMM looks at them.
pub const CPU_MAX: CpuFeatures = CpuFeatures {
    id_aa64pfr0: 0x1201_1121_2311_1112,
    id_aa64pfr1: 0x0000_0010_0100_0321,
    id_aa64isar0: 0x1221_1111_1021_2120,
    id_aa64isar1: 0x0011_1101_1021_1052,
    id_aa64isar2: 0x0000_0001_0001_0000,
    id_aa64mmfr0: 0x1000_0221_1012_1126,
    id_aa64mmfr1: 0x0111_1112_1131_2122,
    id_aa64mmfr2: 0x1221_0111_1100_1011,
    id_aa64dfr0: 0x0000_0000_1030_5619,
    ich_vtr: 0x9008_0003,
};

/// A machine with the RMM on it. Cheap to copy; both live as long as the
/// process, which is as long as a test binary runs.
#[derive(Clone, Copy, Debug)]
pub struct Model {
    /// The machine: memory, scripts, events.
    pub machine: &'static Machine,
    rmm: &'static Rmm<'static, Machine>,
}

/// Calls the RMM of a [`Model`] as the host on one CPU.
#[derive(Clone, Copy, Debug)]
pub struct ModelConduit {
    model: Model,
    cpu: usize,
}

impl Default for Model {
    fn default() -> Self {
        Self::new(CPU_MAX)
    }
}

impl Model {
    /// A machine of CPUs like QEMU's `max` whose RMM speaks `dialect`.
    pub fn speaking(dialect: Dialect) -> Self {
        Self::with(CPU_MAX, dialect)
    }

    /// A machine with 2 GiB of DRAM and CPUs with the given registers, whose
    /// RMM speaks RMI 1.0.
    pub fn new(cpu: CpuFeatures) -> Self {
        Self::with(cpu, Dialect::V1_0)
    }

    /// A machine whose CPUs have the given registers and whose RMM speaks
    /// `dialect`.
    ///
    /// # Panics
    ///
    /// Never: the configuration is the model's own.
    pub fn with(cpu: CpuFeatures, dialect: Dialect) -> Self {
        let range = |base, size| {
            PhysRange::with_size(PhysAddr::new(base), size).expect("a constant range is one")
        };
        let dram = range(DRAM_BASE, DRAM_SIZE);
        let rmm = range(RMM_BASE, RMM_SIZE);
        let machine: &'static Machine = Box::leak(Box::new(Machine::new(dram, rmm)));
        let granules = (DRAM_SIZE / addr::GRANULE_SIZE) as usize;
        let table: Vec<AtomicU64> = core::iter::repeat_with(AtomicU64::default)
            .take(granules)
            .collect();
        let config = Config {
            banks: Vec::leak(vec![dram]),
            reserved: Some(rmm),
            cpu,
        };
        let rmm = Rmm::new(machine, Vec::leak(table), config)
            .expect("the table has every granule")
            .speaking(dialect);
        Self {
            machine,
            rmm: Box::leak(Box::new(rmm)),
        }
    }

    /// The conduit of CPU 0.
    pub fn conduit(self) -> ModelConduit {
        self.conduit_of(0)
    }

    /// The conduit of a CPU.
    pub fn conduit_of(self, cpu: usize) -> ModelConduit {
        ModelConduit { model: self, cpu }
    }
}

impl Conduit for ModelConduit {
    fn call(&self, regs: Regs) -> Regs {
        self.model.rmm.handle(self.cpu, regs)
    }
}
