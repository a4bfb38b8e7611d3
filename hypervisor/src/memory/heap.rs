//! A small heap, for the free lists of the frame allocator and the results of
//! the VMs.
//!
//! Nothing that a guest does allocates here but through frames being split and
//! merged, and the lists' length is bounded by the number of free runs.
#![expect(unsafe_code, reason = "the global allocator")]

use core::alloc::{GlobalAlloc, Layout};
use core::ptr::{NonNull, null_mut};

use addr::PhysRange;
use buddy_system_allocator::Heap;

use crate::sync::{Mutex, rank};

struct Lists(Mutex<Heap<24>, { rank::HEAP }>);

#[global_allocator]
static HEAP: Lists = Lists(Mutex::new(Heap::empty()));

// SAFETY: blocks come from a buddy allocator behind a lock, which gives out each
// byte once and respects the layout's size and alignment.
unsafe impl GlobalAlloc for Lists {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.0
            .lock()
            .alloc(layout)
            .map_or(null_mut(), NonNull::as_ptr)
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if let Some(block) = NonNull::new(block) {
            // SAFETY: the caller of `GlobalAlloc::dealloc` gives back what
            // `alloc` gave for the same layout.
            unsafe { self.0.lock().dealloc(block, layout) };
        }
    }
}

/// Bytes in use.
pub fn in_use() -> u64 {
    HEAP.0.lock().stats_alloc_actual() as u64
}

/// Gives the heap its memory.
///
/// # Safety
///
/// 1. The range is mapped RAM and the heap's alone for good.
/// 2. This is called once.
pub unsafe fn init(range: PhysRange) {
    // SAFETY: conditions 1 and 2 are those of `Heap::init`.
    unsafe {
        HEAP.0
            .lock()
            .init(range.base().raw() as usize, range.size() as usize);
    }
}

/// Gives the heap more memory.
///
/// # Safety
///
/// 1. The range is mapped RAM and the heap's alone for good.
pub unsafe fn extend(range: PhysRange) {
    // SAFETY: condition 1 is that of `Heap::add_to_heap`.
    unsafe {
        HEAP.0
            .lock()
            .add_to_heap(range.base().raw() as usize, range.top().raw() as usize);
    }
}
