//! The one place where a physical address becomes a pointer.
//!
//! RAM is identity mapped. What may be touched follows from ownership: frames
//! that [`super::Ram`] has handed out and that no one has delegated.
#![expect(unsafe_code, reason = "memory by its physical address")]

use core::arch::asm;
use core::sync::atomic::AtomicU16;

use addr::{GRANULE_SIZE, GranuleAddr, PhysAddr, PhysRange};
use entry::BootInfo;
use platform::{HEADER_SIZE, PlatformError};
use zerocopy::FromBytes;

use crate::arch::mem;

/// The device tree the boot loader passed. The early map and the final map both
/// cover it.
pub fn device_tree(boot: &BootInfo) -> Result<&'static [u8], PlatformError> {
    let header = boot.fdt.raw() as *const [u8; HEADER_SIZE];
    // SAFETY: entry.S has mapped what x0 points to, read-only; nobody writes it.
    let size = platform::blob_size(unsafe { &*header })?;
    let first = boot.fdt.raw() as *const u8;
    // SAFETY: as above; `blob_size` allows at most the 2 MiB that are mapped.
    Ok(unsafe { core::slice::from_raw_parts(first, size) })
}

/// The bundle behind the image. The final map covers it.
pub fn bundle(boot: &BootInfo) -> Option<&'static [u8]> {
    // SAFETY: `Map::new` has mapped it read-only, and `Ram::claim` leaves it out.
    boot.bundle.map(|bundle| unsafe { bytes(bundle) })
}

/// The bytes of a range that stays as it is for good.
///
/// # Safety
///
/// 1. The range is mapped.
/// 2. Nobody ever writes it, and it is never delegated.
unsafe fn bytes(range: PhysRange) -> &'static [u8] {
    let first = range.base().raw() as *const u8;
    // SAFETY: conditions 1 and 2 are what a shared static slice needs.
    unsafe { core::slice::from_raw_parts(first, range.size() as usize) }
}

/// RAM as values of type `T`, zeroed.
///
/// # Safety
///
/// 1. The range is mapped RAM, aligned for `T`, and the caller's alone for good.
pub unsafe fn zeroed<T: FromBytes>(range: PhysRange) -> &'static mut [T] {
    let first = range.base().raw() as *mut T;
    let count = range.size() as usize / size_of::<T>();
    // SAFETY: condition 1; the count covers no more than the range.
    unsafe { first.write_bytes(0, count) };
    // SAFETY: condition 1, and zeroes are a valid `T` by `FromBytes`.
    unsafe { core::slice::from_raw_parts_mut(first, count) }
}

/// Cleans a value to the point of coherency, for a CPU that will read it with
/// its caches off.
pub fn clean<T>(value: &T) {
    let first = &raw const *value as u64;
    let end = first + size_of::<T>() as u64;
    // The smallest line there can be: a larger one is cleaned more than once.
    for at in (first & !15..end).step_by(16) {
        // SAFETY: cleaning changes no memory.
        unsafe { asm!("dc cvac, {}", in(reg) at, options(nostack)) };
    }
    // SAFETY: a barrier changes no state.
    unsafe { asm!("dsb sy", options(nostack)) };
}

/// Zeroes a granule that the caller owns.
///
/// # Safety
///
/// 1. The granule is mapped RAM, not delegated, and the caller's alone.
pub unsafe fn zero_granule(granule: GranuleAddr) {
    // SAFETY: reading DCZID_EL0 has no effect.
    let dczid = unsafe {
        let value: u64;
        asm!("mrs {}, dczid_el0", out(reg) value, options(nomem, nostack));
        value
    };
    let (mut at, end) = (granule.raw(), granule.raw() + GRANULE_SIZE);
    if dczid & 0x10 != 0 {
        // SAFETY: condition 1.
        unsafe { (at as *mut u8).write_bytes(0, GRANULE_SIZE as usize) };
        return;
    }
    let block = 4u64 << (dczid & 0xf);
    while at < end {
        // SAFETY: condition 1; blocks divide a granule, so none reaches past it.
        unsafe { asm!("dc zva, {}", in(reg) at, options(nostack)) };
        at += block;
    }
}

/// Overwrites a granule that the caller owns.
///
/// # Safety
///
/// 1. The granule is mapped RAM, not delegated, and the caller's alone.
pub unsafe fn write_granule(granule: GranuleAddr, bytes: &[u8; GRANULE_SIZE as usize]) {
    let to = granule.raw() as *mut u8;
    // SAFETY: condition 1; the source is a live reference, so disjoint.
    unsafe { to.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) }
}

/// Word `index` of a page that somebody else may be writing.
///
/// # Safety
///
/// 1. The granule is mapped RAM, and not delegated.
pub unsafe fn read_word(granule: GranuleAddr, index: usize) -> u64 {
    let from = granule.raw() as *const u64;
    // SAFETY: condition 1; the index is brought into the page.
    let from = unsafe { from.add(index % (GRANULE_SIZE as usize / 8)) };
    // SAFETY: as above; every bit pattern is an integer.
    unsafe { from.read_volatile() }
}

/// Writes word `index` of a page that somebody else may be reading.
///
/// # Safety
///
/// 1. The granule is mapped RAM, not delegated, and the caller's to write.
pub unsafe fn write_word(granule: GranuleAddr, index: usize, word: u64) {
    let to = granule.raw() as *mut u64;
    // SAFETY: condition 1; the index is brought into the page.
    let to = unsafe { to.add(index % (GRANULE_SIZE as usize / 8)) };
    // SAFETY: as above.
    unsafe { to.write_volatile(word) }
}

/// Reads memory that a guest may be writing.
///
/// # Safety
///
/// 1. The bytes from `from` on are mapped RAM, not delegated, and no reference to
///    them exists: memory that a guest has as well.
pub unsafe fn read_shared(from: PhysAddr, to: &mut [u8]) {
    // SAFETY: condition 1; a live reference is disjoint from what has none.
    unsafe { mem::copy(to.as_mut_ptr(), from.raw() as *const u8, to.len()) }
}

/// Writes memory that a guest may be reading or writing.
///
/// # Safety
///
/// 1. As for [`read_shared`], of the bytes from `to` on.
pub unsafe fn write_shared(to: PhysAddr, from: &[u8]) {
    // SAFETY: as for `read_shared`.
    unsafe { mem::copy(to.raw() as *mut u8, from.as_ptr(), from.len()) }
}

/// The same words, for access from any CPU.
pub fn atomic(words: &'static mut [u16]) -> &'static [AtomicU16] {
    let first = words.as_mut_ptr().cast::<AtomicU16>();
    // SAFETY: an atomic has the size and alignment of its integer, and the
    // exclusive reference that the words came by is given up for good.
    unsafe { core::slice::from_raw_parts(first, words.len()) }
}
