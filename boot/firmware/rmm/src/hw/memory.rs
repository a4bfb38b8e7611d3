//! The memory map of the RMM: what is mapped, and the granule table's place.
#![expect(unsafe_code, reason = "raw memory becomes the tables")]

use crate::hw::{console, layout};
use addr::{PhysAddr, PhysRange};
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use rmm_image::manifest::{Manifest, PAGE_SIZE};
use rmm_image::stage1::{Attributes, Builder, MapError, PAGE, Table};
use spin::Once;

/// Translation tables: two views of each bank, at most three partial tables
/// per edge of a range, and the stacks' own.
const TABLES: usize = 128;

struct Tables(UnsafeCell<[Table; TABLES]>);

// SAFETY: written once by `plan`, before any other CPU runs.
unsafe impl Sync for Tables {}

static TABLES_POOL: Tables = Tables(UnsafeCell::new([Table::EMPTY; TABLES]));

/// Bytes in a word of the granule table.
const WORD: u64 = 8;

/// What EL3 said, kept for the rest of the boot.
static MANIFEST: Once<Manifest> = Once::new();
/// End of what the image may use: the carve-out's, or the shared page in it.
static USABLE_END: AtomicU64 = AtomicU64::new(0);
static TABLE_TAKEN: AtomicBool = AtomicBool::new(false);

/// The page shared with EL3, if its address can be one.
pub fn shared_page(address: u64) -> Option<&'static [u8; PAGE_SIZE]> {
    let gib = 1 << 30;
    let same_gib_table = address >> 39 == layout::image_base() >> 39;
    if address == 0 || !address.is_multiple_of(PAGE) || !same_gib_table || address >= u64::MAX - gib
    {
        return None;
    }
    // SAFETY: the coarse map covers the page's GiB; EL3 writes nothing there
    // while the RMM boots.
    Some(unsafe { &*(address as *const [u8; PAGE_SIZE]) })
}

/// Plans the final map from the manifest and returns the root table's address.
///
/// To be called once, by the first CPU, on the coarse map.
pub fn plan(manifest: Manifest, shared_page: u64) -> Result<u64, MapError> {
    let manifest = MANIFEST.call_once(|| manifest);
    let base = layout::image_base();
    let mut end = base + layout::CARVE_OUT;
    if (layout::image_end()..end).contains(&shared_page) {
        end = shared_page;
    }
    USABLE_END.store(end, Ordering::Relaxed);
    let pool = TABLES_POOL.0.get();
    let root = pool as u64;
    // SAFETY: this is the only access, and it happens once.
    let mut map = Builder::new(unsafe { &mut *pool }, root)?;
    map_image(&mut map, end)?;
    for bank in manifest.banks() {
        let (bank_base, bank_end) = (bank.base().raw(), bank.top().raw());
        map_data(&mut map, bank_base, base.clamp(bank_base, bank_end))?;
        map_data(&mut map, end.clamp(bank_base, bank_end), bank_end)?;
        let ns = bank_base + layout::NS_OFFSET;
        map.map(ns, bank_base, bank.size(), Attributes::NonSecure)?;
    }
    if let Some(console) = manifest.console {
        let console = console.raw();
        map.map(console, console, PAGE, Attributes::Device)?;
    }
    Ok(root)
}

fn map_image(map: &mut Builder<'_>, end: u64) -> Result<(), MapError> {
    let base = layout::image_base();
    let (rodata, data) = (layout::rodata_base(), layout::data_base());
    map.map(base, base, rodata - base, Attributes::Code)?;
    map.map(rodata, rodata, data - rodata, Attributes::Constants)?;
    map.map(data, data, end - data, Attributes::Data)?;
    let stacks = &raw const layout::STACKS as u64;
    let size = layout::STACK_SIZE as u64;
    for cpu in 0..layout::MAX_CPUS as u64 {
        let slot = layout::STACK_VA + (cpu << layout::STACK_SLOT_SHIFT);
        map.map(slot + size, stacks + cpu * size, size, Attributes::Data)?;
    }
    Ok(())
}

fn map_data(map: &mut Builder<'_>, base: u64, end: u64) -> Result<(), MapError> {
    if base < end {
        map.map(base, base, end - base, Attributes::Data)?;
    }
    Ok(())
}

/// What EL3 said about the machine.
///
/// # Panics
///
/// Before [`plan`].
pub fn manifest() -> &'static Manifest {
    MANIFEST
        .get()
        .expect("the map is planned before it is used")
}

/// Sends the log to the manifest's console, which is mapped by now.
pub fn attach_console() {
    if let Some(console) = manifest().console {
        // SAFETY: `plan` has mapped it as device memory in the final tables.
        unsafe { console::attach(console.raw()) };
    }
}

/// The memory that EL3 keeps in the Realm world for the RMM, which includes the
/// page they share where that follows the image.
pub fn carve_out() -> Option<PhysRange> {
    PhysRange::with_size(PhysAddr::new(layout::image_base()), layout::CARVE_OUT).ok()
}

/// Granules for which the memory behind the image has words.
pub fn granule_capacity() -> u64 {
    let end = USABLE_END.load(Ordering::Relaxed);
    end.saturating_sub(layout::image_end()) / WORD
}

/// The granule table: that many words of zero behind the image.
///
/// # Panics
///
/// If called twice, or for more than [`granule_capacity`].
pub fn granule_table(granules: u64) -> &'static [AtomicU64] {
    assert!(
        granules <= granule_capacity(),
        "the granule table is too small"
    );
    assert!(
        !TABLE_TAKEN.swap(true, Ordering::Relaxed),
        "the granule table is taken"
    );
    let words = layout::image_end() as *mut AtomicU64;
    // SAFETY: the words lie behind the image and inside the carve-out, which
    // is mapped as data and used by nobody else.
    unsafe { words.write_bytes(0, granules as usize) };
    // SAFETY: the words are initialised, live for ever, and nobody holds a
    // reference to them, because this happens once.
    unsafe { core::slice::from_raw_parts(words, granules as usize) }
}
