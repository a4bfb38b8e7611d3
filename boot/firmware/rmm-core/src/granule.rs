//! The granule table: what every granule of memory is, and who may touch it.
//!
//! One 64-bit word per granule of the DRAM banks, in memory that the shell
//! provides. A word is lock, state, owner and two REC flags in one; whoever
//! holds the lock is the only one to change it.
//!
//! # Lock order
//!
//! 1. *External* granules (named by a caller: NS, delegated, RD, REC) by
//!    ascending address; [`GranuleTable::lock_all`] is the only way to hold
//!    several of them.
//! 2. *Internal* granules (RTT, data, auxiliary: found by walking what an RD
//!    or a REC owns), while the lock of that RD or REC is held.
//!
//! A state is checked as soon as a lock is taken and a wrong one is let go at
//! once, so a caller that names somebody's internal granule waits for nobody
//! while holding it: the two classes cannot deadlock.
//!
//! A REC that runs is not locked but marked as running: only its CPU touches
//! its page, everybody else sees the mark and keeps away.

use addr::{GRANULE_SIZE, GranuleAddr, PhysRange};
use core::hint::spin_loop;
use core::sync::atomic::{AtomicU64, Ordering};

/// What a granule is to the RMM.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u64)]
pub enum GranuleState {
    /// The host's.
    Undelegated = 0,
    /// In the Realm PAS, all zeroes, used for nothing.
    Delegated = 1,
    /// A Realm descriptor.
    Rd = 2,
    /// A REC.
    Rec = 3,
    /// An auxiliary granule of a REC.
    RecAux = 4,
    /// Memory of a Realm.
    Data = 5,
    /// A Realm translation table.
    Rtt = 6,
    /// Named by an operation of RMI 2.0 that has begun and not ended.
    Partial = 7,
}

impl GranuleState {
    const fn from_word(word: u64) -> Option<Self> {
        match (word >> STATE_SHIFT) & STATE_MASK {
            0 => Some(Self::Undelegated),
            1 => Some(Self::Delegated),
            2 => Some(Self::Rd),
            3 => Some(Self::Rec),
            4 => Some(Self::RecAux),
            5 => Some(Self::Data),
            6 => Some(Self::Rtt),
            7 => Some(Self::Partial),
            _ => None,
        }
    }
}

const LOCKED: u64 = 1 << 0;
const STATE_SHIFT: u32 = 1;
const STATE_MASK: u64 = 0xf;
const RUNNING: u64 = 1 << 5;
const RUNNABLE: u64 = 1 << 6;
const NUMBER_SHIFT: u32 = 8;
const NUMBER_MASK: u64 = 0xffff;
const OWNER_SHIFT: u32 = 28;

/// A granule's lock, held; the word is written back when it is dropped.
#[derive(Debug)]
pub struct Guard<'t> {
    cell: &'t AtomicU64,
    granule: GranuleAddr,
    word: u64,
}

impl Guard<'_> {
    /// The granule that is locked.
    pub fn granule(&self) -> GranuleAddr {
        self.granule
    }

    /// Makes the granule something else, with no owner, number or flag.
    pub fn become_state(&mut self, state: GranuleState) {
        self.word = (state as u64) << STATE_SHIFT;
    }

    /// The RD a REC or an auxiliary granule belongs to.
    pub fn owner(&self) -> Option<GranuleAddr> {
        GranuleAddr::from_raw((self.word >> OWNER_SHIFT) * GRANULE_SIZE).ok()
    }

    /// Notes the RD that a REC or an auxiliary granule belongs to.
    pub fn set_owner(&mut self, owner: GranuleAddr) {
        self.word = (self.word & ((1 << OWNER_SHIFT) - 1)) | owner.number() << OWNER_SHIFT;
    }

    /// Of an RD: RECs alive. Of a REC: its index in the Realm.
    pub fn number(&self) -> u64 {
        (self.word >> NUMBER_SHIFT) & NUMBER_MASK
    }

    /// Sets [`Guard::number`], of which 16 bits are kept.
    pub fn set_number(&mut self, number: u64) {
        self.word &= !(NUMBER_MASK << NUMBER_SHIFT);
        self.word |= (number & NUMBER_MASK) << NUMBER_SHIFT;
    }

    /// Whether a CPU runs this REC.
    pub fn is_running(&self) -> bool {
        self.word & RUNNING != 0
    }

    /// Marks a REC as running, or not.
    pub fn set_running(&mut self, running: RecMark) {
        self.mark(RUNNING, running);
    }

    /// Whether this REC can be entered.
    pub fn is_runnable(&self) -> bool {
        self.word & RUNNABLE != 0
    }

    /// Marks a REC as runnable, or not.
    pub fn set_runnable(&mut self, runnable: RecMark) {
        self.mark(RUNNABLE, runnable);
    }

    fn mark(&mut self, bit: u64, mark: RecMark) {
        match mark {
            RecMark::Yes => self.word |= bit,
            RecMark::No => self.word &= !bit,
        }
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        self.cell.store(self.word & !LOCKED, Ordering::Release);
    }
}

