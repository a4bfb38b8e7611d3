//! The registers of the MMIO transport, version 2 (virtio 1.2, 4.2.2).

use crate::Broken;
use crate::queue::{Agreed, Area, MAX_SIZE, Queue};

const MAGIC: u64 = 0x000;
const VERSION: u64 = 0x004;
const DEVICE_ID: u64 = 0x008;
const VENDOR_ID: u64 = 0x00c;
const DEVICE_FEATURES: u64 = 0x010;
const DEVICE_FEATURES_SEL: u64 = 0x014;
const DRIVER_FEATURES: u64 = 0x020;
const DRIVER_FEATURES_SEL: u64 = 0x024;
const QUEUE_SEL: u64 = 0x030;
const QUEUE_SIZE_MAX: u64 = 0x034;
const QUEUE_SIZE: u64 = 0x038;
const QUEUE_READY: u64 = 0x044;
const QUEUE_NOTIFY: u64 = 0x050;
const INTERRUPT_STATUS: u64 = 0x060;
const INTERRUPT_ACK: u64 = 0x064;
const STATUS: u64 = 0x070;
const QUEUE_DESC_LOW: u64 = 0x080;
const QUEUE_DESC_HIGH: u64 = 0x084;
const QUEUE_DRIVER_LOW: u64 = 0x090;
const QUEUE_DRIVER_HIGH: u64 = 0x094;
const QUEUE_DEVICE_LOW: u64 = 0x0a0;
const QUEUE_DEVICE_HIGH: u64 = 0x0a4;
const SHM_LEN_LOW: u64 = 0x0b0;
const SHM_BASE_HIGH: u64 = 0x0bc;
/// The device's own configuration starts here.
pub const CONFIG: u64 = 0x100;

/// "virt".
const MAGIC_VALUE: u32 = 0x7472_6976;
/// "SUZE": any value will do, and drivers do not look.
const VENDOR: u32 = 0x455a_5553;

const STATUS_DRIVER_OK: u32 = 4;
const STATUS_FEATURES_OK: u32 = 8;
const STATUS_NEEDS_RESET: u32 = 64;

/// `InterruptStatus`: buffers were used.
const INTERRUPT_USED: u32 = 1;
/// `InterruptStatus`: configuration or status changed.
const INTERRUPT_CONFIG: u32 = 2;

const F_INDIRECT_DESC: u64 = 1 << 28;
const F_EVENT_IDX: u64 = 1 << 29;
const F_VERSION_1: u64 = 1 << 32;
const F_ACCESS_PLATFORM: u64 = 1 << 33;
/// What every device offers. With `ACCESS_PLATFORM` a driver in a Realm takes
/// its buffers from memory that it shares.
const COMMON: u64 = F_INDIRECT_DESC | F_EVENT_IDX | F_VERSION_1 | F_ACCESS_PLATFORM;

/// Queues of a device at most.
pub const MAX_QUEUES: usize = 2;

/// A device's registers but for its configuration.
#[derive(Clone, Debug)]
pub struct Transport {
    id: u32,
    offered: u64,
    queues: usize,
    state: State,
}

/// What a reset takes back.
#[derive(Clone, Debug, Default)]
struct State {
    accepted: u64,
    offered_word: u32,
    accepted_word: u32,
    selected: usize,
    status: u32,
    interrupt: u32,
    queues: [Queue; MAX_QUEUES],
    broken: Option<Broken>,
}

/// What a write asks of the device.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Effect {
    /// Nothing more.
    None,
    /// To look at its queues.
    Notified,
    /// To go back to its start: the driver has reset it.
    Reset,
}

impl Transport {
    /// Registers of a device with this ID, number of queues and features besides
    /// those all have.
    pub fn new(id: u32, queues: usize, features: u64) -> Self {
        Self {
            id,
            offered: COMMON | features,
            queues: queues.min(MAX_QUEUES),
            state: State::default(),
        }
    }

    /// Back to the state after power-on.
    pub fn reset(&mut self) {
        self.state = State::default();
    }

    /// The interrupt line.
    pub fn interrupt(&self) -> bool {
        self.state.interrupt != 0
    }

    /// Whether the driver has started it and nothing broke it.
    pub fn is_running(&self) -> bool {
        self.state.status & STATUS_DRIVER_OK != 0 && self.state.broken.is_none()
    }

    /// Whether the driver accepted all of `features`.
    pub fn has(&self, features: u64) -> bool {
        self.state.accepted & features == features
    }

    /// Why it needs a reset, if it does.
    pub fn broken(&self) -> Option<Broken> {
        self.state.broken
    }

    /// Its queues. Those past its number are off.
    pub fn queues(&mut self) -> &mut [Queue; MAX_QUEUES] {
        &mut self.state.queues
    }

