//! Every byte of RAM has one owner.
//!
//! [`Ram::claim`] takes what the device tree calls RAM, less what is reserved or
//! part of this image. Frames leave it in naturally aligned runs of a power of
//! two, so that what a Realm gets can be folded into blocks, and come back one
//! by one or in runs, merging again.
#![expect(unsafe_code, reason = "frames become memory")]

use addr::{GRANULE_SIZE, GranuleAddr, PhysAddr, PhysRange};
use buddy_system_allocator::FrameAllocator;
use heapless::Vec;
use platform::MAX_USABLE;
use realm::{Granules, Memory, Undelegated};
use report::summary::Memory as Usage;
use zerocopy::FromBytes;

use super::{heap, phys};
use crate::sync::{Mutex, rank};

/// Bytes of the heap at first, for the frame allocator's lists.
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

    /// Bytes of the largest run that can be taken.
    pub fn largest(&mut self) -> u64 {
        // The allocator cannot be asked, but taking a run and giving it back at once
        // changes nothing.
        let sizes = (0..ORDERS).rev().map(|order| 1_usize << order);
        for count in sizes {
            if let Some(run) = self.take(count) {
                self.give(run, count);
                return count as u64 * GRANULE_SIZE;
            }
        }
        0
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
        let bytes = count * size_of::<T>();
        let base = self.take_bytes(bytes)?;
        let size = (bytes as u64)
            .next_multiple_of(GRANULE_SIZE)
            .max(GRANULE_SIZE);
        let range = PhysRange::with_size(base.address(), size).ok()?;
        // SAFETY: just taken and never given back; page aligned.
        let table = unsafe { phys::zeroed::<T>(range) };
        table.get_mut(..count)
    }

    /// Takes RAM for `len` values of type `T` for good, in their default state.
    /// They are never dropped.
    pub fn keep<T: Default>(&mut self, len: usize) -> Option<&'static mut [T]> {
        let base = self.take_bytes(len * size_of::<T>())?;
        let first = base.raw() as *mut T;
        for n in 0..len {
            // SAFETY: within the run just taken, page aligned, the caller's alone.
            let place = unsafe { first.add(n) };
            // SAFETY: as above.
            unsafe { place.write(T::default()) };
        }
        // SAFETY: `len` values were written there, in memory that is never given
        // back.
        Some(unsafe { core::slice::from_raw_parts_mut(first, len) })
    }

    /// Gives the heap at least `bytes` more, for good.
    pub fn extend_heap(&mut self, bytes: usize) -> Option<()> {
        let base = self.take_bytes(bytes)?;
        let size = (bytes as u64).next_multiple_of(GRANULE_SIZE);
        let range = PhysRange::with_size(base.address(), size).ok()?;
        // SAFETY: 1. just taken and never given back.
        unsafe { heap::extend(range) };
        Some(())
    }

    /// Takes as many granules as hold `bytes`.
    fn take_bytes(&mut self, bytes: usize) -> Option<GranuleAddr> {
        let granules = bytes.div_ceil(GRANULE_SIZE as usize).max(1);
        let run = granules.next_power_of_two();
        let base = self.take(run)?;
        if run > granules {
            self.give(base.checked_add(granules as u64)?, run - granules);
        }
        Some(base)
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
        zero(&run);
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

/// Zeroes granules that were just taken.
fn zero(run: &Granules<Undelegated>) {
    for page in (0..run.count()).filter_map(|n| run.get(n)) {
        // SAFETY: an undelegated run is its holder's alone.
        unsafe { phys::zero_granule(page) };
    }
}

static RAM: Mutex<Option<Ram>, { rank::RAM }> = Mutex::new(None);

/// The machine's RAM, shared by all CPUs: each call takes the lock for itself,
/// and contents are written without it.
#[derive(Clone, Copy, Debug)]
pub struct SharedRam(());

impl SharedRam {
    /// Shares `ram`.
    pub fn new(ram: Ram) -> Self {
        *RAM.lock() = Some(ram);
        Self(())
    }

    /// What is in use.
    pub fn usage(self) -> Usage {
        Usage {
            ram: self.with(|ram| ram.in_use()).unwrap_or_default(),
            heap: heap::in_use(),
        }
    }

    /// Acts on the free frames, which no other CPU does meanwhile.
    pub fn with<R>(self, act: impl FnOnce(&mut Ram) -> R) -> Option<R> {
        RAM.lock().as_mut().map(act)
    }
}

impl Memory for SharedRam {
    fn alloc(&mut self, count: usize) -> Option<Granules<Undelegated>> {
        self.with(|ram| ram.alloc(count))?
    }

    fn alloc_zeroed(&mut self, count: usize) -> Option<Granules<Undelegated>> {
        let run = self.alloc(count)?;
        zero(&run);
        Some(run)
    }

    fn free(&mut self, granules: Granules<Undelegated>) {
        self.with(|ram| ram.free(granules));
    }

    fn set_aside(&mut self, granules: Granules<Undelegated>) {
        self.with(|ram| ram.set_aside(granules));
    }

    fn write(&mut self, page: GranuleAddr, bytes: &[u8; GRANULE_SIZE as usize]) {
        // SAFETY: as for `Ram`.
        unsafe { phys::write_granule(page, bytes) };
    }

    fn put(&mut self, page: GranuleAddr, index: usize, word: u64) {
        // SAFETY: as for `Ram`.
        unsafe { phys::write_word(page, index, word) };
    }

    fn get(&self, page: GranuleAddr, index: usize) -> u64 {
        // SAFETY: as for `Ram`.
        unsafe { phys::read_word(page, index) }
    }
}
