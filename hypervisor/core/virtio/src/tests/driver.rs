//! A driver, its memory and a host, small enough to see through.

use addr::Ipa;
use std::collections::VecDeque;
use std::vec;
use std::vec::Vec;

use crate::{
    Backend, Broken, Device, Entropy, Fill, GuestMemory, HEAD, Inaccessible, Media, Served,
    Storage, Take, Terminal, Wire,
};

pub const BASE: u64 = 0x4000_0000;
pub const SIZE: usize = 1 << 20;

/// RAM of a guest from [`BASE`], of which one page is not shared.
pub struct Ram {
    pub bytes: Vec<u8>,
    /// The other CPU: called after each read with all memory and where it was read.
    pub meddler: Option<fn(&mut [u8], usize)>,
    pub reads: usize,
}

pub const PRIVATE: u64 = BASE + 0x8_0000;

impl Ram {
    pub fn new() -> Self {
        Self {
            bytes: vec![0; SIZE],
            meddler: None,
            reads: 0,
        }
    }

    fn at(&self, ipa: Ipa, length: usize) -> Result<usize, Inaccessible> {
        let error = Inaccessible { ipa };
        let at = ipa.raw().checked_sub(BASE).ok_or(error)?;
        let end = at.checked_add(length as u64).ok_or(error)?;
        let private = PRIVATE - BASE..PRIVATE - BASE + 4096;
        if end > SIZE as u64 || at < private.end && end > private.start {
            return Err(error);
        }
        Ok(at as usize)
    }

    pub fn put(&mut self, ipa: u64, bytes: &[u8]) {
        self.write(Ipa::new(ipa), bytes).unwrap();
    }

    pub fn get(&self, ipa: u64, length: usize) -> Vec<u8> {
        let at = self.at(Ipa::new(ipa), length).unwrap();
        self.bytes[at..at + length].to_vec()
    }

    pub fn get_u16(&self, ipa: u64) -> u16 {
        u16::from_le_bytes(self.get(ipa, 2).try_into().unwrap())
    }
}

impl GuestMemory for Ram {
    fn read(&mut self, ipa: Ipa, to: &mut [u8]) -> Result<(), Inaccessible> {
        let at = self.at(ipa, to.len())?;
        self.reads += 1;
        to.copy_from_slice(&self.bytes[at..at + to.len()]);
        if let Some(meddler) = self.meddler {
            meddler(&mut self.bytes, at);
        }
        Ok(())
    }

    fn write(&mut self, ipa: Ipa, from: &[u8]) -> Result<(), Inaccessible> {
        let at = self.at(ipa, from.len())?;
        self.bytes[at..at + from.len()].copy_from_slice(from);
        Ok(())
    }
}

/// A host that writes everything down.
#[derive(Default)]
pub struct Tape {
    pub printed: Vec<u8>,
    pub input: VecDeque<u8>,
    pub disk: Vec<u8>,
    pub read_only: bool,
    pub sent: Vec<Vec<u8>>,
    pub frames: VecDeque<Vec<u8>>,
}

impl Terminal for Tape {
    fn print(&mut self, bytes: &[u8]) {
        self.printed.extend_from_slice(bytes);
    }
    fn has_input(&mut self) -> bool {
        !self.input.is_empty()
    }
    fn input(&mut self, to: &mut [u8]) -> usize {
        let count = to.len().min(self.input.len());
        for (to, from) in to.iter_mut().zip(self.input.drain(..count)) {
            *to = from;
        }
        count
    }
}

impl Entropy for Tape {
    fn entropy(&mut self, to: &mut [u8]) -> usize {
        for (n, byte) in to.iter_mut().enumerate() {
            *byte = n as u8 ^ 0x5a;
        }
        to.len()
    }
}

impl Storage for Tape {
    fn disk(&mut self, index: usize) -> Option<Media<'_>> {
        (index == 0).then_some(match self.read_only {
            true => Media::ReadOnly(&self.disk),
            false => Media::Writable(&mut self.disk),
        })
    }
}

impl Wire for Tape {
    fn send(&mut self, head: &[u8; HEAD], rest: usize, fill: &mut Fill<'_>) -> Result<(), Broken> {
        let mut frame = head.to_vec();
        frame.resize(HEAD + rest, 0);
        fill(&mut frame[HEAD..])?;
        self.sent.push(frame);
        Ok(())
    }
    fn receive(&mut self, take: &mut Take<'_>) -> Result<bool, Broken> {
        let Some(frame) = self.frames.front() else {
            return Ok(false);
        };
        let taken = take(frame)?;
        if taken {
            self.frames.pop_front();
        }
        Ok(taken)
    }
}

const _: fn(&mut Tape) -> &mut dyn Backend = |tape| tape;

pub const EVENT_IDX: u64 = 1 << 29;
pub const INDIRECT: u64 = 1 << 28;
pub const VERSION_1: u64 = 1 << 32;
pub const PLATFORM: u64 = 1 << 33;

/// Where queue `index` lies.
pub fn queue_base(index: u64) -> u64 {
    BASE + 0x1_0000 * index
}

pub const AVAIL: u64 = 0x4000;
pub const USED: u64 = 0x5000;
pub const QUEUE: u16 = 8;

