//! Granule protection checks: the tables in SRAM, the registers, maintenance.
#![expect(
    unsafe_code,
    reason = "tables are raw SRAM, maintenance is instructions on physical addresses"
)]

use crate::hw::cache;
use addr::{GRANULE_SIZE, GranuleAddr, Pas, PhysAddr, PhysRange};
use arm_sysregs::el3::accessors::{read_gpccr_el3, write_gpccr_el3, write_gptbr_el3};
use arm_sysregs::el3::registers::{GpccrEl3, GptbrEl3};
use core::arch::asm;
use core::sync::atomic::AtomicU64;
use gpt::{Geometry, Gpi, Maintenance, PlanError, Tables};
use monitor_logic::layout::{
    self, GPT_L0_BASE, GPT_L0_SIZE, GPT_L1_BASE, GPT_L1_SIZE, PROTECTED_TOP,
};
use spin::{Mutex, Once};

static TABLES: Once<Tables<'static>> = Once::new();

/// Taken around every change of the tables and its maintenance. Each change is
/// atomic by itself; with the lock, no CPU ever sees a neighbour between two
/// states while it flushes, and the broadcasts of two CPUs do not mix. A leaf:
/// nothing else is taken under it.
pub static CHANGES: Mutex<()> = Mutex::new(());

const GEOMETRY: Geometry = match Geometry::covering(PhysAddr::new(PROTECTED_TOP)) {
    Some(geometry) => geometry,
    None => panic!("the protected space is one the architecture knows"),
};
const _: () = assert!(GEOMETRY.l0_entries * 8 <= GPT_L0_SIZE as usize);

/// The tables, once built.
pub fn tables() -> Option<&'static Tables<'static>> {
    TABLES.get()
}

/// Whether the CPU's level-0 entries cover 1 GiB, which the tables assume.
pub fn is_geometry_served() -> bool {
    read_gpccr_el3().l0gptsz() == 0
}

/// Builds the tables: the boot CPU, once, before any CPU enables checks.
pub fn build(memory: &[PhysRange], rmm: Option<PhysRange>) -> Result<(), PlanError> {
    let regions = layout::protection(memory, rmm);
    TABLES
        .try_call_once(|| {
            // SAFETY: this SRAM is set aside for the level-0 table, mapped as
            // memory, aligned, and reached through these atomics only (and by
            // the hardware walker); the closure runs once.
            let l0 = unsafe {
                core::slice::from_raw_parts(GPT_L0_BASE as *const AtomicU64, GEOMETRY.l0_entries)
            };
            // SAFETY: the same for the level-1 tables' SRAM.
            let l1 = unsafe {
                core::slice::from_raw_parts(
                    GPT_L1_BASE as *const AtomicU64,
                    GPT_L1_SIZE as usize / size_of::<AtomicU64>(),
                )
            };
            Tables::build(l0, l1, PhysAddr::new(GPT_L1_BASE), Gpi::Any, &regions)
        })
        .map(|_| ())
}

/// Enables checks on this CPU (RMM-EL3 interface, §7, for the order).
pub fn enable() {
    let walks = 1 << GpccrEl3::IRGN_SHIFT | 1 << GpccrEl3::ORGN_SHIFT | 3 << GpccrEl3::SH_SHIFT;
    let configured = GpccrEl3::from_bits_retain(GEOMETRY.pps | walks);
    cache::synchronize();
    // SAFETY: the tables at GPT_L0_BASE are built and stay in place.
    unsafe { write_gptbr_el3(GptbrEl3::from_bits_retain(GPT_L0_BASE >> 12)) }
    // SAFETY: checks are still off.
    unsafe { write_gpccr_el3(configured) }
    cache::isb();
    invalidate_all();
    // SAFETY: every mapping of the monitor names the address space that the
    // tables give its memory to.
    unsafe { write_gpccr_el3(configured | GpccrEl3::GPC) }
    cache::isb();
    invalidate_all();
}

fn invalidate_all() {
    // SAFETY: TLBI PAALLOS and barriers change no data.
    unsafe { asm!("sys #6, c8, c1, #4", "dsb sy", "isb", options(nostack)) }
}

/// The CPU's maintenance around a granule's transition.
pub struct Machine {
    /// Whether allocation tags must be flushed with the data (`FEAT_MTE2`).
    pub tags: bool,
}

const PAS_NS: u64 = 1 << 63;
const PAS_NSE: u64 = 1 << 62;

impl Maintenance for Machine {
    fn flush(&self, granule: GranuleAddr, pas: Pas) {
        let space = match pas {
            Pas::Secure => 0,
            Pas::Root => PAS_NSE,
            Pas::NonSecure => PAS_NS,
            Pas::Realm => PAS_NS | PAS_NSE,
        };
        let line = cache::line_size();
        let first = granule.raw() | space;
        let end = first + GRANULE_SIZE;
        if self.tags {
            // SAFETY: DC CIGDPAPA writes back; it changes no data.
            unsafe {
                asm!(
                    "2: sys #6, c7, c14, #5, {0}",
                    "add {0}, {0}, {1}",
                    "cmp {0}, {2}",
                    "b.lo 2b",
                    "dsb osh",
                    inout(reg) first => _, in(reg) line, in(reg) end,
                    options(nostack)
                )
            }
        } else {
            // SAFETY: DC CIPAPA writes back; it changes no data.
            unsafe {
                asm!(
                    "2: sys #6, c7, c14, #1, {0}",
                    "add {0}, {0}, {1}",
                    "cmp {0}, {2}",
                    "b.lo 2b",
                    "dsb osh",
                    inout(reg) first => _, in(reg) line, in(reg) end,
                    options(nostack)
                )
            }
        }
    }

    fn publish(&self, granule: GranuleAddr) {
        // The size field of TLBI RPALOS is 0 for 4 KiB.
        let target = granule.number();
        // SAFETY: TLBI RPALOS and barriers change no data.
        unsafe {
            asm!(
                "dsb oshst",
                "sys #6, c8, c4, #7, {}",
                "dsb osh",
                "isb",
                in(reg) target,
                options(nostack)
            )
        }
    }
}
