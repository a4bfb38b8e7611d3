//! The life of the RMM: one RMI after the other.

use crate::hw::hal::Machine;
use crate::hw::{smc, stop, world};
use rmm_core::Hal;

/// Makes the core; returns how many granules it tracks.
pub fn start() -> usize {
    0
}

/// Serves RMIs for ever, beginning with the one in `request`.
pub fn run(_cpu: usize, mut request: [u64; 8]) -> ! {
    let m = Machine::probe();
    loop {
        if stop::is_stopped() {
            stop::stop();
        }
        log::debug!("RMI {:x?} {}", request, m.counter());
        let results = [u64::MAX, 0, 0, 0, request[4]];
        world::restore_host();
        request = smc::request_complete(results);
    }
}