    /// Raises the interrupt of used buffers.
    pub fn signal(&mut self) {
        self.state.interrupt |= INTERRUPT_USED;
    }

    /// Stops until the driver resets it.
    pub fn break_down(&mut self, why: Broken) {
        self.state.broken.get_or_insert(why);
        self.state.status |= STATUS_NEEDS_RESET;
        if self.state.status & STATUS_DRIVER_OK != 0 {
            self.state.interrupt |= INTERRUPT_CONFIG;
        }
    }

    /// Reads the register at `offset`, below [`CONFIG`].
    pub fn read(&self, offset: u64) -> u32 {
        let state = &self.state;
        match offset {
            MAGIC => MAGIC_VALUE,
            VERSION => 2,
            DEVICE_ID => self.id,
            VENDOR_ID => VENDOR,
            DEVICE_FEATURES => match state.offered_word {
                0 => self.offered as u32,
                1 => (self.offered >> 32) as u32,
                _ => 0,
            },
            QUEUE_SIZE_MAX if state.selected < self.queues => MAX_SIZE.into(),
            QUEUE_READY => state
                .queues
                .get(state.selected)
                .map_or(0, |queue| queue.is_ready().into()),
            INTERRUPT_STATUS => state.interrupt,
            STATUS => state.status,
            // There is no shared memory region: its length is -1.
            SHM_LEN_LOW..=SHM_BASE_HIGH => u32::MAX,
            // The configuration never changes, so its generation is 0.
            _ => 0,
        }
    }

    /// Writes the register at `offset`, below [`CONFIG`].
    pub fn write(&mut self, offset: u64, value: u32) -> Effect {
        let running = self.is_running();
        let state = &mut self.state;
        match offset {
            DEVICE_FEATURES_SEL => state.offered_word = value,
            DRIVER_FEATURES_SEL => state.accepted_word = value,
            DRIVER_FEATURES => state.accept(value),
            QUEUE_SEL => state.selected = value as usize,
            QUEUE_NOTIFY if running => return Effect::Notified,
            INTERRUPT_ACK => state.interrupt &= !value,
            STATUS => return self.set_status(value),
            _ => return self.set_queue(offset, value),
        }
        Effect::None
    }

    fn set_queue(&mut self, offset: u64, value: u32) -> Effect {
        let agreed = Agreed {
            event_index: self.has(F_EVENT_IDX),
            indirect: self.has(F_INDIRECT_DESC),
        };
        let count = self.queues;
        let mut queues = self.state.queues.iter_mut().take(count);
        let Some(queue) = queues.nth(self.state.selected) else {
            return Effect::None;
        };
        match offset {
            QUEUE_SIZE => queue.set_size(value),
            QUEUE_DESC_LOW => queue.set_address(Area::Descriptors, false, value),
            QUEUE_DESC_HIGH => queue.set_address(Area::Descriptors, true, value),
            QUEUE_DRIVER_LOW => queue.set_address(Area::Driver, false, value),
            QUEUE_DRIVER_HIGH => queue.set_address(Area::Driver, true, value),
            QUEUE_DEVICE_LOW => queue.set_address(Area::Device, false, value),
            QUEUE_DEVICE_HIGH => queue.set_address(Area::Device, true, value),
            QUEUE_READY if value & 1 == 0 => queue.disable(),
            QUEUE_READY => {
                if let Err(why) = queue.enable(agreed) {
                    self.break_down(why);
                    // So that somebody hears of it.
                    return Effect::Notified;
                }
            }
            _ => {}
        }
        Effect::None
    }

    /// Zero resets. Bits are never taken back otherwise, and features that were
    /// not offered, or without `VERSION_1`, are not acknowledged.
    fn set_status(&mut self, value: u32) -> Effect {
        if value == 0 {
            self.reset();
            return Effect::Reset;
        }
        let accepted = self.state.accepted;
        let fine = accepted & !self.offered == 0 && accepted & F_VERSION_1 != 0;
        let refused = if fine { 0 } else { STATUS_FEATURES_OK };
        let mut new = value & !refused & !STATUS_NEEDS_RESET;
        if (self.state.status | new) & STATUS_FEATURES_OK == 0 {
            new &= !STATUS_DRIVER_OK;
        }
        self.state.status |= new & 0xff;
        Effect::None
    }
}

impl State {
    /// Features count until they are acknowledged.
    fn accept(&mut self, value: u32) {
        let shift = match self.accepted_word {
            0 => 0,
            1 => 32,
            // Words past the second hold nothing that is offered.
            _ => return,
        };
        if self.status & STATUS_FEATURES_OK == 0 {
            let keep = !(0xffff_ffff << shift);
            self.accepted = self.accepted & keep | u64::from(value) << shift;
        }
    }
}
