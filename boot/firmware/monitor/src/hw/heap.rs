//! Memory for the device-tree edit: handed out once, never taken back.
#![expect(unsafe_code, reason = "a global allocator hands out raw memory")]

use core::alloc::{GlobalAlloc, Layout};
use core::sync::atomic::{AtomicUsize, Ordering};
use monitor_logic::layout::{HEAP_BASE, HEAP_SIZE};

struct Bump {
    used: AtomicUsize,
}

#[global_allocator]
static HEAP: Bump = Bump {
    used: AtomicUsize::new(0),
};

// SAFETY: `used` only grows, so no two allocations overlap; each lies inside the
// heap's SRAM, which the monitor's tables map as memory and nothing else uses.
unsafe impl GlobalAlloc for Bump {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let mut start = 0;
        let fits = self
            .used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                start = used.checked_next_multiple_of(layout.align())?;
                let end = start.checked_add(layout.size())?;
                (end <= HEAP_SIZE as usize).then_some(end)
            });
        match fits {
            Ok(_) => (HEAP_BASE as usize + start) as *mut u8,
            Err(_) => core::ptr::null_mut(),
        }
    }

    unsafe fn dealloc(&self, _memory: *mut u8, _layout: Layout) {}
}
