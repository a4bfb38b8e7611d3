//! Memory that the RMM asks for (RMM-EL3 interface, §2, `RESERVE_MEMORY`).
//!
//! It comes from the free end of the RMM's own memory, which is Realm already,
//! downwards, and never goes back. All memory is as near to one CPU as to
//! another, so the request for memory near the caller changes nothing.

use addr::GRANULE_SIZE;
use core::sync::atomic::{AtomicU64, Ordering};

/// The caller wants memory near its CPU.
const LOCAL: u64 = 1 << 0;
const ALIGNMENT_SHIFT: u32 = 56;

/// Why a request is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// No bytes, an unknown flag, or an alignment that no address has.
    Invalid,
    /// Less is left.
    NoMemory,
}

/// What is left of the RMM's memory.
#[derive(Debug)]
pub struct Pool {
    floor: u64,
    top: AtomicU64,
}

impl Pool {
    /// A pool of everything from `floor` to `top`.
    pub const fn new(floor: u64, top: u64) -> Self {
        Self {
            floor,
            top: AtomicU64::new(top),
        }
    }

    /// Takes `bytes` as the argument word `how` says: the logarithm of the
    /// alignment in bits 63 to 56, flags below. Gives whole granules.
    pub fn reserve(&self, bytes: u64, how: u64) -> Result<u64, Refusal> {
        let flags = how & ((1 << ALIGNMENT_SHIFT) - 1);
        let alignment = 1_u64
            .checked_shl((how >> ALIGNMENT_SHIFT) as u32)
            .ok_or(Refusal::Invalid)?
            .max(GRANULE_SIZE);
        if bytes == 0 || flags & !LOCAL != 0 {
            return Err(Refusal::Invalid);
        }
        let mut address = 0;
        self.top
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |top| {
                address = top.checked_sub(bytes)? & !(alignment - 1);
                (address >= self.floor).then_some(address)
            })
            .map(|_| address)
            .map_err(|_| Refusal::NoMemory)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn aligned(log2: u64) -> u64 {
        log2 << ALIGNMENT_SHIFT
    }

    #[test]
    fn memory_comes_from_the_top_aligned_and_in_whole_granules() {
        let pool = Pool::new(0x1000, 0x40_0000);
        assert_eq!(pool.reserve(0x3000, aligned(12)), Ok(0x3f_d000));
        assert_eq!(pool.reserve(1, aligned(0) | LOCAL), Ok(0x3f_c000));
        assert_eq!(pool.reserve(0x1000, aligned(21)), Ok(0x20_0000));
        assert_eq!(pool.reserve(0x1000, aligned(12)), Ok(0x1f_f000));
    }

    #[test]
    fn what_is_left_is_all_there_is_and_a_refusal_takes_nothing() {
        let pool = Pool::new(0x10_0000, 0x10_2000);
        assert_eq!(pool.reserve(0x3000, 0), Err(Refusal::NoMemory));
        assert_eq!(pool.reserve(0x1000, aligned(30)), Err(Refusal::NoMemory));
        assert_eq!(pool.reserve(u64::MAX, 0), Err(Refusal::NoMemory));
        assert_eq!(pool.reserve(0x2000, 0), Ok(0x10_0000));
        assert_eq!(pool.reserve(1, 0), Err(Refusal::NoMemory));
    }

    #[test]
    fn nothing_unknown_flags_and_impossible_alignments_are_invalid() {
        let pool = Pool::new(0, 0x10_0000);
        assert_eq!(pool.reserve(0, aligned(12)), Err(Refusal::Invalid));
        assert_eq!(pool.reserve(0x1000, 2), Err(Refusal::Invalid));
        assert_eq!(pool.reserve(0x1000, 1 << 55), Err(Refusal::Invalid));
        assert_eq!(pool.reserve(0x1000, aligned(64)), Err(Refusal::Invalid));
    }
}
