//! Calls of an RMM by command, whatever dialect they belong to.

use heapless::Vec;

/// Commands there is room for: more than all dialects have together.
const COMMANDS: usize = 80;

/// How often each command was called.
#[derive(Debug, Default)]
pub struct Calls(Vec<(&'static str, u64), COMMANDS>);

impl Calls {
    /// Adds counts; equal names are one command.
    pub fn add(&mut self, counts: impl Iterator<Item = (&'static str, u64)>) {
        for (name, count) in counts {
            match self.0.iter_mut().find(|(known, _)| *known == name) {
                Some((_, sum)) => *sum += count,
                // There are fewer commands than places.
                None => drop(self.0.push((name, count))),
            }
        }
    }

    /// The commands that were called.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        self.0.iter().copied()
    }
}
