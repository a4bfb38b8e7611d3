//! Time, and the EL2 physical timer that ends a wait.
//!
//! The physical counter is the one time base: deadlines, log stamps and the
//! Realms' timers (whose offset is zero) all count in it.

use aarch64_cpu::registers::{CNTFRQ_EL0, CNTHP_CTL_EL2, CNTPCT_EL0, Readable, Writeable};

use super::cpu;

/// Ticks of the physical counter since it started.
#[inline(always)]
pub fn now() -> u64 {
    CNTPCT_EL0.get()
}

/// Ticks per second.
pub fn frequency() -> u64 {
    CNTFRQ_EL0.get().max(1)
}

/// Makes the timer's interrupt pending at tick `at` and after.
pub fn arm(at: u64) {
    cpu::set_timer_compare(at);
    CNTHP_CTL_EL2.write(CNTHP_CTL_EL2::ENABLE::SET);
}

/// As [`arm`], unless the timer's interrupt comes as early anyway.
pub fn arm_no_later(at: u64) {
    if !CNTHP_CTL_EL2.is_set(CNTHP_CTL_EL2::ENABLE) || cpu::timer_compare() > at {
        arm(at);
    }
}

/// Takes the timer's interrupt back.
pub fn disarm() {
    CNTHP_CTL_EL2.write(CNTHP_CTL_EL2::ENABLE::CLEAR);
}

/// Microseconds since the counter started.
pub fn micros() -> u64 {
    micros_of(now())
}

/// Microseconds that so many ticks take.
pub fn micros_of(ticks: u64) -> u64 {
    // In two steps, so that the product stays small however many there are.
    let frequency = frequency();
    ticks / frequency * 1_000_000 + ticks % frequency * 1_000_000 / frequency
}
