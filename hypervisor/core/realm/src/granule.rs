//! The right to use granules, as a value.
//!
//! While granules move, their state is part of the type: the memory allocator
//! takes back only [`Undelegated`] ones, an object of the RMM is made only of
//! [`Delegated`] ones. The values cannot be copied, so a granule has one owner.
//! Where granules rest – inside a Realm – the [`Ledger`](crate::Ledger) knows
//! their state, and hands the value out again when they leave.

use addr::{GranuleAddr, PhysAddr};
use core::fmt;
use core::marker::PhantomData;

/// The host may use it: it lies in the Non-secure physical address space.
#[derive(Debug)]
pub enum Undelegated {}

/// The RMM holds it, and no object of the RMM uses it.
#[derive(Debug)]
pub enum Delegated {}

/// A run of adjacent granules in state `S`, never empty.
#[must_use = "granules that are dropped are lost to everybody"]
pub struct Granules<S> {
    base: GranuleAddr,
    count: usize,
    state: PhantomData<S>,
}

impl<S> Granules<S> {
    pub(crate) const fn assume(base: GranuleAddr, count: usize) -> Self {
        Self {
            base,
            count,
            state: PhantomData,
        }
    }

    /// The first granule's address.
    pub const fn base(&self) -> GranuleAddr {
        self.base
    }

    /// How many there are.
    pub const fn count(&self) -> usize {
        self.count
    }

    /// The address of granule `index` of the run.
    pub fn get(&self, index: usize) -> Option<GranuleAddr> {
        if index < self.count {
            self.base.checked_add(index as u64)
        } else {
            None
        }
    }

    /// Joins `other` to the end of this run, if it lies there.
    pub(crate) fn append(self, other: Self) -> Result<Self, (Self, Self)> {
        if self.base.checked_add(self.count as u64) == Some(other.base) {
            Ok(Self::assume(self.base, self.count + other.count))
        } else {
            Err((self, other))
        }
    }

    /// Takes the first `count` granules off the run.
    pub(crate) fn split(self, count: usize) -> (Option<Self>, Option<Self>) {
        let count = count.min(self.count);
        let head = (count > 0).then(|| Self::assume(self.base, count));
        let rest = match self.base.checked_add(count as u64) {
            Some(base) if count < self.count => Some(Self::assume(base, self.count - count)),
            _ => None,
        };
        (head, rest)
    }
}

impl Granules<Undelegated> {
    /// The run of `count` granules from `base` that an allocator gives away.
    ///
    /// Only implementations of [`Memory`](crate::Memory) call this, and who keeps
    /// granules as addresses because hardware reads them (tables of stage 2), for
    /// memory that nobody else uses: the value made here is the right to it. `None`
    /// for an empty run or one that passes the end of the address space.
    pub fn from_allocator(base: GranuleAddr, count: usize) -> Option<Self> {
        if count == 0 {
            return None;
        }
        base.checked_add(count as u64)
            .map(|_| Self::assume(base, count))
    }

    /// The first byte of the run.
    pub const fn address(&self) -> PhysAddr {
        self.base.address()
    }
}

impl<S> fmt::Debug for Granules<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} x{}", self.base, self.count)
    }
}
