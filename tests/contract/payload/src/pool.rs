//! The granules that cases play with.
#![expect(
    unsafe_code,
    reason = "memory that changes hands behind the compiler's back"
)]

use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicBool, Ordering};

use addr::GRANULE_SIZE;
use contract::bench::POOL_GRANULES;

const BYTES: usize = (POOL_GRANULES * GRANULE_SIZE) as usize;

#[repr(C, align(65536))]
struct Memory(UnsafeCell<[u8; BYTES]>);

// SAFETY: the one `Pool` reaches it, by volatile accesses only.
unsafe impl Sync for Memory {}

static MEMORY: Memory = Memory(UnsafeCell::new([0; BYTES]));
static TAKEN: AtomicBool = AtomicBool::new(false);

/// The right to the granules.
pub struct Pool(());

impl Pool {
    /// Takes the granules, once.
    pub fn take() -> Self {
        assert!(!TAKEN.swap(true, Ordering::Relaxed), "the pool is taken");
        Self(())
    }

    /// Address of the first granule; memory is mapped one to one.
    pub fn base(&self) -> u64 {
        MEMORY.0.get().expose_provenance() as u64
    }

    /// Writes a doubleword of a granule that is the host's.
    pub fn write(&mut self, address: u64, value: u64) {
        let place = self.place(address);
        // SAFETY: `place` lies in the pool, which no reference is made to. A
        // granule that is the RMM's faults, which ends the run with a report.
        unsafe { place.write_volatile(value) }
    }

    /// Reads a doubleword of a granule that is the host's.
    pub fn read(&self, address: u64) -> u64 {
        let place = self.place(address);
        // SAFETY: as for `write`.
        unsafe { place.read_volatile() }
    }

    fn place(&self, address: u64) -> *mut u64 {
        let offset = address.wrapping_sub(self.base());
        assert!(
            offset.is_multiple_of(8) && offset < BYTES as u64,
            "a case reaches for {address:#x}, outside its pool"
        );
        MEMORY
            .0
            .get()
            .cast::<u64>()
            .wrapping_add(offset as usize / 8)
    }
}
