//! Physical memory: the only place where addresses become pointers.
//!
//! Realm memory is reached by the identity view, Non-secure memory by the view
//! [`NS_OFFSET`] above it. The latter may stop being Non-secure at any moment;
//! the copy routine then returns with a fault instead of stopping the RMM, and
//! nothing here makes a reference to it.
#![expect(unsafe_code, reason = "granules are raw memory")]

use crate::hw::layout::NS_OFFSET;
use crate::hw::sysreg::{dsb_ish, isb, read};
use addr::GranuleAddr;
use core::ops::{Deref, DerefMut};
use core::sync::atomic::{AtomicU64, Ordering};
use rmm_core::{NsFault, PAGE_SIZE, PageBytes};

const PAGE: u64 = PAGE_SIZE as u64;
const ENTRIES: usize = PAGE_SIZE / 8;
const CTR_IDC: u64 = 1 << 28;
const CTR_DIC: u64 = 1 << 29;

core::arch::global_asm!(include_str!("mem.S"));

unsafe extern "C" {
    /// Copies `len` bytes, a multiple of 8; 1 if a Non-secure side faulted.
    fn rmm_ns_copy(to: u64, from: u64, len: usize) -> u64;
}

/// Exclusive access to a granule of the Realm world.
pub struct Page<'a>(&'a mut PageBytes);

impl Deref for Page<'_> {
    type Target = PageBytes;

    fn deref(&self) -> &PageBytes {
        self.0
    }
}

impl DerefMut for Page<'_> {
    fn deref_mut(&mut self) -> &mut PageBytes {
        self.0
    }
}

/// The bytes of a granule; `rmm_core::hal` says who may ask.
pub fn page<'a>(granule: GranuleAddr) -> Page<'a> {
    let bytes = granule.raw() as *mut PageBytes;
    // SAFETY: the core asks only for granules of its table, which covers mapped
    // memory outside the image, and only for one it holds exclusively.
    Page(unsafe { &mut *bytes })
}

/// Fills a granule with zeroes; same rule as [`page`].
pub fn zero(granule: GranuleAddr) {
    let (base, end) = (granule.raw(), granule.raw() + PAGE);
    let dczid = read!("dczid_el0");
    if dczid & 0x10 != 0 {
        *page(granule) = PageBytes([0; PAGE_SIZE]);
        return;
    }
    let step = 4 << (dczid & 0xf);
    let mut address = base;
    while address < end {
        // SAFETY: the block lies in a granule that the caller holds
        // exclusively; 4 KiB is a multiple of the block size.
        unsafe { core::arch::asm!("dc zva, {}", in(reg) address, options(nostack)) };
        address += step;
    }
}

/// Copies a Non-secure granule into a Realm one, and makes it fit to execute.
pub fn copy_from_ns(to: GranuleAddr, from: GranuleAddr) -> Result<(), NsFault> {
    // SAFETY: the destination is a whole granule the caller holds exclusively;
    // the source is only read, and may fault.
    let fault = unsafe { rmm_ns_copy(to.raw(), from.raw() + NS_OFFSET, PAGE_SIZE) };
    sync_instructions(to);
    check(fault)
}

/// Reads Non-secure memory within one granule.
pub fn ns_read(from: GranuleAddr, offset: usize, to: &mut [u8]) -> Result<(), NsFault> {
    check_span(offset, to.len());
    let source = from.raw() + NS_OFFSET + offset as u64;
    // SAFETY: the span is whole words within one granule; the destination is a
    // unique reference of that length.
    check(unsafe { rmm_ns_copy(to.as_mut_ptr() as u64, source, to.len()) })
}

/// Writes Non-secure memory within one granule.
pub fn ns_write(to: GranuleAddr, offset: usize, from: &[u8]) -> Result<(), NsFault> {
    check_span(offset, from.len());
    let target = to.raw() + NS_OFFSET + offset as u64;
    // SAFETY: the span is whole words within one granule of memory that Rust
    // knows nothing of; the source is a reference of that length.
    check(unsafe { rmm_ns_copy(target, from.as_ptr() as u64, from.len()) })
}

/// Reads a translation table entry.
pub fn rtte_read(table: GranuleAddr, index: usize) -> u64 {
    entry(table, index).load(Ordering::Acquire)
}

/// Writes a translation table entry in one piece.
pub fn rtte_write(table: GranuleAddr, index: usize, value: u64) {
    entry(table, index).store(value, Ordering::Release);
    crate::hw::sysreg::dsb_ishst();
}

fn entry<'a>(table: GranuleAddr, index: usize) -> &'a AtomicU64 {
    assert!(index < ENTRIES, "a table has {ENTRIES} entries");
    let entry = (table.raw() + index as u64 * 8) as *mut u64;
    // SAFETY: the entry lies in a granule that the core knows as a table; it is
    // 8-byte aligned, and table walkers only read it (no hardware updates).
    unsafe { AtomicU64::from_ptr(entry) }
}

fn check_span(offset: usize, len: usize) {
    let fits = offset.checked_add(len).is_some_and(|end| end <= PAGE_SIZE);
    assert!(
        fits && (offset | len).is_multiple_of(8),
        "Non-secure access {offset:#x}+{len:#x} is not whole words of one granule"
    );
}

fn check(fault: u64) -> Result<(), NsFault> {
    match fault {
        0 => Ok(()),
        _ => Err(NsFault),
    }
}

/// Makes what was stored in a granule visible to instruction fetches.
fn sync_instructions(granule: GranuleAddr) {
    let ctr = read!("ctr_el0");
    if ctr & CTR_IDC == 0 {
        let line = 4 << (ctr >> 16 & 0xf);
        for address in (granule.raw()..granule.raw() + PAGE).step_by(line) {
            // SAFETY: cleaning a line of mapped memory changes no contents.
            unsafe { core::arch::asm!("dc cvau, {}", in(reg) address, options(nostack)) };
        }
    }
    dsb_ish();
    if ctr & CTR_DIC == 0 {
        // SAFETY: forgetting cached instructions is always allowed.
        unsafe { core::arch::asm!("ic ialluis", options(nostack)) };
        dsb_ish();
    }
    isb();
}
