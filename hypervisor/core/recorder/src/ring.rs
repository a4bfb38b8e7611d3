//! The last entries of one CPU.
//!
//! A ring is a sequence lock whose sequence is the number of entries written:
//! entry `n` lies in slot `n % N`. The writer announces that it has written `n`
//! entries before it touches the slot of entry `n`, which held entry `n - N`. So a
//! reader that has read entry `i` looks at the number again: up to `i + N - 1` the
//! slot was not touched meanwhile.
//!
//! The same holds when the reader is an exception handler on the writer's CPU that
//! came in the middle of a write.

use core::sync::atomic::{AtomicU64, Ordering, fence};

use crate::event::{Entry, Event, Who};

/// A ring of `N` slots, a power of two, of which `N - 1` can be read at any time.
/// 32 bytes each.
// In this order, so that the number needs no address of its own; aligned, so that
// CPUs do not write to each other's cache lines.
#[repr(C, align(64))]
pub struct Ring<const N: usize> {
    /// Entries written since the start, the one being written not counted.
    written: AtomicU64,
    slots: [[AtomicU64; 4]; N],
}

/// Where a reader stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Cursor(u64);

impl Cursor {
    /// The number of the entry that comes next, counted from the start.
    pub const fn number(self) -> u64 {
        self.0
    }
}

/// What a reader finds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// The next entry.
    Entry(Entry),
    /// This many entries were overwritten before they were read.
    Lost(u64),
}

impl<const N: usize> Ring<N> {
    const MASK: u64 = {
        assert!(N.is_power_of_two(), "a ring has a power of two of slots");
        N as u64 - 1
    };

    /// Nothing yet: all bytes zero, so that a static one takes no room in an
    /// image.
    pub const fn new() -> Self {
        Self {
            written: AtomicU64::new(0),
            slots: [const { [const { AtomicU64::new(0) }; 4] }; N],
        }
    }

    /// Notes an event. Only the ring's own CPU may call this: of two writers at
    /// once one entry would be lost or mixed, though nothing else would break.
    #[inline(always)]
    pub fn record(&self, stamp: u64, who: Who, event: Event) {
        let [w0, w1, w2, w3] = Entry { stamp, who, event }.raw();
        let number = self.written.load(Ordering::Relaxed);
        // Nobody may see a new word and still the number from before the last
        // entry.
        fence(Ordering::Release);
        if let Some([s0, s1, s2, s3]) = self.slot(number) {
            s0.store(w0, Ordering::Relaxed);
            s1.store(w1, Ordering::Relaxed);
            s2.store(w2, Ordering::Relaxed);
            s3.store(w3, Ordering::Relaxed);
        }
        self.written
            .store(number.wrapping_add(1), Ordering::Release);
    }

    #[inline(always)]
    fn slot(&self, number: u64) -> Option<&[AtomicU64; 4]> {
        self.slots.get((number & Self::MASK) as usize)
    }

    /// Entries written since the start.
    pub fn written(&self) -> u64 {
        self.written.load(Ordering::Acquire)
    }

    /// The oldest entry there is.
    pub fn oldest(&self) -> Cursor {
        Cursor(self.written().saturating_sub(Self::MASK))
    }

    /// The entry with number `number`, if it is still there whole.
    pub fn entry(&self, number: u64) -> Option<Entry> {
        if number >= self.written() {
            return None;
        }
        let [s0, s1, s2, s3] = self.slot(number)?;
        let raw = [s0, s1, s2, s3].map(|word| word.load(Ordering::Relaxed));
        fence(Ordering::Acquire);
        let untouched = self.written.load(Ordering::Relaxed) <= number.checked_add(Self::MASK)?;
        untouched.then(|| Entry::from_raw(raw))?
    }

    /// The entry at `cursor`, which moves on; `None` at the end.
    pub fn read(&self, cursor: &mut Cursor) -> Option<Step> {
        let oldest = self.oldest();
        if cursor.0 < oldest.0 {
            let lost = oldest.0 - cursor.0;
            *cursor = oldest;
            return Some(Step::Lost(lost));
        }
        if cursor.0 >= self.written() {
            return None;
        }
        let entry = self.entry(cursor.0);
        cursor.0 += 1;
        // Overwritten since the first look.
        Some(entry.map_or(Step::Lost(1), Step::Entry))
    }
}

impl<const N: usize> Default for Ring<N> {
    fn default() -> Self {
        Self::new()
    }
}
