//! Stage 1: 1 GiB blocks, one to one, for the 8 GiB a 33-bit IPA space has.
//!
//! Private half: devices have no business there, RAM starts at 1 GiB.
//! Unprotected half: the same places again, never executable. One block past
//! it lets a payload touch what lies outside its address space.

const VALID_BLOCK: u64 = 0b01;
const ATTR_NORMAL: u64 = 0 << 2;
const ATTR_DEVICE: u64 = 1 << 2;
const INNER_SHAREABLE: u64 = 3 << 8;
const ACCESS_FLAG: u64 = 1 << 10;
const NEVER_EXECUTE: u64 = 1 << 53 | 1 << 54;
const GIB: u64 = 1 << 30;

/// A level-1 table.
#[repr(C, align(4096))]
#[derive(Debug)]
pub struct Table(pub [u64; 512]);

const fn block(index: u64) -> u64 {
    let common = (index * GIB) | ACCESS_FLAG | VALID_BLOCK;
    match index {
        0 | 4 => common | ATTR_DEVICE | NEVER_EXECUTE,
        1..=3 => common | ATTR_NORMAL | INNER_SHAREABLE,
        _ => common | ATTR_NORMAL | INNER_SHAREABLE | NEVER_EXECUTE,
    }
}

const fn table() -> Table {
    let mut entries = [0; 512];
    let mut index = 0;
    while index < 9 {
        entries[index] = block(index as u64);
        index += 1;
    }
    Table(entries)
}

/// The table that `TTBR0_EL1` points to.
pub static TABLE: Table = table();

/// Attribute 0 normal write-back, attribute 1 Device-nGnRE.
pub const MAIR: u64 = 0x04ff;
/// 39-bit addresses, write-back inner-shareable walks, 40-bit output, no TTBR1.
pub const TCR: u64 = 25 | 1 << 8 | 1 << 10 | 3 << 12 | 1 << 23 | 2 << 32;
/// MMU, data and instruction cache.
pub const SCTLR_SET: u64 = 1 | 1 << 2 | 1 << 12;
