//! The granules that cases play with.
#![expect(
    unsafe_code,
    reason = "memory that changes hands behind the compiler's back"
)]

use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicU64, Ordering};

use addr::GRANULE_SIZE;
use contract::bench::POOL_GRANULES;

const BYTES: usize = (POOL_GRANULES * GRANULE_SIZE) as usize;

#[repr(C, align(65536))]
struct Memory(UnsafeCell<[u8; BYTES]>);

// SAFETY: `Pool` alone reaches it, by atomic accesses only.
unsafe impl Sync for Memory {}

static MEMORY: Memory = Memory(UnsafeCell::new([0; BYTES]));

/// The granules.
pub static POOL: Pool = Pool(());

/// The type of [`POOL`].
#[derive(Debug)]
pub struct Pool(());

impl Pool {
    /// Address of the first granule; memory is mapped one to one.
    pub fn base(&self) -> u64 {
        MEMORY.0.get().expose_provenance() as u64
    }

    /// Writes a doubleword of a granule that is the host's.
    pub fn write(&self, address: u64, value: u64) {
        self.place(address).store(value, Ordering::Relaxed);
    }

    /// Reads a doubleword of a granule that is the host's.
    pub fn read(&self, address: u64) -> u64 {
        self.place(address).load(Ordering::Relaxed)
    }

    fn place(&self, address: u64) -> &AtomicU64 {
        let offset = address.wrapping_sub(self.base());
        assert!(
            offset.is_multiple_of(8) && offset < BYTES as u64,
            "a case reaches for {address:#x}, outside its pool"
        );
        let place = MEMORY
            .0
            .get()
            .cast::<u64>()
            .wrapping_add(offset as usize / 8);
        // SAFETY: an aligned doubleword of the pool, which everybody reaches as
        // atomics. A granule that is the RMM's faults, which ends the run with a
        // report.
        unsafe { AtomicU64::from_ptr(place) }
    }
}
