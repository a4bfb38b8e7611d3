//! The machine a guest sees: QEMU virt's addresses, of which it has a part.
//!
//! All of it lies in the protected half. A Realm reaches devices through the
//! shared alias of their addresses ([`shared_bit`]).

use addr::Ipa;

/// GICv3 distributor.
pub const GICD_BASE: Ipa = Ipa::new(0x0800_0000);
/// Bytes of the distributor.
pub const GICD_SIZE: u64 = 0x1_0000;
/// First GICv3 redistributor.
pub const GICR_BASE: Ipa = Ipa::new(0x080a_0000);
/// Bytes of a redistributor: the RD and the SGI frame.
pub const GICR_STRIDE: u64 = 0x2_0000;
/// PL011.
pub const UART_BASE: Ipa = Ipa::new(0x0900_0000);
/// Bytes of the PL011.
pub const UART_SIZE: u64 = 0x1000;
/// Clock the PL011 is said to have, in hertz.
pub const UART_CLOCK_HZ: u32 = 24_000_000;
/// Interrupt of the PL011: SPI 1.
pub const UART_INTID: u32 = 33;
/// PL061.
pub const GPIO_BASE: Ipa = Ipa::new(0x0903_0000);
/// Bytes of the PL061.
pub const GPIO_SIZE: u64 = 0x1000;
/// Interrupt of the PL061: SPI 7.
pub const GPIO_INTID: u32 = 39;
/// Line of the PL061 that the power key is wired to, high while it is pressed.
pub const POWER_KEY_LINE: u32 = 3;
/// First of the virtio-mmio slots.
pub const VIRTIO_BASE: Ipa = Ipa::new(0x0a00_0000);
/// Bytes of a virtio-mmio slot.
pub const VIRTIO_STRIDE: u64 = 0x200;
/// Number of virtio-mmio slots.
pub const VIRTIO_SLOTS: usize = 8;
/// Interrupt of the first virtio-mmio slot, SPI 16; the others follow.
pub const VIRTIO_INTID: u32 = 48;
/// Slot of the console.
pub const VIRTIO_CONSOLE: usize = 0;
/// Slot of the source of entropy.
pub const VIRTIO_ENTROPY: usize = 1;
/// Slot of the network interface.
pub const VIRTIO_NET: usize = 2;
/// Slot of the first disk; the others follow.
pub const VIRTIO_DISK: usize = 3;
/// Bottom and top of everything that may be a device.
pub const DEVICES: (Ipa, Ipa) = (Ipa::new(0x0800_0000), Ipa::new(0x4000_0000));
/// Where RAM starts.
pub const RAM_BASE: Ipa = Ipa::new(0x4000_0000);

/// Interrupt of the EL1 virtual timer.
pub const TIMER_VIRTUAL_INTID: u32 = 27;
/// Interrupt of the EL1 physical timer.
pub const TIMER_PHYSICAL_INTID: u32 = 30;
/// Interrupt of the EL2 physical timer, which no guest can use.
pub const TIMER_HYP_PHYSICAL_INTID: u32 = 26;
/// Interrupt of the Secure physical timer, which no guest can use.
pub const TIMER_SECURE_INTID: u32 = 29;

/// IPA width of a guest unless its description says otherwise.
pub const DEFAULT_IPA_BITS: u8 = 33;
/// Bytes of a level-2 block, the unit of a guest's RAM.
pub const BLOCK_SIZE: u64 = 2 << 20;

/// The address bit that makes an IPA of `ipa_bits` the shared alias of itself.
pub const fn shared_bit(ipa_bits: u8) -> u64 {
    match 1u64.checked_shl(ipa_bits.saturating_sub(1) as u32) {
        Some(bit) => bit,
        None => 0,
    }
}

/// Where virtio-mmio slot `slot` lies.
pub const fn virtio_base(slot: usize) -> Ipa {
    Ipa::new(VIRTIO_BASE.raw() + slot as u64 * VIRTIO_STRIDE)
}

/// The interrupt of virtio-mmio slot `slot`.
pub const fn virtio_intid(slot: usize) -> u32 {
    VIRTIO_INTID + slot as u32
}

/// The affinity of vCPU `index`: Aff0 holds four bits, as in `RmiRecMpidr`.
pub const fn mpidr(index: u32) -> u32 {
    (index & 0xf) | ((index >> 4) << 8)
}
