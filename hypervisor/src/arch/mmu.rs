//! The hypervisor's own translation tables (EL2 stage 1).
//!
//! An identity map: RAM readable and writable, the image by its parts, devices
//! as devices. No page is writable and executable, and `SCTLR_EL2.WXN` holds
//! even a mistake here to that. The map only ever grows, so that no entry in
//! use changes and no TLB maintenance is needed after [`Map::activate`].
#![expect(unsafe_code, reason = "page table memory and TTBR0_EL2")]

use core::arch::asm;
use core::cell::UnsafeCell;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicUsize, Ordering};

use super::cpu;
use aarch64_paging::MapError;
use aarch64_paging::descriptor::{El1Attributes, PhysicalAddress};
use aarch64_paging::paging::{
    Constraints, El2And0, MemoryRegion, PageTable, RootTable, Translation, VaRange,
};
use addr::{GRANULE_SIZE, PhysRange};
use entry::{BootInfo, MAIR_DEVICE, MAIR_NORMAL, MAX_CPUS, stack_guard};

/// Tables there are memory for. RAM goes by blocks, so that each contiguous
/// stretch costs at most two L2 and two L3 tables at its ragged ends.
const TABLES: usize = 48;
/// ASID of this map; the early map has 0. Without E2H there are none.
const ASID: u64 = 1;

#[repr(C, align(4096))]
struct Pool(UnsafeCell<[PageTable<El1Attributes>; TABLES]>);

// SAFETY: `Tables::allocate_table` hands out each table once, to the one `Map`.
unsafe impl Sync for Pool {}

static POOL: Pool = Pool(UnsafeCell::new([PageTable::EMPTY; TABLES]));
static USED: AtomicUsize = AtomicUsize::new(0);

struct Tables;

impl Translation<El1Attributes> for Tables {
    fn allocate_table(&mut self) -> (NonNull<PageTable<El1Attributes>>, PhysicalAddress) {
        let index = USED.fetch_add(1, Ordering::Relaxed);
        assert!(
            index < TABLES,
            "out of memory for the hypervisor's own translation tables: raise TABLES in arch/mmu.rs"
        );
        let first = POOL.0.get().cast::<PageTable<El1Attributes>>();
        // SAFETY: `index` is within the pool.
        let table = unsafe { first.add(index) };
        // SAFETY: derived from a static's address.
        let table = unsafe { NonNull::new_unchecked(table) };
        (table, PhysicalAddress(table.as_ptr() as usize))
    }

    unsafe fn deallocate_table(&mut self, table: NonNull<PageTable<El1Attributes>>) {
        // The map only grows; a table is never given back.
        panic!("translation table {table:?} freed");
    }

    fn physical_to_virtual(&self, pa: PhysicalAddress) -> NonNull<PageTable<El1Attributes>> {
        let table = pa.0 as *mut PageTable<El1Attributes>;
        NonNull::new(table).unwrap_or_else(|| panic!("translation table at address zero"))
    }
}

/// What a page may be used for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Use {
    /// Code.
    Text,
    /// Constants, the device tree, the bundle.
    ReadOnly,
    /// RAM.
    Memory,
    /// Registers of a device.
    Device,
}

impl Use {
    fn attributes(self) -> El1Attributes {
        // With one privilege level (no E2H) the place of UXN is XN, which code
        // must not have and everything else must.
        let unprivileged = match (cpu::has_e2h(), self) {
            (false, Self::Text) => El1Attributes::empty(),
            _ => El1Attributes::UXN,
        };
        let base = El1Attributes::VALID | El1Attributes::ACCESSED | unprivileged;
        let normal = base
            | El1Attributes::from_bits_retain(MAIR_NORMAL << 2)
            | El1Attributes::INNER_SHAREABLE;
        match self {
            Self::Text => normal | El1Attributes::READ_ONLY,
            Self::ReadOnly => normal | El1Attributes::READ_ONLY | El1Attributes::PXN,
            Self::Memory => normal | El1Attributes::PXN,
            Self::Device => {
                base | El1Attributes::from_bits_retain(MAIR_DEVICE << 2) | El1Attributes::PXN
            }
        }
    }
}

/// The map.
pub struct Map {
    root: RootTable<El2And0, Tables>,
}

impl Map {
    /// A map of the image, its bundle and `fdt_size` bytes of device tree: what
    /// is needed to find out about everything else.
    pub fn new(boot: &BootInfo, fdt: PhysRange) -> Result<Self, MapError> {
        let mut map = Self {
            root: RootTable::with_va_range(Tables, 0, El2And0, VaRange::Lower),
        };
        map.add(boot.image.text, Use::Text)?;
        map.add(boot.image.rodata, Use::ReadOnly)?;
        map.add_image_data(boot.image.data)?;
        map.add(fdt, Use::ReadOnly)?;
        if let Some(bundle) = boot.bundle {
            map.add(bundle, Use::ReadOnly)?;
        }
        Ok(map)
    }

    /// Maps a range that nothing is mapped in, outwards to whole pages.
    pub fn add(&mut self, range: PhysRange, for_use: Use) -> Result<(), MapError> {
        let base = range.base().align_down(GRANULE_SIZE).raw() as usize;
        let top = range
            .top()
            .align_up(GRANULE_SIZE)
            .unwrap_or(range.top())
            .raw() as usize;
        self.root.map_range(
            &MemoryRegion::new(base, top),
            PhysicalAddress(base),
            for_use.attributes(),
            Constraints::NO_CONTIGUOUS_HINT,
        )?;
        // SAFETY: only orders the new entries, which were invalid before, with
        // the accesses that will use them.
        unsafe { asm!("dsb ishst", "isb", options(nostack)) };
        Ok(())
    }

    /// Maps the writable part of the image without the guards below the stacks.
    fn add_image_data(&mut self, data: PhysRange) -> Result<(), MapError> {
        let mut base = data.base();
        for cpu in 0..MAX_CPUS {
            let guard = stack_guard(cpu);
            if let Ok(part) = PhysRange::new(base, guard.base()) {
                self.add(part, Use::Memory)?;
            }
            base = guard.top();
        }
        match PhysRange::new(base, data.top()) {
            Ok(rest) => self.add(rest, Use::Memory),
            Err(_) => Ok(()),
        }
    }

    /// `TTBR0_EL2` for this map.
    pub fn ttbr(&self) -> u64 {
        let asid = if cpu::has_e2h() { ASID << 48 } else { 0 };
        self.root.to_physical().0 as u64 | asid
    }

    /// Replaces the early map by this one.
    pub fn activate(&self) {
        let ttbr = self.ttbr();
        // SAFETY: this map holds the image, its stack and the device tree at the
        // same addresses and with the same permissions as the early one; the
        // early map's entries have another ASID and go with the invalidation.
        unsafe {
            asm!(
                "dsb ishst",
                "msr ttbr0_el2, {ttbr}",
                "isb",
                "tlbi alle2",
                "dsb ish",
                "isb",
                ttbr = in(reg) ttbr,
                options(nostack),
            );
        }
    }
}
