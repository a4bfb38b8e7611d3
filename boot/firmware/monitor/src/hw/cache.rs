//! Cache maintenance and barriers.
#![expect(unsafe_code, reason = "maintenance is instructions on raw addresses")]

use arm_sysregs::el0::accessors::read_ctr_el0;
use core::arch::asm;
use core::sync::atomic::AtomicU64;

/// Bytes in the smallest data cache line.
pub fn line_size() -> u64 {
    4 << read_ctr_el0().dminline()
}

/// Cleans and invalidates a range by virtual address to the point of coherency,
/// so that a reader with its MMU off sees what was written.
pub fn clean_invalidate(base: u64, size: u64) {
    let line = line_size();
    let mut address = base & !(line - 1);
    while address < base + size {
        // SAFETY: maintenance to the point of coherency changes no data.
        unsafe { asm!("dc civac, {}", in(reg) address, options(nostack)) }
        address += line;
    }
    // SAFETY: a barrier changes no data.
    unsafe { asm!("dsb sy", options(nostack)) }
}

/// Makes a word visible to a CPU that waits in the pen, and wakes it.
pub fn clean_for_uncached_reader(word: &AtomicU64) {
    clean_invalidate(word.as_ptr() as u64, 8);
    // SAFETY: an event changes no data.
    unsafe { asm!("sev", options(nomem, nostack)) }
}

/// Completes what was stored and refetches what follows.
pub fn synchronize() {
    // SAFETY: barriers change no data.
    unsafe { asm!("dsb sy", "isb", options(nostack)) }
}

/// Makes writes to system registers take effect before what follows.
pub fn isb() {
    // SAFETY: a barrier changes no data.
    unsafe { asm!("isb", options(nostack)) }
}
