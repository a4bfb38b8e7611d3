//! Every byte of RAM has one owner.
//!
//! [`Ram::claim`] takes what the device tree calls RAM, less what is reserved or
//! part of this image. Frames leave it in naturally aligned runs of a power of
//! two, so that what a Realm gets can be folded into blocks, and come back one
//! by one or in runs, merging again.
#![expect(unsafe_code, reason = "frames become memory")]

use addr::{GRANULE_SIZE, GranuleAddr, PhysAddr, PhysRange};
use buddy_system_allocator::FrameAllocator;
use platform::{Platform, PlatformError};
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
    total_granules: u64,
    /// Frames that the RMM does not track: for the host's own pages.
    host_only: FrameAllocator<ORDERS>,
}

/// Why there is no RAM to work with.
#[derive(Debug)]
pub enum ClaimError {
    /// The device tree says too much.
    Platform(PlatformError),
    /// No range is large enough to start with.
    NoRoom,
}

impl core::fmt::Display for ClaimError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Platform(error) => error.fmt(f),
            Self::NoRoom => write!(
                f,
                "no range of free RAM holds {HEAP_SIZE:#x} bytes: give the machine more memory"
            ),
        }
    }
}

impl Ram {
    /// Takes all RAM of `platform` but `taken`. Call it once, with the RAM
    /// mapped.
    pub fn claim(platform: &Platform, taken: &[PhysRange]) -> Result<Self, ClaimError> {
        let mut usable = platform.usable_ram(taken).map_err(ClaimError::Platform)?;
        let room = usable
            .iter_mut()
            .rev()
            .find(|range| range.size() > HEAP_SIZE)
            .ok_or(ClaimError::NoRoom)?;
        let (rest, heap) = split_top(*room, HEAP_SIZE).ok_or(ClaimError::NoRoom)?;
        *room = rest;
        // SAFETY: 1. usable RAM, taken out of the list; 2. `claim` is called once.
        unsafe { heap::init(heap) };
        let mut ram = Self {
            free: FrameAllocator::new(),
            free_granules: 0,
            total_granules: 0,
            host_only: FrameAllocator::new(),
        };
        for range in &usable {
            ram.free.add_frame(
                (range.base().raw() / GRANULE_SIZE) as usize,
                (range.top().raw() / GRANULE_SIZE) as usize,
            );
            ram.total_granules += range.size() / GRANULE_SIZE;
        }
        ram.free_granules = ram.total_granules;
        Ok(ram)
    }

    /// Bytes that were free when this was claimed.
    pub fn total(&self) -> u64 {
        self.total_granules * GRANULE_SIZE
    }

    /// Bytes that are free.
    pub fn free(&self) -> u64 {
        self.free_granules * GRANULE_SIZE
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
