//! The memory map of the RMM: what is mapped, and the granule table's place.
#![expect(unsafe_code, reason = "raw memory becomes the tables")]

use crate::hw::{console, layout};
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicU64, Ordering};
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

/// What EL3 said, kept for the rest of the boot.
static MANIFEST: Once<Manifest> = Once::new();
/// End of the memory set aside for the RMM.
static CARVE_OUT_END: AtomicU64 = AtomicU64::new(0);

/// The page shared with EL3, if its address can be one.
pub fn shared_page(address: u64) -> Option<&'static [u8; PAGE_SIZE]> {
    let gib = 1 << 30;
    let same_gib_table = address >> 39 == layout::image_base() >> 39;
    if address == 0 || address % PAGE != 0 || !same_gib_table || address >= u64::MAX - gib {
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
    CARVE_OUT_END.store(end, Ordering::Relaxed);
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

/// End of the memory set aside for the RMM.
pub fn carve_out_end() -> u64 {
    CARVE_OUT_END.load(Ordering::Relaxed)
}
