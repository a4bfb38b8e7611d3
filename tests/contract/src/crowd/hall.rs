//! Where the CPUs of a crowd meet: no lock, no allocation, only counters.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Words that scenarios share, all zero when one begins.
pub const TALLIES: usize = 16;

/// What all workers of a crowd share.
#[derive(Debug)]
pub struct Hall {
    workers: AtomicU64,
    arrived: AtomicU64,
    rounds: AtomicU64,
    broken: AtomicBool,
    tallies: [AtomicU64; TALLIES],
}

/// Some worker has found something wrong, so nobody waits for it any more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Broken;

impl Default for Hall {
    fn default() -> Self {
        Self::new()
    }
}

impl Hall {
    /// A hall that nobody may enter yet.
    pub const fn new() -> Self {
        Self {
            workers: AtomicU64::new(0),
            arrived: AtomicU64::new(0),
            rounds: AtomicU64::new(0),
            broken: AtomicBool::new(false),
            tallies: [const { AtomicU64::new(0) }; TALLIES],
        }
    }

    /// Says how many workers there are, before the first of them begins.
    pub fn admit(&self, workers: u64) {
        self.workers.store(workers, Ordering::Release);
    }

    /// How many workers there are.
    pub fn workers(&self) -> u64 {
        self.workers.load(Ordering::Acquire)
    }

    /// Waits until every worker is here, and calls `pause` again and again
    /// meanwhile.
    pub fn meet(&self, pause: impl Fn()) -> Result<(), Broken> {
        let round = self.rounds.load(Ordering::Acquire);
        if self.arrived.fetch_add(1, Ordering::AcqRel) + 1 == self.workers() {
            self.arrived.store(0, Ordering::Relaxed);
            self.rounds.store(round + 1, Ordering::Release);
        }
        while self.rounds.load(Ordering::Acquire) == round {
            if self.is_broken() {
                return Err(Broken);
            }
            pause();
        }
        Ok(())
    }

    /// Lets everybody who waits go, now and later.
    pub fn give_up(&self) {
        self.broken.store(true, Ordering::Release);
    }

    /// Whether somebody has given up.
    pub fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Acquire)
    }

    /// A word for scenarios to count in; one of [`TALLIES`].
    pub fn tally(&self, number: usize) -> &AtomicU64 {
        let [first, ..] = &self.tallies;
        self.tallies.get(number).unwrap_or(first)
    }

    /// Makes every tally zero; by one worker, between two meetings.
    pub fn clear(&self) {
        for tally in &self.tallies {
            tally.store(0, Ordering::Release);
        }
    }
}
