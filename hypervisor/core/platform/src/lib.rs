//! The machine as its flattened device tree describes it.
//!
//! [`Platform::from_fdt`] reads the blob once and copies out everything the
//! hypervisor needs, so that the blob can be dropped. There is no board
//! constant here: what the tree does not say is an error that names the node
//! and the property.
//!
//! The blob comes through the trusted boot chain but may be damaged. The
//! crates divide the work by what each is good at:
//!
//! - `dtoolkit` checks the whole structure before anything is read, and reads
//!   the nodes. No blob that passes its check can make it panic.
//! - `fdt` reads what needs no walk over the structure block: the size in the
//!   header and the memory reservation block. Its tree walk is not used, since
//!   0.1.5 asserts on damage and takes `FDT_NOP` between nodes, which boot
//!   loaders write when they blank a node out, for the end of the tree.
//!
//! Nodes whose `status` is not `okay` are skipped with all they contain.
//! Format: Devicetree Specification 0.4, chapters 2, 3 and 5.
#![no_std]
#![forbid(unsafe_code)]
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic
    )
)]

mod cpu;
mod error;
mod interrupt;
mod memory;
pub mod ns16550;
pub mod pl011;
mod survey;
mod tree;
mod uart;

pub use cpu::{Cpu, MAX_CPUS, Psci, PsciConduit, PsciVersion};
pub use error::{PlatformError, Text};
pub use interrupt::{Gic, MAX_REDISTRIBUTOR_REGIONS, Timer};
pub use memory::{MAX_RAM, MAX_RESERVED, MAX_USABLE, Reserved};
pub use tree::{HEADER_SIZE, MAX_BLOB, blob_size};
pub use uart::{Uart, UartKind};

use addr::PhysRange;
use heapless::{String, Vec};
use survey::Survey;
use tree::Tree;

/// Bytes of boot arguments at most.
pub const MAX_BOOTARGS: usize = 1024;

/// What the hypervisor knows of its machine.
#[derive(Clone, Debug)]
pub struct Platform {
    /// The root node's `model`, for the log; empty if it has none.
    pub model: Text,
    /// RAM, ascending and merged where it touches.
    pub ram: Vec<PhysRange, MAX_RAM>,
    /// What software must leave alone, in the order of the tree.
    pub reserved: Vec<Reserved, MAX_RESERVED>,
    /// The CPUs, in the order of the tree.
    pub cpus: Vec<Cpu, MAX_CPUS>,
    /// How to call the firmware.
    pub psci: Psci,
    /// The interrupt controller.
    pub gic: Gic,
    /// The console.
    pub uart: Uart,
    /// The interrupts of the generic timers.
    pub timer: Timer,
    /// `/chosen/bootargs`; empty if there are none.
    pub bootargs: String<MAX_BOOTARGS>,
}

impl Platform {
    /// Reads the machine out of `blob`, which may be followed by other bytes.
    pub fn from_fdt(blob: &[u8]) -> Result<Self, PlatformError> {
        let tree = Tree::check(blob)?;
        let survey = Survey::of(&tree)?;
        survey.check_present()?;
        let binding = interrupt::gic_binding(survey.gic()?)?;
        Ok(Self {
            model: tree.root_text("model"),
            psci: cpu::read_psci(survey.psci()?)?,
            gic: interrupt::read_gic(survey.gic()?, binding)?,
            uart: uart::read(survey.uart()?, Some(binding))?,
            timer: interrupt::read_timer(survey.timer()?, binding)?,
            bootargs: tree.bootargs()?,
            ram: survey.ram,
            reserved: survey.reserved,
            cpus: survey.cpus,
        })
    }

    /// Whether all of `range` is RAM.
    pub fn is_ram(&self, range: PhysRange) -> bool {
        self.ram.iter().any(|ram| ram.encloses(range))
    }

    /// RAM without what the tree reserves and without `taken`, cut to whole
    /// granules, ascending.
    pub fn usable_ram(
        &self,
        taken: &[PhysRange],
    ) -> Result<Vec<PhysRange, MAX_USABLE>, PlatformError> {
        memory::usable(&self.ram, &self.reserved, taken)
    }
}

/// The console alone, without its interrupt, so that everything else wrong with
/// a tree can be printed.
pub fn console(blob: &[u8]) -> Result<Uart, PlatformError> {
    let tree = Tree::check(blob)?;
    let survey = Survey::of_console(&tree)?;
    uart::read(survey.uart()?, None)
}

#[cfg(test)]
extern crate std;
#[cfg(test)]
mod tests;