/// A buffer of a chain: address, length, whether the device writes it.
pub type Buffer = (u64, u32, bool);

/// A driver that has started a device.
pub struct Driver {
    pub device: Device,
    pub ram: Ram,
    pub host: Tape,
    pub features: u64,
    /// Per queue: next free descriptor, chains offered, chains taken back.
    state: [(u16, u16, u16); 2],
}

impl Driver {
    pub fn start(device: Device, host: Tape, features: u64) -> Self {
        let mut driver = Self {
            device,
            ram: Ram::new(),
            host,
            features,
            state: [(0, 0, 0); 2],
        };
        driver.negotiate();
        for index in 0..2 {
            driver.set(0x30, index);
            if driver.read(0x34) == 0 {
                continue;
            }
            let base = queue_base(index.into());
            driver.set(0x38, QUEUE.into());
            for (register, address) in [(0x80, base), (0x90, base + AVAIL), (0xa0, base + USED)] {
                driver.set(register, address as u32);
                driver.set(register + 4, (address >> 32) as u32);
            }
            driver.set(0x44, 1);
        }
        driver.set(0x70, 15);
        assert_eq!(driver.read(0x70), 15);
        driver
    }

    fn negotiate(&mut self) {
        assert_eq!(self.read(0), 0x7472_6976);
        assert_eq!(self.read(4), 2);
        self.set(0x70, 0);
        self.set(0x70, 3);
        let wanted = self.features | VERSION_1 | PLATFORM;
        for word in 0..2 {
            self.set(0x14, word);
            let offered = self.read(0x10);
            self.set(0x24, word);
            self.set(0x20, offered & (wanted >> (32 * word)) as u32);
        }
        self.set(0x70, 11);
        assert_eq!(self.read(0x70), 11, "features were refused");
    }

    pub fn read(&self, offset: u64) -> u32 {
        self.device.read(offset, 4) as u32
    }

    pub fn set(&mut self, offset: u64, value: u32) -> bool {
        self.device.write(offset, 4, value.into())
    }

    pub fn descriptor(&mut self, table: u64, index: u16, buffer: Buffer, flags: u16, next: u16) {
        let (base, length, write) = buffer;
        let flags = flags | u16::from(write) << 1;
        let mut bytes = base.to_le_bytes().to_vec();
        bytes.extend(length.to_le_bytes());
        bytes.extend(flags.to_le_bytes());
        bytes.extend(next.to_le_bytes());
        self.ram.put(table + 16 * u64::from(index), &bytes);
    }

    /// Lays a chain into the table; returns its head.
    pub fn chain(&mut self, queue: usize, buffers: &[Buffer]) -> u16 {
        let head = self.state[queue].0;
        for (n, buffer) in buffers.iter().enumerate() {
            let index = self.state[queue].0;
            let next = (index + 1) % QUEUE;
            self.state[queue].0 = next;
            let flags = u16::from(n + 1 < buffers.len());
            self.descriptor(queue_base(queue as u64), index, *buffer, flags, next);
        }
        head
    }

    /// Puts a head into the available ring.
    pub fn offer(&mut self, queue: usize, head: u16) {
        let base = queue_base(queue as u64) + AVAIL;
        let index = self.state[queue].1;
        let slot = u64::from(index % QUEUE);
        self.ram.put(base + 4 + 2 * slot, &head.to_le_bytes());
        self.state[queue].1 = index.wrapping_add(1);
        self.ram.put(base + 2, &self.state[queue].1.to_le_bytes());
    }

    pub fn add(&mut self, queue: usize, buffers: &[Buffer]) -> u16 {
        let head = self.chain(queue, buffers);
        self.offer(queue, head);
        head
    }

    pub fn notify(&mut self, queue: usize) -> Served {
        assert!(self.set(0x50, queue as u32), "the device does not listen");
        self.serve()
    }

    pub fn serve(&mut self) -> Served {
        self.device.serve(&mut self.ram, &mut self.host)
    }

    /// What came back since the last look: heads and lengths.
    pub fn used(&mut self, queue: usize) -> Vec<(u32, u32)> {
        let base = queue_base(queue as u64) + USED;
        let mut back = Vec::new();
        while self.state[queue].2 != self.ram.get_u16(base + 2) {
            let slot = u64::from(self.state[queue].2 % QUEUE);
            let entry = self.ram.get(base + 4 + 8 * slot, 8);
            let (id, length) = entry.split_at(4);
            back.push((
                u32::from_le_bytes(id.try_into().unwrap()),
                u32::from_le_bytes(length.try_into().unwrap()),
            ));
            self.state[queue].2 = self.state[queue].2.wrapping_add(1);
            assert!(back.len() <= usize::from(QUEUE), "used index ran away");
        }
        back
    }

    /// Why the device broke, which it has just said.
    pub fn broke(&mut self, served: Served) -> Broken {
        let Served::Broke(why) = served else {
            panic!("{served:?}, but the device should have broken");
        };
        assert_eq!(self.read(0x70) & 64, 64, "DEVICE_NEEDS_RESET");
        assert_eq!(self.serve(), Served::Done, "a broken device rests");
        why
    }
}
