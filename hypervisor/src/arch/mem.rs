//! The compiler's memory functions, unrolled.
#![expect(unsafe_code, reason = "memcpy, memmove and memset in assembly")]

use core::arch::global_asm;

global_asm!(include_str!("mem.S"));
