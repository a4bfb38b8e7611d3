//! How often each command was called.

use crate::v1_0::Command;
use core::sync::atomic::{AtomicU64, Ordering};

const SLOTS: usize = 0x20;

/// A counter for each command.
#[derive(Debug)]
pub struct Calls([AtomicU64; SLOTS]);

impl Default for Calls {
    fn default() -> Self {
        Self::new()
    }
}

impl Calls {
    /// All zero.
    pub const fn new() -> Self {
        Self([const { AtomicU64::new(0) }; SLOTS])
    }

    /// Counts one call.
    #[inline]
    pub fn count(&self, command: Command) {
        self.add(command, 1);
    }

    /// How often `command` was called.
    pub fn of(&self, command: Command) -> u64 {
        self.0
            .get(command as usize)
            .map_or(0, |slot| slot.load(Ordering::Relaxed))
    }

    /// Adds what `other` counted.
    pub fn absorb(&self, other: &Self) {
        for command in Command::ALL {
            self.add(*command, other.of(*command));
        }
    }

    /// Calls of every command.
    pub fn total(&self) -> u64 {
        self.iter().map(|(_, count)| count).sum()
    }

    /// The commands that were called, by name, and how often.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        Command::ALL
            .iter()
            .map(|command| (command.name(), self.of(*command)))
            .filter(|(_, count)| *count != 0)
    }

    fn add(&self, command: Command, calls: u64) {
        if let Some(slot) = self.0.get(command as usize) {
            slot.fetch_add(calls, Ordering::Relaxed);
        }
    }
}

const _: () = assert!((Command::RttSetRipas as usize) < SLOTS);
