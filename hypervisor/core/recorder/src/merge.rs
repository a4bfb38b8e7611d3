//! The last entries of all CPUs, in the order of time.

use core::fmt::{self, Display, Formatter, Write};

use crate::event::Entry;
use crate::explain::{Explained, Names};
use crate::ring::Ring;

/// CPUs whose rings are merged; those beyond are left out.
pub const MAX_CPUS: usize = 64;

/// Gives `each` the last `count` entries of all rings that are `wanted`, oldest
/// first, with the number of the CPU: the place of the ring in `rings`.
///
/// What other CPUs write meanwhile is not waited for; what they overwrite is left
/// out. Takes no memory but for two numbers per CPU, for it is called in a crash.
pub fn latest<const N: usize>(
    rings: &[Ring<N>],
    count: usize,
    wanted: impl Fn(&Entry) -> bool,
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
                let entry = previous(ring, start, &wanted)?;
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
                let entry = next(ring, start, *end, &wanted)?;
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

/// The last wanted entry before `start` that is still there; `start` moves behind it.
fn previous<const N: usize>(
    ring: &Ring<N>,
    start: &mut u64,
    wanted: &impl Fn(&Entry) -> bool,
) -> Option<Entry> {
    loop {
        let entry = ring.entry(start.checked_sub(1)?)?;
        if wanted(&entry) {
            return Some(entry);
        }
        *start -= 1;
    }
}

/// The first wanted entry from `start` to `end` that is still there; `start` moves
/// to it.
fn next<const N: usize>(
    ring: &Ring<N>,
    start: &mut u64,
    end: u64,
    wanted: &impl Fn(&Entry) -> bool,
) -> Option<Entry> {
    while *start < end {
        if let Some(entry) = ring.entry(*start).filter(wanted) {
            return Some(entry);
        }
        *start += 1;
    }
    None
}

/// An entry with its time and CPU, in words.
#[derive(Clone, Copy)]
pub struct Line<'a> {
    /// The number of the CPU.
    pub cpu: usize,
    /// The entry.
    pub entry: &'a Entry,
    /// Frequency of the physical counter.
    pub hz: u64,
    /// Who knows the names.
    pub names: &'a dyn Names,
}

impl Display for Line<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self {
            cpu,
            entry,
            hz,
            names,
        } = *self;
        let hz = hz.max(1);
        let (seconds, rest) = (entry.stamp / hz, entry.stamp % hz);
        let micros = u128::from(rest) * 1_000_000 / u128::from(hz);
        let what = Explained { entry, names };
        write!(f, "[{seconds:>5}.{micros:06}] CPU {cpu}: {what}")
    }
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
    let mut result = Ok(());
    latest(
        rings,
        count,
        |_| true,
        |cpu, entry| {
            let line = Line {
                cpu,
                entry,
                hz,
                names,
            };
            if result.is_ok() {
                result = write!(out, "{line}\r\n");
            }
        },
    );
    result
}
