//! The last exits of one vCPU.
//!
//! A ring holds what is worth a line; a guest exits far more often than that. Of
//! every exit two words are kept here, for each reason apart, so that many of one
//! reason do not push out the few of another. The number of an exit is the count of
//! its reason, which whoever runs the vCPU keeps anyway: to note one costs half a
//! dozen instructions, so that it is always done.
//!
//! | word | bits | what |
//! |---|---|---|
//! | 0 | 63:0 | stamp: ticks of the physical counter |
//! | 1 | 31:0 | `ESR_EL2` as reported |
//! | 1 | 63:32 | the IPA of an abort, from its bit 12 on (`HPFAR_EL2`) |
//!
//! A reader on another CPU may find the newest exit half written: nothing waits.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::event::{Entry, Event, Reason, UNKNOWN, Who};

/// Exits of a reason that are kept, a power of two.
const KEPT: usize = 8;

/// The last exits of a vCPU for one reason.
#[derive(Debug, Default)]
pub struct Trail([[AtomicU64; 2]; KEPT]);

impl Trail {
    /// Notes exit `number` of this reason, counted from zero, of tick `stamp`.
    #[inline(always)]
    pub fn note(&self, number: u64, stamp: u64, syndrome: u64, hpfar: u64) {
        if let Some([first, second]) = self.0.get(number as usize % KEPT) {
            first.store(stamp, Relaxed);
            second.store(u64::from(syndrome as u32) | hpfar << 28, Relaxed);
        }
    }

    /// The exits kept of the `count` that were noted, oldest first.
    pub fn entries(&self, count: u64, who: Who, reason: u8) -> impl Iterator<Item = Entry> + '_ {
        let first = count.saturating_sub(KEPT as u64);
        (first..count).filter_map(move |number| {
            let [stamp, what] = self.0.get(number as usize % KEPT)?;
            let (stamp, what) = (stamp.load(Relaxed), what.load(Relaxed));
            // It was counted and not noted.
            if stamp == 0 {
                return None;
            }
            let syndrome = match Reason::from_raw(reason) {
                Some(Reason::Psci | Reason::RipasChange | Reason::HostCall) => UNKNOWN,
                _ => what & 0xffff_ffff,
            };
            let event = Event::Exit {
                reason,
                syndrome,
                address: what >> 32 << 12,
            };
            Some(Entry { stamp, who, event })
        })
    }
}

/// The newest of many entries, oldest first.
#[derive(Debug, Default)]
pub struct Newest<const N: usize>(heapless::Vec<Entry, N>);

impl<const N: usize> Newest<N> {
    /// None yet.
    pub const fn new() -> Self {
        Self(heapless::Vec::new())
    }

    /// Takes `entry` in if it is newer than one of those kept, or there is room.
    pub fn offer(&mut self, entry: Entry) {
        if self.0.is_full() {
            match self.0.first() {
                Some(oldest) if oldest.stamp < entry.stamp => drop(self.0.remove(0)),
                _ => return,
            }
        }
        let place = self.0.iter().take_while(|kept| kept.stamp <= entry.stamp);
        let place = place.count();
        // There is room now.
        let _ = self.0.insert(place, entry);
    }

    /// The entries, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.0.iter()
    }
}
