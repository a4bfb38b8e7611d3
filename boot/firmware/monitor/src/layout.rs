//! Where things are on QEMU `virt` with `secure=on` (the same map as TF-A's).
//!
//! Flash and SRAM exist only for the Root and Secure worlds; what the RMM uses
//! must lie in DRAM.

use addr::{PhysAddr, PhysRange};
use gpt::{Gpi, Region};

/// CPUs the monitor has room for.
pub const MAX_CPUS: usize = 32;
/// CPUs in one cluster: QEMU numbers them `Aff1 * 16 + Aff0`.
pub const CPUS_PER_CLUSTER: usize = 16;

/// Flash 0: the monitor, executed in place, and the RMM's image.
pub const FLASH_SIZE: u64 = 0x0400_0000;
/// Bytes of flash that hold code.
pub const FLASH_TEXT_SIZE: u64 = 0x2_0000;
/// Where the flash holds the monitor's translation tables.
pub const FLASH_TABLES: u64 = FLASH_TEXT_SIZE;
/// Where the flash holds the RMM's header; the image follows one page later.
pub const FLASH_RMM_HEADER: u64 = 0xf_f000;
/// Where the flash holds the RMM's image.
pub const FLASH_RMM_IMAGE: u64 = 0x10_0000;

/// Secure SRAM: everything the monitor writes.
pub const SRAM_BASE: u64 = 0x0e00_0000;
/// Bytes of secure SRAM.
pub const SRAM_SIZE: u64 = 0x0100_0000;
/// Where `.data` and `.bss` may lie.
pub const SRAM_DATA_SIZE: u64 = 0x4_0000;
/// Where the stacks begin: one slot per CPU, its lowest page unmapped.
pub const STACKS_BASE: u64 = SRAM_BASE + 0x10_0000;
/// Bytes per stack slot, guard page included.
pub const STACK_SLOT: u64 = 0x8000;
/// The heap of the device-tree edit.
pub const HEAP_BASE: u64 = SRAM_BASE + 0x20_0000;
/// Bytes of heap.
pub const HEAP_SIZE: u64 = 0x20_0000;
/// The level-0 granule protection table, then the level-1 tables.
pub const GPT_L0_BASE: u64 = SRAM_BASE + 0x40_0000;
/// Bytes set aside for the level-0 table.
pub const GPT_L0_SIZE: u64 = 0x2_0000;
/// Level-1 granule protection tables.
pub const GPT_L1_BASE: u64 = GPT_L0_BASE + GPT_L0_SIZE;
/// Bytes for level-1 tables.
pub const GPT_L1_SIZE: u64 = SRAM_BASE + SRAM_SIZE - GPT_L1_BASE;
/// End of the address space that the machine uses: its high PCIe window ends here.
pub const PROTECTED_TOP: u64 = 1 << 40;

/// GIC distributor.
pub const GICD_BASE: u64 = 0x0800_0000;
/// GIC redistributors, two frames of 64 KiB per CPU.
pub const GICR_BASE: u64 = 0x080a_0000;
/// Base-two logarithm of a redistributor's bytes, which is its CPU's share in the
/// order of their indices.
pub const GICR_SHIFT: u64 = 17;
/// The interrupt that wakes a CPU that is off: Root's while it is off, the
/// Non-secure world's while it is on.
pub const WAKE_SGI: u64 = 15;
/// End of the redistributors.
pub const GICR_TOP: u64 = 0x0900_0000;
/// The serial line everybody shares.
pub const UART_BASE: u64 = 0x0900_0000;
/// The secure world's serial line.
pub const SECURE_UART_BASE: u64 = 0x0904_0000;
/// The secure PL061: line 0 powers off, line 1 resets.
pub const SECURE_GPIO_BASE: u64 = 0x090b_0000;

/// Start of DRAM, where QEMU puts the device tree.
pub const DTB_BASE: u64 = 0x4000_0000;
/// Bytes the device tree may take.
pub const DTB_SIZE: u64 = 0x10_0000;
/// The RMM's memory: image, data, and the page it shares with the monitor.
pub const RMM_BASE: u64 = 0x4010_0000;
/// Bytes of the RMM's memory.
pub const RMM_SIZE: u64 = 0x0180_0000;
/// Where the RMM's image and its zeroed data end at the latest, if the RMM asks
/// for the rest of its memory piece by piece.
pub const RMM_IMAGE_TOP: u64 = RMM_BASE + 0x0080_0000;
/// The page that the monitor and the RMM share: the last of the RMM's memory.
pub const RMM_SHARED_PAGE: u64 = RMM_BASE + RMM_SIZE - 0x1000;
/// Where the hypervisor is entered.
pub const HYPERVISOR_ENTRY: u64 = 0x6000_0000;

/// Ticks per second of the generic timer where nobody has set it.
pub const TIMER_HZ: u64 = 1_000_000_000;

const fn range(base: u64, size: u64) -> (u64, u64) {
    (base, size)
}

/// The RMM's memory as a range.
pub fn rmm_range() -> Option<PhysRange> {
    PhysRange::with_size(PhysAddr::new(RMM_BASE), RMM_SIZE).ok()
}

/// What only the Root world may touch.
const ROOT: [(u64, u64); 4] = [
    range(0, FLASH_SIZE),
    range(SRAM_BASE, SRAM_SIZE),
    range(SECURE_UART_BASE, 0x1000),
    range(SECURE_GPIO_BASE, 0x1000),
];

/// The protection plan: Root's own, then RAM, then the RMM's memory if there
/// is one. Everything else (devices, PCIe windows) is open to all worlds.
pub fn protection(memory: &[PhysRange], rmm: Option<PhysRange>) -> alloc::vec::Vec<Region> {
    let root = ROOT
        .iter()
        .filter_map(|(base, size)| PhysRange::with_size(PhysAddr::new(*base), *size).ok())
        .map(|range| Region {
            range,
            gpi: Gpi::Root,
        });
    let ram = memory.iter().map(|range| Region {
        range: *range,
        gpi: Gpi::NonSecure,
    });
    let rmm = rmm.iter().map(|range| Region {
        range: *range,
        gpi: Gpi::Realm,
    });
    root.chain(ram).chain(rmm).collect()
}
