//! Split virtqueues (virtio 1.2, 2.7).

use addr::Ipa;
use core::sync::atomic::{Ordering, fence};

use crate::chain::{Chain, Table};
use crate::memory::{read_u16, write_u16};
use crate::{Broken, GuestMemory};

/// Entries of a queue at most.
pub const MAX_SIZE: u16 = 128;

/// `VIRTQ_AVAIL_F_NO_INTERRUPT`.
const NO_INTERRUPT: u16 = 1;

/// What was agreed on for a device's queues.
#[derive(Clone, Copy, Debug, Default)]
pub struct Agreed {
    /// `VIRTIO_RING_F_EVENT_IDX`.
    pub event_index: bool,
    /// `VIRTIO_RING_F_INDIRECT_DESC`.
    pub indirect: bool,
}

/// The part of a queue that an address register belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Area {
    /// The table of descriptors.
    Descriptors,
    /// What the driver writes: the available ring.
    Driver,
    /// What the device writes: the used ring.
    Device,
}

/// A queue.
#[derive(Clone, Debug, Default)]
pub struct Queue {
    size: u16,
    ready: bool,
    descriptors: u64,
    driver: u64,
    device: u64,
    agreed: Agreed,
    /// Chains taken so far.
    taken: u16,
    /// The available index when it was last read.
    available: u16,
    /// Chains given back so far.
    used: u16,
    /// `used` when an interrupt was last considered.
    signalled: u16,
}

impl Queue {
    /// Whether the driver has turned it on.
    pub fn is_ready(&self) -> bool {
        self.ready
    }

    /// Sets the number of entries, while it is off.
    pub fn set_size(&mut self, size: u32) {
        if !self.ready {
            // What does not fit is refused when the queue is turned on.
            self.size = u16::try_from(size).unwrap_or(u16::MAX);
        }
    }

    /// Sets half of an area's address, while it is off.
    pub fn set_address(&mut self, area: Area, high: bool, value: u32) {
        if self.ready {
            return;
        }
        let address = match area {
            Area::Descriptors => &mut self.descriptors,
            Area::Driver => &mut self.driver,
            Area::Device => &mut self.device,
        };
        let (shift, keep) = if high {
            (32, 0xffff_ffff)
        } else {
            (0, 0xffff_ffff << 32)
        };
        *address = *address & keep | u64::from(value) << shift;
    }

    /// Turns it on, empty, with what was set before.
    pub fn enable(&mut self, agreed: Agreed) -> Result<(), Broken> {
        if self.ready {
            return Ok(());
        }
        let size = self.size;
        if !size.is_power_of_two() || size > MAX_SIZE {
            return Err(Broken::QueueSize { size });
        }
        let entries = u64::from(size);
        check_area(self.descriptors, 16, 16 * entries)?;
        check_area(self.driver, 2, 6 + 2 * entries)?;
        check_area(self.device, 4, 6 + 8 * entries)?;
        *self = Self {
            size,
            ready: true,
            descriptors: self.descriptors,
            driver: self.driver,
            device: self.device,
            agreed,
            ..Self::default()
        };
        Ok(())
    }

    /// Turns it off; the driver may set it up anew.
    pub fn disable(&mut self) {
        self.ready = false;
    }

    /// Takes the next chain into `chain`; false if there is none.
    pub fn pop(&mut self, memory: &mut dyn GuestMemory, chain: &mut Chain) -> Result<bool, Broken> {
        if !self.ready || self.taken == self.available && !self.look(memory)? {
            return Ok(false);
        }
        let slot = u64::from(self.taken % self.size.max(1));
        let head = read_u16(memory, Ipa::new(self.driver + 4 + 2 * slot))?;
        self.taken = self.taken.wrapping_add(1);
        let table = Table {
            base: Ipa::new(self.descriptors),
            count: self.size,
            indirect: self.agreed.indirect,
        };
        chain.collect(memory, table, head)?;
        Ok(true)
    }

    /// Puts the last `count` chains back that were taken and not given back.
    pub fn untake(&mut self, count: u16) {
        self.taken = self.taken.wrapping_sub(count);
    }

