//! How the image comes to life, and the vectors (RMM-EL3 interface, §3).
//!
//! `entry.S` zeroes `.bss`, relocates the image and switches the MMU on with a
//! coarse map; [`early`] plans the real one; then every CPU, the first one
//! included, goes on through [`main`] on its own guarded stack.
#![expect(unsafe_code, reason = "the first instructions are assembly")]

use crate::boot::{self, BootCode};
use crate::hw::layout::{self, MAX_CPUS, STACK_SHIFT, STACK_SIZE, STACK_SLOT_SHIFT, STACK_VA};
use crate::hw::stop;
use crate::hw::sysreg::hcr;
use core::cell::UnsafeCell;
use core::mem::offset_of;
use core::sync::atomic::{AtomicU64, Ordering};
use rmm_image::stage1::{MAIR, NS_OFFSET, Table};

const R_AARCH64_RELATIVE: u64 = 1027;
const EC_DATA_ABORT_SAME_EL: u64 = 0x25;
const EMERGENCY_STACK_SIZE: usize = 8192;

/// `SCTLR_EL2` bits that are RES1 or keep E2H=1 semantics plain (SPAN, EIS, EOS, nTLSMD …).
const SCTLR_OFF: u64 = 1 << 4 | 1 << 5 | 1 << 11 | 1 << 16 | 1 << 18 | 1 << 22 | 1 << 23 | 3 << 28;
/// MMU, caches and stack alignment checks on.
const SCTLR_BOOT: u64 = SCTLR_OFF | 1 | 1 << 2 | 1 << 3 | 1 << 12;
/// And nothing both writable and executable.
const SCTLR_FINAL: u64 = SCTLR_BOOT | 1 << 19;
/// `TCR_EL2` (E2H=1): 48 bits by TTBR0 only, 4 KiB, cacheable walks.
const TCR: u64 = 16 | 1 << 8 | 1 << 10 | 3 << 12 | 16 << 16 | 1 << 23 | 2 << 30;
/// A GiB of Normal write-back memory, inner shareable, accessed, executable.
const BOOT_BLOCK: u64 = 1 | 1 << 2 | 3 << 8 | 1 << 10;

/// What a secondary CPU reads with its MMU off.
#[repr(C)]
struct BootState {
    /// Root of the final tables.
    ttbr: AtomicU64,
    /// Not 0 once the first CPU's boot is over.
    ready: AtomicU64,
}

// In .data, because .bss is garbage when the first CPU reads it.
// SAFETY: the section name is link.ld's for initialised data.
#[unsafe(link_section = ".data.boot_state")]
static BOOT_STATE: BootState = BootState {
    ttbr: AtomicU64::new(0),
    ready: AtomicU64::new(0),
};

/// The coarse map: a root and the table of GiB blocks below it.
#[repr(C)]
struct BootTables(UnsafeCell<[Table; 2]>);

// SAFETY: only the entry code and the table walker touch it.
unsafe impl Sync for BootTables {}

static BOOT_TABLES: BootTables = BootTables(UnsafeCell::new([Table::EMPTY, Table::EMPTY]));

#[repr(C, align(16))]
struct EmergencyStack(UnsafeCell<[u8; EMERGENCY_STACK_SIZE]>);

// SAFETY: Rust never touches it; the fatal path's `sp` does.
unsafe impl Sync for EmergencyStack {}

static EMERGENCY_STACK: EmergencyStack = EmergencyStack(UnsafeCell::new([0; EMERGENCY_STACK_SIZE]));

core::arch::global_asm!(
    include_str!("entry.S"),
    HCR = const hcr::RMM,
    BOOT_STATE = sym BOOT_STATE,
    STATE_TTBR = const offset_of!(BootState, ttbr),
    STATE_READY = const offset_of!(BootState, ready),
    MAX_CPUS = const MAX_CPUS,
    CODE_CPU = const BootCode::CpuId as i64,
    CODE_UNKNOWN = const BootCode::Unknown as i64,
    R_AARCH64_RELATIVE = const R_AARCH64_RELATIVE,
    BOOT_TABLES = sym BOOT_TABLES,
    BOOT_BLOCK = const BOOT_BLOCK,
    SCTLR_BOOT = const SCTLR_BOOT,
    SCTLR_OFF = const SCTLR_OFF,
    SCTLR_FINAL = const SCTLR_FINAL,
    EARLY = sym early,
    MAIN = sym main,
    STACKS = sym layout::STACKS,
    STACK_SIZE = const STACK_SIZE,
    STACK_VA = const STACK_VA,
    STACK_SLOT_SHIFT = const STACK_SLOT_SHIFT,
    MAIR = const MAIR,
    TCR = const TCR,
    BOOT_COMPLETE = const crate::hw::smc::BOOT_COMPLETE,
);

core::arch::global_asm!(
    include_str!("vectors.S"),
    STACK_SHIFT = const STACK_SHIFT,
    EC_DATA_ABORT = const EC_DATA_ABORT_SAME_EL,
    NS_SHIFT = const NS_OFFSET.trailing_zeros(),
    EMERGENCY_STACK = sym EMERGENCY_STACK,
    EMERGENCY_STACK_SIZE = const EMERGENCY_STACK_SIZE,
    FATAL = sym stop::fatal_exception,
);

/// Runs once, on the coarse map; the answer is a boot code.
extern "C" fn early(version: u64, max_cpus: u64, shared_page: u64) -> i64 {
    match boot::prepare(version, max_cpus, shared_page) {
        Ok(root) => {
            BOOT_STATE.ttbr.store(root, Ordering::Relaxed);
            clean_boot_state();
            BootCode::Ok as i64
        }
        Err(code) => code as i64,
    }
}

/// Runs on every CPU on the final map, the first time on the booting one.
extern "C" fn main(cpu: u64) -> ! {
    let first = BOOT_STATE.ready.load(Ordering::Acquire) == 0;
    boot::run_cpu(cpu as usize, first)
}

/// Lets further CPUs in; to be called before the first one's boot completes.
pub fn open_to_secondaries() {
    BOOT_STATE.ready.store(1, Ordering::Release);
    clean_boot_state();
}

/// Writes the boot state through to memory, where MMU-off CPUs look.
fn clean_boot_state() {
    let address = &raw const BOOT_STATE as u64;
    // SAFETY: cleaning a line of mapped memory changes no contents.
    unsafe { core::arch::asm!("dc cvac, {}", "dsb sy", in(reg) address, options(nostack)) };
}
