//! What a vCPU has done so far, for whoever asks.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use recorder::{Entry, Trail, Who};
use rmi::v1_0::{ExitReason, RecExit};

use crate::arch::timer;

/// Reasons of exits: those of `RmiRecExit`, and any other.
pub const REASONS: usize = 8;

/// What a vCPU has done. It is written by whoever runs the vCPU, one at a time, so
/// that a count is a load and a store; anybody may read it.
#[derive(Debug, Default)]
pub struct Tally {
    exits: [AtomicU64; REASONS],
    /// The last of them, but for the interrupts of which there is nothing to say.
    trails: [Trail; REASONS],
    timed: [AtomicU64; REASONS],
    ticks: [AtomicU64; REASONS],
    ran: AtomicU64,
    /// Since when it has a CPU; zero while it has none.
    since: AtomicU64,
}

/// Exits of a vCPU for one reason.
#[derive(Clone, Copy, Debug)]
pub struct Exits {
    /// The reason as `RmiRecExit` numbers it.
    pub reason: u8,
    /// How many.
    pub count: u64,
    /// How many of them were timed.
    pub timed: u64,
    /// What those took from exit to entry, in ticks.
    pub ticks: u64,
}

impl Tally {
    /// Counts an exit, and notes it unless it is an interrupt.
    #[inline(always)]
    pub fn exited(&self, exit: &RecExit) {
        let place = exit.exit_reason as usize % REASONS;
        if let (Some(count), Some(trail)) = (self.exits.get(place), self.trails.get(place)) {
            let number = count.load(Relaxed);
            count.store(number.wrapping_add(1), Relaxed);
            if place != ExitReason::Irq as usize {
                trail.note(number, timer::now(), exit.esr, exit.hpfar);
            }
        }
    }

    /// Its synchronous exits.
    pub fn synchronous(&self) -> u64 {
        let [count, ..] = &self.exits;
        count.load(Relaxed)
    }

    /// The last exits for each reason, those of one reason in the order of time.
    pub fn last(&self, who: Who) -> impl Iterator<Item = Entry> + '_ {
        let all = self.trails.iter().zip(&self.exits).zip(0..);
        all.flat_map(move |((trail, count), reason)| {
            trail.entries(count.load(Relaxed), who, reason)
        })
    }

    /// An exit took so long.
    pub fn took(&self, reason: u8, ticks: u64) {
        let place = usize::from(reason) % REASONS;
        if let (Some(timed), Some(sum)) = (self.timed.get(place), self.ticks.get(place)) {
            add(timed, 1);
            add(sum, ticks);
        }
    }

    /// It takes a CPU at tick `now`.
    pub fn comes(&self, now: u64) {
        self.since.store(now, Relaxed);
    }

    /// It leaves its CPU at tick `now`.
    pub fn leaves(&self, now: u64) {
        let since = self.since.swap(0, Relaxed);
        add(&self.ran, now.saturating_sub(since));
    }

    /// Ticks it had a CPU until `now`.
    pub fn ran(&self, now: u64) -> u64 {
        let running = match self.since.load(Relaxed) {
            0 => 0,
            since => now.saturating_sub(since),
        };
        self.ran.load(Relaxed).saturating_add(running)
    }

    /// Its exits for all reasons.
    pub fn count(&self) -> u64 {
        self.exits.iter().map(|count| count.load(Relaxed)).sum()
    }

    /// Its exits by reason.
    pub fn exits(&self) -> impl Iterator<Item = Exits> + '_ {
        let all = self.exits.iter().zip(&self.timed).zip(&self.ticks);
        all.zip(0..).map(|(((count, timed), ticks), reason)| Exits {
            reason,
            count: count.load(Relaxed),
            timed: timed.load(Relaxed),
            ticks: ticks.load(Relaxed),
        })
    }
}

fn add(to: &AtomicU64, value: u64) {
    to.store(to.load(Relaxed).wrapping_add(value), Relaxed);
}
