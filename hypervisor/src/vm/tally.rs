//! What a vCPU has done so far, for whoever asks.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Reasons of exits: those of `RmiRecExit`, and any other.
pub const REASONS: usize = 8;

/// What a vCPU has done. It is written by whoever runs the vCPU, one at a time, so
/// that a count is a load and a store; anybody may read it.
#[derive(Debug, Default)]
pub struct Tally {
    exits: [AtomicU64; REASONS],
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
    /// Counts an exit.
    #[inline(always)]
    pub fn exited(&self, reason: u8) {
        if let Some(count) = self.exits.get(usize::from(reason) % REASONS) {
            add(count, 1);
        }
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
