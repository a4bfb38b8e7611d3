//! The devices a VM has beside its interrupt controller and its UART: each one
//! takes a virtio-mmio slot of [`map`].

use core::fmt;
use heapless::Vec;

use crate::map;

/// Disks of a VM at most.
pub const MAX_DISKS: usize = 2;
/// Bytes of a disk's sector.
pub const SECTOR: u64 = 512;

/// The devices of a VM that its description asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Devices {
    /// A console.
    pub console: bool,
    /// A source of entropy.
    pub entropy: bool,
    /// A network interface, with its address.
    pub net: Option<Mac>,
    /// Disks.
    pub disks: Vec<Disk, MAX_DISKS>,
}

/// A disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disk {
    /// Bytes: whole sectors, more than none.
    pub size: u64,
    /// Where in the bundle its contents lie, at a granule and in full; `None`
    /// for a disk that is all zeros at first.
    pub offset: Option<u64>,
    /// Whether the guest can only read it.
    pub readonly: bool,
}

/// The address of a network interface (IEEE 802).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// Whether it is the address of one interface, not of a group or of none.
    pub const fn is_unicast(self) -> bool {
        let Self([first, ..]) = self;
        first & 1 == 0 && !matches!(self.0, [0, 0, 0, 0, 0, 0])
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self([a, b, c, d, e, g]) = self;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl Devices {
    /// The virtio-mmio slots that hold a device, ascending.
    pub fn slots(&self) -> impl Iterator<Item = usize> {
        let disks = map::VIRTIO_DISK..map::VIRTIO_DISK + self.disks.len();
        [
            (self.console, map::VIRTIO_CONSOLE),
            (self.entropy, map::VIRTIO_ENTROPY),
            (self.net.is_some(), map::VIRTIO_NET),
        ]
        .into_iter()
        .filter_map(|(present, slot)| present.then_some(slot))
        .chain(disks)
    }
}
