//! Constants of the early map and of the registers that turn it on
//! (DDI0487, D8 and D24), and the assembly that uses them.
#![expect(unsafe_code, reason = "the assembly of the entry path")]

use core::arch::global_asm;
use core::mem::offset_of;

use crate::boot::{BUNDLE_MAGIC, SecondaryBoot};

/// Index of Device-nGnRE in `MAIR_EL2`.
pub const MAIR_DEVICE: usize = 0;
/// Index of Normal write-back memory in `MAIR_EL2`.
pub const MAIR_NORMAL: usize = 1;

const MAIR: u64 = 0x04 << (8 * MAIR_DEVICE) | 0xff << (8 * MAIR_NORMAL);

/// Image header flags: little endian, 4 KiB pages, anywhere in memory.
const HEADER_FLAGS: u64 = 1 << 1 | 1 << 3;
const BLOCK_SIZE: u64 = 2 << 20;

const HCR_E2H: u64 = 1 << 34;
/// `RW`, `AMO`, `IMO`, `FMO`: EL1 is AArch64, and with TGE clear it takes the
/// three routing bits for EL2 to see its own interrupts.
const HCR_BASE: u64 = 1 << 31 | 1 << 5 | 1 << 4 | 1 << 3;
/// Without E2H: RES1 bits, and TFP and TZ trap.
const CPTR_NVHE: u64 = 0x37ff;
/// `EL1PCTEN` and `EL1PTEN`, whose places E2H moves.
const CNTHCTL_VHE: u64 = 1 << 10 | 1 << 11;
const CNTHCTL_NVHE: u64 = 1 << 0 | 1 << 1;

/// RES1 bits, `M`, `C`, `SA`, `I` and `WXN`.
const SCTLR: u64 = 0x30c5_0830 | 1 << 0 | 1 << 2 | 1 << 3 | 1 << 12 | 1 << 19;
/// 48-bit addresses, 4 KiB pages, walks in inner-shareable write-back memory.
const TCR_COMMON: u64 = 16 | 1 << 8 | 1 << 10 | 3 << 12;
/// Plus `T1SZ`, `TG1` and `EPD1`: nothing is mapped in the upper half.
const TCR_VHE: u64 = TCR_COMMON | 16 << 16 | 1 << 23 | 2 << 30;
/// Plus the RES1 bits.
const TCR_NVHE: u64 = TCR_COMMON | 1 << 23 | 1 << 31;

const R_RELATIVE: u64 = 1027;
const TABLE_DESC: u64 = 3;
/// Valid, Normal memory, inner shareable, accessed. Not global, so that no entry
/// of the early map (ASID 0) meets one of the final map (ASID 1) in a TLB.
const LEAF: u64 = 1 | (MAIR_NORMAL as u64) << 2 | 3 << 8 | 1 << 10 | 1 << 11;
const PAGE: u64 = LEAF | 2;
const READ_ONLY: u64 = 1 << 7;
const NO_EXECUTE: u64 = 1 << 53 | 1 << 54;

global_asm!(
    include_str!("entry.S"),
    HEADER_FLAGS = const HEADER_FLAGS,
    BUNDLE_MAGIC = const BUNDLE_MAGIC,
    BLOCK_SIZE = const BLOCK_SIZE,
    HCR_E2H = const HCR_E2H,
    HCR_BASE = const HCR_BASE,
    CPTR_NVHE = const CPTR_NVHE,
    CNTHCTL_VHE = const CNTHCTL_VHE,
    CNTHCTL_NVHE = const CNTHCTL_NVHE,
    SCTLR = const SCTLR,
    TCR_VHE = const TCR_VHE,
    TCR_NVHE = const TCR_NVHE,
    MAIR = const MAIR,
    R_RELATIVE = const R_RELATIVE,
    TABLE_DESC = const TABLE_DESC,
    TABLES_SIZE = const 7 * 0x1000,
    PAGE_TEXT = const PAGE | READ_ONLY,
    PAGE_RODATA = const PAGE | READ_ONLY | NO_EXECUTE,
    PAGE_DATA = const PAGE | NO_EXECUTE,
    BLOCK_RODATA = const LEAF | READ_ONLY | NO_EXECUTE,
    SECONDARY_TTBR = const offset_of!(SecondaryBoot, ttbr),
    SECONDARY_STACK = const offset_of!(SecondaryBoot, stack_top),
    SECONDARY_CPU = const offset_of!(SecondaryBoot, cpu),
);
