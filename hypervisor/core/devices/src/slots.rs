//! The virtio slots of a board (`vm_config::map`).

use addr::Ipa;
use virtio::Device;
use vm_config::map;

/// Devices by slot.
#[derive(Debug, Default)]
pub struct Slots {
    devices: [Option<Device>; map::VIRTIO_SLOTS],
    /// Slots whose device has more to do, by bit.
    unfinished: u8,
}

const _: () = assert!(map::VIRTIO_SLOTS <= u8::BITS as usize);

impl Slots {
    /// Puts a device into a slot; false if there is no such slot.
    pub fn plug(&mut self, slot: usize, device: Device) -> bool {
        let place = self.devices.get_mut(slot);
        place.map(|place| *place = Some(device)).is_some()
    }

    /// The device in a slot.
    pub fn get(&self, slot: usize) -> Option<&Device> {
        self.devices.get(slot)?.as_ref()
    }

    /// The device in a slot.
    pub fn get_mut(&mut self, slot: usize) -> Option<&mut Device> {
        self.devices.get_mut(slot)?.as_mut()
    }

    /// Brings every device back to its state after power-on.
    pub fn reset(&mut self) {
        self.devices.iter_mut().flatten().for_each(Device::reset);
        self.unfinished = 0;
    }

    /// Notes whether the device in a slot has more to do.
    pub fn set_unfinished(&mut self, slot: usize, unfinished: bool) {
        let bit = 1 << (slot % map::VIRTIO_SLOTS);
        match unfinished {
            true => self.unfinished |= bit,
            false => self.unfinished &= !bit,
        }
    }

    /// A slot whose device has more to do.
    pub fn unfinished(&self) -> Option<usize> {
        (self.unfinished != 0).then(|| self.unfinished.trailing_zeros() as usize)
    }
}

/// The slot an address lies in, and its offset there.
pub fn locate(ipa: Ipa) -> Option<(usize, u64)> {
    let at = ipa.offset_from(map::VIRTIO_BASE)?;
    let slot = usize::try_from(at / map::VIRTIO_STRIDE).ok()?;
    (slot < map::VIRTIO_SLOTS).then_some((slot, at % map::VIRTIO_STRIDE))
}

/// The interrupt of a slot.
pub fn intid(slot: usize) -> u32 {
    map::VIRTIO_INTID + slot.min(map::VIRTIO_SLOTS) as u32
}
