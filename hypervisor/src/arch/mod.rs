//! What only AArch64 code at EL2 can do. Nothing outside this module touches a
//! system register or makes an SMC.

pub mod cpu;
pub mod gic;
pub mod ich;
pub mod mem;
pub mod mmu;
pub mod random;
pub mod sha256;
pub mod smc;
pub mod start;
pub mod timer;
pub mod vectors;
