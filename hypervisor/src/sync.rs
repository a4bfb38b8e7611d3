//! The one lock.
//!
//! Interrupts are never unmasked at EL2, so a lock needs no masking of its own.
//! The order of locks is that of [`rank`], written out in `docs/unsafe.md`; a build with
//! debug assertions checks each lock that is taken against those its CPU holds.
#![expect(unsafe_code, reason = "breaking the lock of a CPU that has stopped")]

use core::ops::{Deref, DerefMut};
use core::sync::atomic::{AtomicU16, Ordering::Relaxed};

use sched::order::Held;
pub use sched::order::rank;

use crate::arch::cpu;

static HELD: [AtomicU16; entry::MAX_CPUS] = [const { AtomicU16::new(0) }; entry::MAX_CPUS];

/// A lock with a place in the order of locks.
#[derive(Debug)]
pub struct Mutex<T, const RANK: u8>(spin::Mutex<T>);

/// A lock that is held.
#[derive(Debug)]
pub struct Guard<'a, T, const RANK: u8>(spin::MutexGuard<'a, T>);

impl<T, const RANK: u8> Mutex<T, RANK> {
    /// A lock over `value`.
    pub const fn new(value: T) -> Self {
        Self(spin::Mutex::new(value))
    }

    /// Takes the lock, waiting while another CPU holds it.
    #[inline(always)]
    pub fn lock(&self) -> Guard<'_, T, RANK> {
        if cfg!(debug_assertions) {
            note(|held| {
                let with = held.with(RANK);
                with.unwrap_or_else(|| panic!("lock {RANK} taken after {held:?}"))
            });
        }
        Guard(self.0.lock())
    }

    /// Breaks the lock, for a CPU that is about to stop the machine.
    ///
    /// # Safety
    ///
    /// 1. Whoever holds it never uses its guard again, or does not mind what
    ///    this CPU changes meanwhile.
    pub unsafe fn force_unlock(&self) {
        // SAFETY: condition 1.
        unsafe { self.0.force_unlock() }
    }
}

impl<T, const RANK: u8> Deref for Guard<'_, T, RANK> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T, const RANK: u8> DerefMut for Guard<'_, T, RANK> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T, const RANK: u8> Drop for Guard<'_, T, RANK> {
    #[inline(always)]
    fn drop(&mut self) {
        if cfg!(debug_assertions) {
            note(|held| held.without(RANK));
        }
    }
}

/// Forgets what this CPU holds: it is about to stop the machine, and what it still
/// writes may need any lock.
pub fn forget() {
    if cfg!(debug_assertions) {
        note(|_| Held::NONE);
    }
}

/// Changes what this CPU is known to hold.
fn note(change: impl FnOnce(Held) -> Held) {
    if let Some(held) = HELD.get(cpu::number()) {
        let now = change(Held::from_bits(held.load(Relaxed)));
        held.store(now.bits(), Relaxed);
    }
}
