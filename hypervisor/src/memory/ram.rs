//! Every byte of RAM has one owner.
//!
//! [`Ram::claim`] takes what the device tree calls RAM, less what is reserved or
//! part of this image. Frames leave it in naturally aligned runs of a power of
//! two, so that what a Realm gets can be folded into blocks, and come back one
//! by one or in runs, merging again.
#![expect(unsafe_code, reason = "frames become memory")]

use core::marker::PhantomData;

use addr::{GRANULE_SIZE, GranuleAddr, PhysAddr, PhysRange};
use buddy_system_allocator::FrameAllocator;
use heapless::Vec;
use platform::MAX_USABLE;
use realm::{Granules, Memory, Undelegated};
use zerocopy::FromBytes;

use super::{heap, phys};

/// Bytes for the frame allocator's lists.
const HEAP_SIZE: u64 = 1 << 20;
/// Runs of up to 2^(ORDERS-1) granules: 1 GiB.
const ORDERS: usize = 19;

/// The free RAM.
pub struct Ram {
    free: FrameAllocator<ORDERS>,
    free_granules: u64,
    claimed: u64,
    /// Frames that the RMM does not track: for the host's own pages.
    host_only: FrameAllocator<ORDERS>,
}

/// No range of RAM is large enough to start with.
#[derive(Debug)]
pub struct NoRoom;

impl core::fmt::Display for NoRoom {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(
            f,
            "no range of free RAM holds {HEAP_SIZE:#x} bytes: give the machine more memory"
        )
    }
}

impl Ram {
    /// Takes all RAM that is usable. Call it once, with that RAM mapped.
    pub fn claim(mut usable: Vec<PhysRange, MAX_USABLE>) -> Result<Self, NoRoom> {
        let claimed = usable.iter().map(|range| range.size()).sum();
        let room = usable
            .iter_mut()
            .rev()
            .find(|range| range.size() >= 2 * HEAP_SIZE)
            .ok_or(NoRoom)?;
        let (rest, heap) = split_top(*room, HEAP_SIZE).ok_or(NoRoom)?;
        *room = rest;
        // SAFETY: 1. usable RAM, taken out of the list; 2. `claim` is called once.
        unsafe { heap::init(heap) };
        let mut ram = Self {
            free: FrameAllocator::new(),
            free_granules: 0,
            claimed,
            host_only: FrameAllocator::new(),
        };
        for range in &usable {
            ram.free.add_frame(
                (range.base().raw() / GRANULE_SIZE) as usize,
                (range.top().raw() / GRANULE_SIZE) as usize,
            );
            ram.free_granules += range.size() / GRANULE_SIZE;
        }
        Ok(ram)
    }

    /// Bytes that are free.
    pub fn free(&self) -> u64 {
        self.free_granules * GRANULE_SIZE
    }

    /// Bytes that are in use, the heap included.
    pub fn in_use(&self) -> u64 {
        self.claimed - self.free()
    }

    /// Takes a naturally aligned run of `count` granules, a power of two.
    pub fn take(&mut self, count: usize) -> Option<GranuleAddr> {
        let run = self.free.alloc(count)?;
        self.free_granules -= count as u64;
        granule(run)
    }

    /// Gives back `count` granules from `base`, in whatever portions they were
    /// taken.
    pub fn give(&mut self, base: GranuleAddr, count: usize) {
        self.free_granules += count as u64;
        for_each_run(base, count, |frame, size| self.free.dealloc(frame, size));
    }

    /// Keeps granules, taken before, that can never belong to a Realm.
    pub fn keep_for_host(&mut self, base: GranuleAddr, count: usize) {
        let first = base.number() as usize;
        self.host_only.add_frame(first, first + count);
    }

    /// A page for the host itself, zeroed.
    pub fn host_page(&mut self) -> Option<GranuleAddr> {
        let page = match self.host_only.alloc(1) {
            Some(frame) => granule(frame),
            None => self.take(1),
        }?;
        // SAFETY: just taken, so the caller's alone.
        unsafe { phys::zero_granule(page) };
        Some(page)
    }

