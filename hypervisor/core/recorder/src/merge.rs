//! The last entries of all CPUs, in the order of time.

use core::fmt::{self, Write};

use crate::event::Entry;
use crate::explain::{Explained, Names};
use crate::ring::Ring;

/// CPUs whose rings are merged; those beyond are left out.
pub const MAX_CPUS: usize = 64;

/// Gives `each` the last `count` entries of all rings, oldest first, with the
/// number of the CPU: the place of the ring in `rings`.
///
/// What other CPUs write meanwhile is not waited for; what they overwrite is left
/// out. Takes no memory but for two numbers per CPU, for it is called in a crash.
pub fn latest<const N: usize>(
    rings: &[Ring<N>],
    count: usize,
    mut each: impl FnMut(usize, &Entry),
) {
    let mut ends = [0; MAX_CPUS];
    for (end, ring) in ends.iter_mut().zip(rings) {
        *end = ring.written();
    }
    let mut starts = ends;
    for _ in 0..count {
        // The newest entry that is not among those chosen.
        let newest = (rings.iter().zip(&mut starts))
            .filter_map(|(ring, start)| {
                let entry = ring.entry(start.checked_sub(1)?)?;
                Some((entry.stamp, start))
            })
            .max_by_key(|(stamp, _)| *stamp);
        match newest {
            Some((_, start)) => *start -= 1,
            None => break,
        }
    }
    // Each round takes at least one entry of those chosen.
    for _ in 0..count {
        let oldest = (rings.iter().zip(&mut starts).zip(&ends).enumerate())
            .filter_map(|(cpu, ((ring, start), end))| {
                let entry = next(ring, start, *end)?;
                Some((cpu, entry, start))
            })
            .min_by_key(|(_, entry, _)| entry.stamp);
        match oldest {
            Some((cpu, entry, start)) => {
                each(cpu, &entry);
                *start += 1;
            }
            None => break,
        }
    }
}

/// The first entry from `start` to `end` that is still there; `start` moves to it.
fn next<const N: usize>(ring: &Ring<N>, start: &mut u64, end: u64) -> Option<Entry> {
    while *start < end {
        if let Some(entry) = ring.entry(*start) {
            return Some(entry);
        }
        *start += 1;
    }
    None
}

/// Writes the last `count` entries of all rings in words, a line each. `hz` is the
/// frequency of the physical counter.
pub fn print<const N: usize>(
    out: &mut dyn Write,
    rings: &[Ring<N>],
    count: usize,
    hz: u64,
    names: &dyn Names,
) -> fmt::Result {
    let hz = hz.max(1);
    let mut result = Ok(());
    latest(rings, count, |cpu, entry| {
        let (seconds, rest) = (entry.stamp / hz, entry.stamp % hz);
        let micros = u128::from(rest) * 1_000_000 / u128::from(hz);
        let what = Explained { entry, names };
        if result.is_ok() {
            result = write!(out, "[{seconds:>5}.{micros:06}] CPU {cpu}: {what}\r\n");
        }
    });
    result
}
