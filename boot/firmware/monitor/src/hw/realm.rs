//! The RMM's image, its memory, and whether it may still be entered.
#![expect(unsafe_code, reason = "flash and the RMM's memory are raw addresses")]

use crate::hw::cache;
use addr::PhysRange;
use core::sync::atomic::{AtomicBool, Ordering};
use monitor_logic::interface::Interface;
use monitor_logic::layout::{
    FLASH_RMM_HEADER, FLASH_RMM_IMAGE, RMM_BASE, RMM_IMAGE_TOP, RMM_SHARED_PAGE, UART_BASE,
};
use monitor_logic::manifest::{self, PAGE_WORDS, TooManyBanks};
use monitor_logic::reserve::{Pool, Refusal};
use monitor_logic::rmm_image::{self, RmmImage, RmmImageError};
use spin::Once;

/// Whether the RMM may be entered: cleared for good by the first failure.
static ALIVE: AtomicBool = AtomicBool::new(false);
/// What the RMM that was loaded is offered.
static INTERFACE: Once<Interface> = Once::new();
/// What the RMM has not asked for of its memory.
static POOL: Once<Pool> = Once::new();

/// Whether the RMM may be entered.
pub fn is_alive() -> bool {
    ALIVE.load(Ordering::Acquire)
}

/// Says that the RMM may be entered, or that it never may be again.
pub fn set_alive(alive: bool) {
    ALIVE.store(alive, Ordering::Release);
}

/// The interface that the RMM is offered.
pub fn interface() -> Interface {
    INTERFACE.get().copied().unwrap_or_default()
}

/// Takes memory for the RMM, as [`Pool::reserve`].
pub fn reserve(bytes: u64, how: u64) -> Result<u64, Refusal> {
    POOL.get().ok_or(Refusal::NoMemory)?.reserve(bytes, how)
}

/// The RMM's image in flash.
pub fn image() -> Result<RmmImage, RmmImageError> {
    // SAFETY: the flash is mapped read-only, and the header is three aligned
    // words that nothing changes.
    let header = unsafe { *(FLASH_RMM_HEADER as *const [u64; 3]) };
    rmm_image::read(header)
}

/// Copies the image to where it runs and writes the boot manifest; both are
/// cleaned to memory, because the RMM starts with its caches off.
pub fn load(image: RmmImage, memory: &[PhysRange]) -> Result<(), TooManyBanks> {
    let size = image.size;
    // SAFETY: `size` bytes of image lie in mapped flash (`rmm_image::read`), and
    // as many at RMM_BASE are mapped, writable and used by nobody yet; the two
    // do not overlap.
    unsafe {
        core::ptr::copy_nonoverlapping(
            FLASH_RMM_IMAGE as *const u8,
            RMM_BASE as *mut u8,
            size as usize,
        )
    }
    cache::clean_invalidate(RMM_BASE, size);
    let mut words = [0; PAGE_WORDS];
    manifest::encode(
        &mut words,
        RMM_SHARED_PAGE,
        memory,
        UART_BASE,
        image.interface,
    )?;
    // SAFETY: the page is mapped, writable, aligned and used by nobody yet.
    unsafe { (RMM_SHARED_PAGE as *mut [u64; PAGE_WORDS]).write(words) }
    cache::clean_invalidate(RMM_SHARED_PAGE, 4096);
    let floor = RMM_IMAGE_TOP.max(RMM_BASE + size);
    POOL.call_once(|| Pool::new(floor, RMM_SHARED_PAGE));
    INTERFACE.call_once(|| image.interface);
    Ok(())
}