    /// Takes RAM for `count` values of type `T` for good, zeroed.
    pub fn table<T: FromBytes>(&mut self, count: usize) -> Option<&'static mut [T]> {
        let bytes = (count * size_of::<T>()) as u64;
        let granules = bytes.div_ceil(GRANULE_SIZE).max(1) as usize;
        let run = granules.next_power_of_two();
        let base = self.take(run)?;
        if run > granules {
            let rest = base.checked_add(granules as u64)?;
            self.give(rest, run - granules);
        }
        let range = PhysRange::with_size(base.address(), granules as u64 * GRANULE_SIZE).ok()?;
        // SAFETY: just taken and never given back; page aligned.
        let table = unsafe { phys::zeroed::<T>(range) };
        table.get_mut(..count)
    }

    /// Zeroes granules that the caller has taken.
    pub fn zero(&mut self, base: GranuleAddr, count: usize) {
        for n in 0..count as u64 {
            if let Some(page) = base.checked_add(n) {
                // SAFETY: the caller has taken them and not delegated them.
                unsafe { phys::zero_granule(page) };
            }
        }
    }
}

fn granule(frame: usize) -> Option<GranuleAddr> {
    GranuleAddr::from_raw(frame as u64 * GRANULE_SIZE).ok()
}

fn split_top(range: PhysRange, size: u64) -> Option<(PhysRange, PhysRange)> {
    let border = PhysAddr::new(range.top().raw().checked_sub(size)?).align_down(size);
    let rest = PhysRange::new(range.base(), border).ok()?;
    let top = PhysRange::new(border, range.top()).ok()?;
    Some((rest, top))
}

/// Cuts a run into naturally aligned powers of two.
fn for_each_run(base: GranuleAddr, count: usize, mut act: impl FnMut(usize, usize)) {
    let mut frame = base.number() as usize;
    let end = frame + count;
    while frame < end {
        let aligned = 1 << frame.trailing_zeros().min(ORDERS as u32 - 1);
        let fits = 1 << (end - frame).ilog2();
        let size = aligned.min(fits);
        act(frame, size);
        frame += size;
    }
}

impl Memory for Ram {
    fn alloc(&mut self, count: usize) -> Option<Granules<Undelegated>> {
        Granules::from_allocator(self.take(count)?, count)
    }

    fn alloc_zeroed(&mut self, count: usize) -> Option<Granules<Undelegated>> {
        let run = self.alloc(count)?;
        self.zero(run.base(), count);
        Some(run)
    }

    fn free(&mut self, granules: Granules<Undelegated>) {
        self.give(granules.base(), granules.count());
    }

    fn set_aside(&mut self, granules: Granules<Undelegated>) {
        self.keep_for_host(granules.base(), granules.count());
    }

    fn write(&mut self, page: GranuleAddr, bytes: &[u8; GRANULE_SIZE as usize]) {
        // SAFETY: `realm` writes only pages that came out of `alloc` and that it
        // has not delegated.
        unsafe { phys::write_granule(page, bytes) };
    }

    fn put(&mut self, page: GranuleAddr, index: usize, word: u64) {
        // SAFETY: as for `write`.
        unsafe { phys::write_word(page, index, word) };
    }

    fn get(&self, page: GranuleAddr, index: usize) -> u64 {
        // SAFETY: as for `write`.
        unsafe { phys::read_word(page, index) }
    }
}

/// Memory that [`Ram::lend`] gave: values of type `T`.
#[must_use = "memory that is not taken back is lost"]
pub struct Lent<T> {
    base: GranuleAddr,
    granules: usize,
    len: usize,
    values: PhantomData<T>,
}

impl<T> Lent<T> {
    /// The values.
    pub fn get(&mut self) -> &mut [T] {
        let first = self.base.raw() as *mut T;
        // SAFETY: `Ram::lend` wrote `len` values there, in memory that is this
        // value's alone until it is taken back.
        unsafe { core::slice::from_raw_parts_mut(first, self.len) }
    }
}

impl Ram {
    /// Lends RAM for `len` values of type `T` in their default state. They must
    /// need no drop.
    pub fn lend<T: Default>(&mut self, len: usize) -> Option<Lent<T>> {
        const { assert!(!core::mem::needs_drop::<T>()) };
        let bytes = (len * size_of::<T>()) as u64;
        let granules = bytes.div_ceil(GRANULE_SIZE).max(1) as usize;
        let granules = granules.next_power_of_two();
        let base = self.take(granules)?;
        for n in 0..len {
            // SAFETY: within the run just taken, page aligned, the caller's alone.
            let place = unsafe { (base.raw() as *mut T).add(n) };
            // SAFETY: as above.
            unsafe { place.write(T::default()) };
        }
        Some(Lent {
            base,
            granules,
            len,
            values: PhantomData,
        })
    }

    /// Takes memory back.
    pub fn take_back<T>(&mut self, lent: Lent<T>) {
        self.give(lent.base, lent.granules);
    }
}