    /// Reads the available index; whether it moved past what was taken.
    fn look(&mut self, memory: &mut dyn GuestMemory) -> Result<bool, Broken> {
        if !self.ready {
            return Ok(false);
        }
        let index = read_u16(memory, Ipa::new(self.driver + 2))?;
        if index.wrapping_sub(self.taken) > self.size {
            return Err(Broken::AvailableIndex {
                index,
                taken: self.taken,
            });
        }
        // Ring and descriptors are read after the index that covers them.
        fence(Ordering::Acquire);
        self.available = index;
        Ok(index != self.taken)
    }

    /// Puts a chain into the used ring, `written` bytes of it written. The
    /// driver sees it with the next [`Queue::publish`].
    pub fn give_back(
        &mut self,
        memory: &mut dyn GuestMemory,
        head: u16,
        written: u32,
    ) -> Result<(), Broken> {
        let slot = u64::from(self.used % self.size.max(1));
        let mut entry = [0; 8];
        let (id, length) = entry.split_at_mut(4);
        id.copy_from_slice(&u32::from(head).to_le_bytes());
        length.copy_from_slice(&written.to_le_bytes());
        memory.write(Ipa::new(self.device + 4 + 8 * slot), &entry)?;
        self.used = self.used.wrapping_add(1);
        Ok(())
    }

    /// Shows the driver what was given back.
    pub fn publish(&mut self, memory: &mut dyn GuestMemory) -> Result<(), Broken> {
        // Buffers and entries are written before the index that covers them.
        fence(Ordering::Release);
        Ok(write_u16(memory, Ipa::new(self.device + 2), self.used)?)
    }

    /// Whether the driver wants an interrupt for what was published since this
    /// was last asked.
    pub fn interrupts(&mut self, memory: &mut dyn GuestMemory) -> Result<bool, Broken> {
        let (old, new) = (self.signalled, self.used);
        if !self.ready || old == new {
            return Ok(false);
        }
        self.signalled = new;
        // The used index is out before the driver's wish is read.
        fence(Ordering::SeqCst);
        if self.agreed.event_index {
            let event = Ipa::new(self.driver + 4 + 2 * u64::from(self.size));
            let event = read_u16(memory, event)?;
            return Ok(new.wrapping_sub(event).wrapping_sub(1) < new.wrapping_sub(old));
        }
        Ok(read_u16(memory, Ipa::new(self.driver))? & NO_INTERRUPT == 0)
    }

    /// Asks the driver to notify when it adds to what was taken, and looks once
    /// more; whether there is something to take already.
    pub fn wait(&mut self, memory: &mut dyn GuestMemory) -> Result<bool, Broken> {
        self.ask(memory, self.taken)?;
        self.look(memory)
    }

    /// Asks the driver to notify when it adds to what was seen, though not all
    /// of it was taken; whether it has added some already.
    pub fn wait_for_more(&mut self, memory: &mut dyn GuestMemory) -> Result<bool, Broken> {
        let seen = self.available;
        self.ask(memory, seen)?;
        self.look(memory)?;
        Ok(self.available != seen)
    }

    /// `avail_event`. Without it drivers notify always.
    fn ask(&mut self, memory: &mut dyn GuestMemory, index: u16) -> Result<(), Broken> {
        if self.ready && self.agreed.event_index {
            let event = Ipa::new(self.device + 4 + 8 * u64::from(self.size));
            write_u16(memory, event, index)?;
            // The wish is out before the index is read again.
            fence(Ordering::SeqCst);
        }
        Ok(())
    }
}

/// Refuses an area that is misaligned or does not end before the end of the
/// address space: later sums of its addresses cannot overflow.
fn check_area(base: u64, align: u64, size: u64) -> Result<(), Broken> {
    let ipa = Ipa::new(base);
    if ipa.is_aligned(align) && ipa.checked_add(size).is_some() {
        Ok(())
    } else {
        Err(Broken::QueueAddress { ipa })
    }
}
