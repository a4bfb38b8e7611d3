//! The EL3 monitor for QEMU `virt` with RME: firmware for development and tests.
//!
//! It runs in place from flash, protects all DRAM by granule, starts the RMM
//! and enters the hypervisor at NS-EL2. From then on it only answers SMCs:
//! RMI calls go to the RMM, PSCI and the RMM-EL3 interface (version 0.4 or 2.0)
//! are served here. What to do is decided in the library; this image does it.
//!
//! Interrupts never come to EL3 and EL3 never waits with a lock held. Locks:
//! the console's, a leaf. Per-CPU state is reached by its own CPU only; the
//! granule tables and the PSCI states change by compare-and-swap.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
extern crate alloc;

#[cfg(target_os = "none")]
mod hw;

/// There is nothing to run on a host; the library is what is tested there.
#[cfg(not(target_os = "none"))]
fn main() {}
