//! PSCI as a guest uses it.

use crate::smc;
use rsi::psci;

/// A PSCI call with up to three arguments; returns x0.
pub fn psci(function: u32, args: [u64; 3]) -> i64 {
    let [a, b, c] = args;
    smc::call([u64::from(function), a, b, c, 0, 0, 0, 0, 0, 0, 0])[0].cast_signed()
}

/// Turns the calling CPU off.
pub fn off_cpu() -> ! {
    stop(psci::CPU_OFF)
}

/// Powers the guest off.
pub fn off() -> ! {
    stop(psci::SYSTEM_OFF)
}

/// Asks for a reset: how a payload says that it failed.
pub fn reset() -> ! {
    stop(psci::SYSTEM_RESET)
}

fn stop(function: u32) -> ! {
    loop {
        psci(function, [0; 3]);
    }
}
