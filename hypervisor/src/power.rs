//! The end of a run.

use conduit::{Conduit, Regs};

use crate::arch::{cpu, smc::SmcConduit};
use crate::console;

/// PSCI `SYSTEM_OFF` (DEN0022).
const SYSTEM_OFF: u32 = 0x8400_0008;

/// Turns the machine off.
pub fn off() -> ! {
    console::drain();
    SmcConduit.call(Regs::call(SYSTEM_OFF, &[]));
    log::error!("PSCI SYSTEM_OFF came back: the firmware has no PSCI; waiting for ever");
    cpu::park()
}
