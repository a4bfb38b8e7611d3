//! Everything that touches the machine.

pub mod console;
pub mod cpu;
pub mod entry;
pub mod gic;
pub mod hal;
pub mod layout;
pub mod memory;
pub mod phys;
pub mod sha256;
pub mod simd;
pub mod smc;
pub mod stop;
pub mod sysreg;
pub mod tlb;
pub mod world;