/// The value of a REC's mark.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RecMark {
    /// It is so.
    Yes,
    /// It is not.
    No,
}

/// What became of an attempt to lock a granule.
#[derive(Debug)]
pub enum TryLock<'t> {
    /// It is locked, and in the state that was asked for.
    Locked(Guard<'t>),
    /// Somebody holds its lock right now.
    Held,
    /// It is not tracked, or in another state.
    Refused,
}

/// The granule table over all banks of DRAM.
#[derive(Debug)]
pub struct GranuleTable<'t> {
    cells: &'t [AtomicU64],
    banks: &'t [PhysRange],
    reserved: Option<PhysRange>,
}

impl<'t> GranuleTable<'t> {
    /// A table with a word for each granule of `banks`, in their order.
    /// Granules of `reserved` are nobody's. `None` if words are missing.
    pub fn new(
        cells: &'t [AtomicU64],
        banks: &'t [PhysRange],
        reserved: Option<PhysRange>,
    ) -> Option<Self> {
        let mut granules = 0u64;
        for bank in banks {
            if !bank.is_aligned(GRANULE_SIZE) || bank.top().raw() >> 48 != 0 {
                return None;
            }
            granules = granules.checked_add(bank.size() / GRANULE_SIZE)?;
        }
        (granules <= cells.len() as u64).then_some(Self {
            cells,
            banks,
            reserved,
        })
    }

    fn cell(&self, granule: GranuleAddr) -> Option<&'t AtomicU64> {
        let address = granule.address();
        if self.reserved.is_some_and(|range| range.contains(address)) {
            return None;
        }
        let mut first = 0;
        for bank in self.banks {
            if let (true, Some(offset)) = (bank.contains(address), address.offset_from(bank.base()))
            {
                let index = first + offset / GRANULE_SIZE;
                return self.cells.get(usize::try_from(index).ok()?);
            }
            first += bank.size() / GRANULE_SIZE;
        }
        None
    }

    /// Locks a granule, if it is tracked and in `state`.
    pub fn lock(&self, granule: GranuleAddr, state: GranuleState) -> Option<Guard<'t>> {
        loop {
            match self.try_lock(granule, state) {
                TryLock::Locked(guard) => return Some(guard),
                TryLock::Refused => return None,
                TryLock::Held => spin_loop(),
            }
        }
    }

    /// Locks a granule if nobody holds it: for an external granule that is
    /// needed while the lock of an RD is held, against the order of addresses.
    pub fn try_lock(&self, granule: GranuleAddr, state: GranuleState) -> TryLock<'t> {
        let Some(cell) = self.cell(granule) else {
            return TryLock::Refused;
        };
        let word = cell.load(Ordering::Relaxed);
        let taken = word & LOCKED == 0
            && cell
                .compare_exchange(word, word | LOCKED, Ordering::Acquire, Ordering::Relaxed)
                .is_ok();
        if !taken {
            return TryLock::Held;
        }
        let guard = Guard {
            cell,
            granule,
            word,
        };
        if GranuleState::from_word(word) == Some(state) {
            TryLock::Locked(guard)
        } else {
            TryLock::Refused
        }
    }

    /// Locks several external granules in the order of their addresses. `None`
    /// if one of them is not in its state or is named twice; no lock is held
    /// then. The guards stand where their granules stood.
    pub fn lock_all<const N: usize>(
        &self,
        wanted: &[Option<(GranuleAddr, GranuleState)>; N],
    ) -> Option<[Option<Guard<'t>>; N]> {
        let mut guards = [const { None }; N];
        let mut locked: Option<GranuleAddr> = None;
        for _ in wanted.iter().flatten() {
            let next = wanted
                .iter()
                .zip(guards.iter_mut())
                .filter_map(|(want, slot)| want.map(|(granule, state)| (granule, state, slot)))
                .filter(|(granule, ..)| locked.is_none_or(|last| *granule > last))
                .min_by_key(|(granule, ..)| *granule);
            // Nothing left above the last one: some granule was named twice.
            let (granule, state, slot) = next?;
            *slot = Some(self.lock(granule, state)?);
            locked = Some(granule);
        }
        Some(guards)
    }

    /// What a granule is right now, without locking it; `None` if untracked.
    pub fn peek(&self, granule: GranuleAddr) -> Option<GranuleState> {
        GranuleState::from_word(self.cell(granule)?.load(Ordering::Acquire))
    }
}

#[cfg(test)]
mod tests;
