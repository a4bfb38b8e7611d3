//! What only AArch64 code at EL2 can do. Nothing outside this module touches a
//! system register or makes an SMC.

pub mod cpu;
mod el1;
pub mod gic;
pub mod guest;
mod guest_timer;
pub mod ich;
pub mod mem;
pub mod mmu;
pub mod random;
pub mod sha256;
pub mod smc;
pub mod stage2;
pub mod start;
mod sysreg;
pub mod timer;
pub mod vectors;
