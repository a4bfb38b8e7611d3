//! How often each command was called. Commands that both dialects name alike
//! share a counter.

use crate::v1_0::Command;
use crate::v2_0;
use core::sync::atomic::{AtomicU64, Ordering};

/// Counters of what RMI 1.0 names, at the command's offset.
const OLD: usize = 0x20;
/// All counters; those of what only RMI 2.0 names lie behind, in its order.
const SLOTS: usize = OLD + v2_0::Command::ALL.len();

/// The counter of each command of RMI 2.0, by its offset.
const NEW: [u8; 0x100] = {
    let mut places = [0; 0x100];
    let mut rest: &[v2_0::Command] = v2_0::Command::ALL;
    let mut place = OLD;
    while let [command, others @ ..] = rest {
        if let Some((_, [slot, ..])) = places.split_at_mut_checked(*command as usize) {
            *slot = match command.in_v1_0() {
                Some(old) => old as u8,
                None => place as u8,
            };
        }
        place += 1;
        rest = others;
    }
    places
};

/// A counter for each command of both dialects. Each has one writer at a time, the
/// owner of the client, and any number of readers: a count is a load and a store, not
/// an atomic addition, which would cost each exit a loop.
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
        self.add(command as usize, 1);
    }

    /// Counts one call of RMI 2.0.
    #[inline]
    pub fn count_v2_0(&self, command: v2_0::Command) {
        self.add(place(command), 1);
    }

    /// How often `command` was called.
    pub fn of(&self, command: Command) -> u64 {
        self.read(command as usize)
    }

    /// How often `command` was called, or its namesake of RMI 1.0.
    pub fn of_v2_0(&self, command: v2_0::Command) -> u64 {
        self.read(place(command))
    }

    /// Adds what `other` counted.
    pub fn absorb(&self, other: &Self) {
        for (slot, other) in self.0.iter().zip(&other.0) {
            slot.fetch_add(other.load(Ordering::Relaxed), Ordering::Relaxed);
        }
    }

    /// Calls of every command.
    pub fn total(&self) -> u64 {
        self.iter().map(|(_, count)| count).sum()
    }

    /// The commands that were called, by name, and how often.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        let old = Command::ALL
            .iter()
            .map(|command| (command.name(), self.of(*command)));
        let new = v2_0::Command::ALL
            .iter()
            .filter(|command| command.in_v1_0().is_none())
            .map(|command| (command.name(), self.of_v2_0(*command)));
        old.chain(new).filter(|(_, count)| *count != 0)
    }

    fn read(&self, place: usize) -> u64 {
        self.0
            .get(place)
            .map_or(0, |slot| slot.load(Ordering::Relaxed))
    }

    fn add(&self, place: usize, calls: u64) {
        if let Some(slot) = self.0.get(place) {
            let sum = slot.load(Ordering::Relaxed).wrapping_add(calls);
            slot.store(sum, Ordering::Relaxed);
        }
    }
}

fn place(command: v2_0::Command) -> usize {
    NEW.get(command as usize)
        .copied()
        .unwrap_or_default()
        .into()
}

const _: () = assert!((Command::RttSetRipas as usize) < OLD && SLOTS <= 0x100);
