//! EL3's own translation tables, computed at compile time.
//!
//! They live in flash at a fixed address, so that the MMU goes on before the
//! first Rust instruction and nothing ever writes them. Virtual is physical.
//! The address space of each mapping is part of its descriptor (NS is bit 5,
//! NSE bit 11 at EL3): flash, SRAM and devices are Root, the device tree's
//! memory is Non-secure, the RMM's is Realm, and no other DRAM is mapped: the
//! monitor has no way to touch the memory of its clients. Nothing is both
//! writable and executable, and each stack slot starts with an unmapped page.

use crate::layout::{
    DTB_BASE, DTB_SIZE, FLASH_RMM_IMAGE, FLASH_TEXT_SIZE, GICD_BASE, GICR_TOP, MAX_CPUS, RMM_BASE,
    RMM_SIZE, SRAM_BASE, SRAM_DATA_SIZE, SRAM_SIZE, STACK_SLOT, STACKS_BASE, UART_BASE,
};

/// One translation table.
pub type Table = [u64; 512];
/// How many tables there are.
pub const COUNT: usize = 7;
/// `TCR_EL3`: 39-bit addresses from level 1, 4 KiB granule, inner-shareable
/// write-back walks, 40-bit output.
pub const TCR: u64 = 25 | 1 << 8 | 1 << 10 | 3 << 12 | 2 << 16 | 1 << 23 | 1 << 31;
/// `MAIR_EL3`: attribute 0 is normal write-back memory, 1 device memory.
pub const MAIR: u64 = 0x00ff;

const PAGE: u64 = 1 << 12;
const BLOCK: u64 = 1 << 21;
const GIB: u64 = 1 << 30;

const VALID: u64 = 1;
const TABLE_OR_PAGE: u64 = 1 << 1;
const DEVICE: u64 = 1 << 2;
const NS: u64 = 1 << 5;
const AP_RES1: u64 = 1 << 6;
const READ_ONLY: u64 = 1 << 7;
const INNER_SHAREABLE: u64 = 3 << 8;
const ACCESSED: u64 = 1 << 10;
const NSE: u64 = 1 << 11;
const NEVER_EXECUTE: u64 = 1 << 54;

const NORMAL: u64 = VALID | AP_RES1 | INNER_SHAREABLE | ACCESSED;
const ROOT: u64 = NSE;
const REALM: u64 = NSE | NS;

const CODE: u64 = NORMAL | ROOT | READ_ONLY;
const CONSTANT: u64 = CODE | NEVER_EXECUTE;
const DATA: u64 = NORMAL | ROOT | NEVER_EXECUTE;
const MMIO: u64 = DATA | DEVICE;
const NS_DATA: u64 = NORMAL | NS | NEVER_EXECUTE;
const REALM_DATA: u64 = NORMAL | REALM | NEVER_EXECUTE;

const LOW: usize = 1;
const DRAM: usize = 2;
const FLASH: usize = 3;
const SRAM: usize = 4;
const DRAM_FIRST: usize = 5;
const DRAM_LAST: usize = 6;

#[allow(clippy::indexing_slicing, reason = "evaluated at compile time only")]
const fn blocks(mut table: Table, base: u64, top: u64, attributes: u64) -> Table {
    let mut address = base;
    while address < top {
        table[(address / BLOCK % 512) as usize] = address | attributes;
        address += BLOCK;
    }
    table
}

#[allow(clippy::indexing_slicing, reason = "evaluated at compile time only")]
const fn pages(mut table: Table, base: u64, top: u64, attributes: u64) -> Table {
    let mut address = base;
    while address < top {
        table[(address / PAGE % 512) as usize] = address | attributes | TABLE_OR_PAGE;
        address += PAGE;
    }
    table
}

const fn stacks(mut table: Table) -> Table {
    let mut cpu = 0;
    while cpu < MAX_CPUS as u64 {
        let slot = STACKS_BASE + cpu * STACK_SLOT;
        table = pages(table, slot + PAGE, slot + STACK_SLOT, DATA);
        cpu += 1;
    }
    table
}

