//! The driver's side of virtio-mmio, as little as payloads need: split queues of
//! chains of up to three descriptors, polled, for a plain VM, whose memory a device
//! reaches as it is.

use crate::mmio::Mmio;
use core::sync::atomic::{AtomicU16, AtomicU32, AtomicU64, Ordering};
use vm_config::map;

const DRIVER_FEATURES: u64 = 0x020;
const DRIVER_FEATURES_SEL: u64 = 0x024;
const QUEUE_SEL: u64 = 0x030;
const QUEUE_SIZE: u64 = 0x038;
const QUEUE_READY: u64 = 0x044;
const QUEUE_NOTIFY: u64 = 0x050;
const STATUS: u64 = 0x070;
const QUEUE_DESC: u64 = 0x080;
const QUEUE_DRIVER: u64 = 0x090;
const QUEUE_DEVICE: u64 = 0x0a0;
const CONFIG: u64 = 0x100;

const STATUS_DRIVER: u32 = 1 | 2;
const STATUS_FEATURES_OK: u32 = 8;
const STATUS_DRIVER_OK: u32 = 4;
/// `VIRTIO_F_VERSION_1`, in the upper word of features.
const VERSION_1: u32 = 1;
/// In the available ring: the device need not interrupt.
const NO_INTERRUPT: u16 = 1;

/// Descriptors of a queue.
pub const SIZE: usize = 128;
/// Descriptors that each chain has for itself.
const CHAIN: usize = 4;
/// Chains that can be under way.
pub const CHAINS: usize = SIZE / CHAIN;

/// A piece of a chain: its address, its length, and who writes to it.
#[derive(Clone, Copy, Debug)]
pub enum Piece {
    /// The device reads it.
    Read(u64, u32),
    /// The device writes it.
    Write(u64, u32),
}

/// A queue. Chain `n` has the descriptors from `4 * n`.
#[repr(C, align(4096))]
#[derive(Debug)]
pub struct Queue {
    descriptors: [[AtomicU64; 2]; SIZE],
    available_flags: AtomicU16,
    available: AtomicU16,
    available_ring: [AtomicU16; SIZE],
    used_flags: AtomicU16,
    // The used ring starts at a multiple of four.
    used: AtomicU16,
    used_ring: [[AtomicU32; 2]; SIZE],
}

impl Queue {
    /// An empty queue.
    pub const fn new() -> Self {
        Self {
            descriptors: [const { [const { AtomicU64::new(0) }; 2] }; SIZE],
            available_flags: AtomicU16::new(NO_INTERRUPT),
            available: AtomicU16::new(0),
            available_ring: [const { AtomicU16::new(0) }; SIZE],
            used_flags: AtomicU16::new(0),
            used: AtomicU16::new(0),
            used_ring: [const { [const { AtomicU32::new(0) }; 2] }; SIZE],
        }
    }

    /// Makes chain `chain` of up to four pieces available.
    pub fn offer(&self, chain: usize, pieces: &[Piece]) {
        const NEXT: u64 = 1;
        const WRITE: u64 = 2;
        let first = chain * CHAIN;
        for (at, piece) in (first..).zip(pieces) {
            let (address, length, flags) = match *piece {
                Piece::Read(address, length) => (address, length, 0),
                Piece::Write(address, length) => (address, length, WRITE),
            };
            let more = at - first + 1 < pieces.len();
            let flags = if more { flags | NEXT } else { flags };
            let word = u64::from(length) | flags << 32 | (at as u64 + 1) << 48;
            if let Some([low, high]) = self.descriptors.get(at) {
                low.store(address, Ordering::Relaxed);
                high.store(word, Ordering::Relaxed);
            }
        }
        let index = self.available.load(Ordering::Relaxed);
        if let Some(place) = self.available_ring.get(usize::from(index) % SIZE) {
            place.store(first as u16, Ordering::Relaxed);
        }
        self.available
            .store(index.wrapping_add(1), Ordering::Release);
    }

    /// How many chains the device has given back since the start.
    pub fn used(&self) -> u16 {
        self.used.load(Ordering::Acquire)
    }
}

impl Default for Queue {
    fn default() -> Self {
        Self::new()
    }
}

/// A device in a virtio-mmio slot.
#[derive(Clone, Copy, Debug)]
pub struct Device(Mmio);

impl Device {
    /// The device in `slot`, with its queues, started.
    pub fn start(slot: usize, queues: &[&'static Queue]) -> Self {
        let registers = Mmio::new(map::virtio_base(slot).raw());
        registers.write(STATUS, 0);
        registers.write(STATUS, STATUS_DRIVER);
        registers.write(DRIVER_FEATURES_SEL, 1);
        registers.write(DRIVER_FEATURES, VERSION_1);
        registers.write(STATUS, STATUS_DRIVER | STATUS_FEATURES_OK);
        for (index, queue) in (0..).zip(queues) {
            registers.write(QUEUE_SEL, index);
            registers.write(QUEUE_SIZE, SIZE as u32);
            for (register, address) in [
                (QUEUE_DESC, core::ptr::from_ref(&queue.descriptors).addr()),
                (
                    QUEUE_DRIVER,
                    core::ptr::from_ref(&queue.available_flags).addr(),
                ),
                (QUEUE_DEVICE, core::ptr::from_ref(&queue.used_flags).addr()),
            ] {
                registers.write(register, address as u32);
                registers.write(register + 4, (address >> 32) as u32);
            }
            registers.write(QUEUE_READY, 1);
        }
        registers.write(
            STATUS,
            STATUS_DRIVER | STATUS_FEATURES_OK | STATUS_DRIVER_OK,
        );
        Self(registers)
    }

    /// Whether it is up, and nothing has broken it.
    pub fn is_up(self) -> bool {
        self.0.read(STATUS) == STATUS_DRIVER | STATUS_FEATURES_OK | STATUS_DRIVER_OK
    }

    /// Tells it that queue `index` has something new.
    pub fn notify(self, index: u32) {
        self.0.write(QUEUE_NOTIFY, index);
    }

    /// A word of its configuration.
    pub fn config(self, offset: u64) -> u32 {
        self.0.read(CONFIG + offset)
    }
}
