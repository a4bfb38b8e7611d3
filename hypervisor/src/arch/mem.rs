//! The compiler's memory functions, unrolled, and a copy it cannot see through.
#![expect(unsafe_code, reason = "memcpy, memmove and memset in assembly")]

use core::arch::global_asm;

global_asm!(include_str!("mem.S"));

unsafe extern "C" {
    fn suz_copy(to: *mut u8, from: *const u8, bytes: usize);
}

/// Copies memory that somebody else may be writing. What arrives may be torn,
/// but for 2, 4 or 8 aligned bytes, which move at once; to the compiler it is
/// whatever the copy left there.
///
/// # Safety
///
/// 1. Both ranges are mapped as Normal memory, `to` writable, and do not overlap.
/// 2. No reference to the shared one of them exists.
pub unsafe fn copy(to: *mut u8, from: *const u8, bytes: usize) {
    // SAFETY: conditions 1 and 2; the function reads and writes nothing else.
    unsafe { suz_copy(to, from, bytes) }
}