/// The tables for a root table at `base`; the others follow it.
#[allow(clippy::indexing_slicing, reason = "evaluated at compile time only")]
pub const fn build(base: u64) -> [Table; COUNT] {
    const EMPTY: Table = [0; 512];
    const SRAM_FIRST_TOP: u64 = SRAM_BASE + BLOCK;
    const FLASH_RMM_TOP: u64 = (FLASH_RMM_IMAGE + RMM_SIZE).next_multiple_of(BLOCK);
    const RMM_TOP: u64 = RMM_BASE + RMM_SIZE;
    const DRAM_LAST_BASE: u64 = RMM_TOP / BLOCK * BLOCK;

    const { assert!(STACKS_BASE + MAX_CPUS as u64 * STACK_SLOT <= SRAM_FIRST_TOP) };
    const { assert!(SRAM_BASE + SRAM_DATA_SIZE <= STACKS_BASE) };
    const { assert!(DTB_BASE + DTB_SIZE == RMM_BASE) };

    let mut tables = [EMPTY; COUNT];
    tables[0][0] = next(base, LOW);
    tables[0][(DTB_BASE / GIB) as usize] = next(base, DRAM);

    let mut map = blocks(EMPTY, BLOCK, FLASH_RMM_TOP, CONSTANT);
    map[0] = next(base, FLASH);
    map = blocks(map, GICD_BASE, GICR_TOP, MMIO);
    map = blocks(map, UART_BASE, UART_BASE + BLOCK, MMIO);
    map[(SRAM_BASE / BLOCK) as usize] = next(base, SRAM);
    tables[LOW] = blocks(map, SRAM_FIRST_TOP, SRAM_BASE + SRAM_SIZE, DATA);

    map = pages(EMPTY, 0, FLASH_TEXT_SIZE, CODE);
    tables[FLASH] = pages(map, FLASH_TEXT_SIZE, BLOCK, CONSTANT);
    map = pages(EMPTY, SRAM_BASE, SRAM_BASE + SRAM_DATA_SIZE, DATA);
    tables[SRAM] = stacks(map);

    map = blocks(EMPTY, DTB_BASE + BLOCK, DRAM_LAST_BASE, REALM_DATA);
    map[(DTB_BASE % GIB / BLOCK) as usize] = next(base, DRAM_FIRST);
    map[(DRAM_LAST_BASE % GIB / BLOCK) as usize] = next(base, DRAM_LAST);
    tables[DRAM] = map;
    map = pages(EMPTY, DTB_BASE, RMM_BASE, NS_DATA);
    tables[DRAM_FIRST] = pages(map, RMM_BASE, DTB_BASE + BLOCK, REALM_DATA);
    tables[DRAM_LAST] = pages(EMPTY, DRAM_LAST_BASE, RMM_TOP, REALM_DATA);
    tables
}

const fn next(base: u64, index: usize) -> u64 {
    (base + index as u64 * PAGE) | VALID | TABLE_OR_PAGE
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::*;

    const BASE: u64 = FLASH_TABLES;

    /// Walks the tables as the MMU would; `None` is a translation fault.
    fn walk(tables: &[Table; COUNT], address: u64) -> Option<u64> {
        let mut table = 0;
        for level in 1..=3 {
            let shift = 39 - 9 * level;
            let entry = tables[table][(address >> shift) as usize % 512];
            match (entry & 3, level) {
                (3, 3) | (1, 1 | 2) => {
                    let within = (1 << shift) - 1;
                    let output = entry & 0x0000_ffff_ffff_f000 & !within;
                    assert_eq!(output, address & !within, "virtual is physical");
                    return Some(entry);
                }
                (3, _) => table = ((entry & 0x0000_ffff_ffff_f000) - BASE) as usize / 4096,
                _ => return None,
            }
        }
        None
    }

    #[test]
    fn every_region_is_mapped_as_its_world_and_use_demand() {
        let tables = build(BASE);
        let space = |entry: u64| entry & (NS | NSE);
        for (address, world, writable, executable, device) in [
            (0, ROOT, false, true, false),
            (FLASH_TEXT_SIZE - 1, ROOT, false, true, false),
            (FLASH_TEXT_SIZE, ROOT, false, false, false),
            (FLASH_RMM_IMAGE, ROOT, false, false, false),
            (FLASH_RMM_IMAGE + RMM_SIZE - 1, ROOT, false, false, false),
            (SRAM_BASE, ROOT, true, false, false),
            (HEAP_BASE, ROOT, true, false, false),
            (GPT_L0_BASE, ROOT, true, false, false),
            (SRAM_BASE + SRAM_SIZE - 1, ROOT, true, false, false),
            (GICD_BASE, ROOT, true, false, true),
            (GICR_TOP - 1, ROOT, true, false, true),
            (UART_BASE, ROOT, true, false, true),
            (SECURE_GPIO_BASE, ROOT, true, false, true),
            (DTB_BASE, NS, true, false, false),
            (RMM_BASE - 1, NS, true, false, false),
            (RMM_BASE, REALM, true, false, false),
            (0x4100_0000, REALM, true, false, false),
            (RMM_SHARED_PAGE + 4095, REALM, true, false, false),
        ] {
            let entry = walk(&tables, address).unwrap_or_else(|| panic!("{address:#x}"));
            assert_eq!(space(entry), world, "{address:#x}");
            assert_eq!(entry & READ_ONLY == 0, writable, "{address:#x}");
            assert_eq!(entry & NEVER_EXECUTE == 0, executable, "{address:#x}");
            assert_eq!(entry & DEVICE != 0, device, "{address:#x}");
        }
    }

    #[test]
    fn nothing_else_is_mapped() {
        let tables = build(BASE);
        for address in [
            SRAM_BASE + SRAM_DATA_SIZE,
            RMM_BASE + RMM_SIZE,
            HYPERVISOR_ENTRY,
            0x8000_0000,
            0x07ff_f000,
            0x0f00_0000,
        ] {
            assert_eq!(walk(&tables, address), None, "{address:#x}");
        }
    }

    #[test]
    fn each_stack_ends_in_an_unmapped_page() {
        let tables = build(BASE);
        for cpu in 0..MAX_CPUS as u64 {
            let slot = STACKS_BASE + cpu * STACK_SLOT;
            assert_eq!(walk(&tables, slot), None);
            assert!(walk(&tables, slot + 0x1000).is_some());
            assert!(walk(&tables, slot + STACK_SLOT - 8).is_some());
        }
    }
}
