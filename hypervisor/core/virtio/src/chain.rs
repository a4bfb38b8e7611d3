//! Chains of descriptors, copied out of the guest's memory (virtio 1.2, 2.7.5).

use addr::Ipa;
use heapless::Vec;

use crate::queue::MAX_SIZE;
use crate::{Broken, GuestMemory};

/// Bytes of a descriptor.
const DESCRIPTOR: u64 = 16;

const NEXT: u16 = 1;
const WRITE: u16 = 2;
const INDIRECT: u16 = 4;

/// A buffer of the guest; its end is an address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Segment {
    /// Where it starts.
    pub base: Ipa,
    /// Bytes.
    pub length: u32,
}

/// A table of descriptors.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// Where it lies.
    pub base: Ipa,
    /// Descriptors in it.
    pub count: u16,
    /// Whether one of them may stand for another table.
    pub indirect: bool,
}

/// A chain: first what the device reads, then what it writes.
#[derive(Debug, Default)]
pub struct Chain {
    /// The descriptor it starts at, by which it is given back.
    pub head: u16,
    segments: Vec<Segment, { MAX_SIZE as usize }>,
    readable: usize,
}

/// A descriptor as it was when it was read.
struct Descriptor {
    base: u64,
    length: u32,
    flags: u16,
    next: u16,
}

impl Chain {
    /// Copies the chain that starts at descriptor `head` of `table`, which holds
    /// no more than [`MAX_SIZE`].
    ///
    /// Every descriptor is read once. Their number is bounded by the table's, so
    /// that a loop ends as [`Broken::ChainLength`].
    pub fn collect(
        &mut self,
        memory: &mut dyn GuestMemory,
        mut table: Table,
        head: u16,
    ) -> Result<(), Broken> {
        self.head = head;
        self.segments.clear();
        self.readable = 0;
        let bound = table.count;
        let mut index = head;
        // One more than the bound, for the descriptor of an indirect table.
        for _ in 0..=bound {
            let descriptor = Descriptor::read(memory, table, index)?;
            if descriptor.flags & INDIRECT != 0 {
                table = descriptor.table(table, bound)?;
                index = 0;
                continue;
            }
            self.push(&descriptor, bound)?;
            if descriptor.flags & NEXT == 0 {
                return Ok(());
            }
            index = descriptor.next;
        }
        Err(Broken::ChainLength)
    }

    fn push(&mut self, descriptor: &Descriptor, bound: u16) -> Result<(), Broken> {
        let base = Ipa::new(descriptor.base);
        let length = descriptor.length;
        if base.checked_add(length.into()).is_none() {
            return Err(Broken::BufferAddress { ipa: base });
        }
        if self.segments.len() >= usize::from(bound) {
            return Err(Broken::ChainLength);
        }
        if descriptor.flags & WRITE == 0 {
            if self.readable != self.segments.len() {
                return Err(Broken::ChainOrder);
            }
            self.readable += 1;
        }
        self.segments
            .push(Segment { base, length })
            .map_err(|_| Broken::ChainLength)
    }

    /// What the device reads.
    pub fn readable(&self) -> Cursor<'_> {
        Cursor::new(self.segments.get(..self.readable).unwrap_or_default())
    }

    /// What the device writes.
    pub fn writable(&self) -> Cursor<'_> {
        Cursor::new(self.segments.get(self.readable..).unwrap_or_default())
    }
}

impl Descriptor {
    fn read(memory: &mut dyn GuestMemory, table: Table, index: u16) -> Result<Self, Broken> {
        if index >= table.count {
            return Err(Broken::DescriptorIndex {
                index,
                count: table.count,
            });
        }
        let ipa = table.base.checked_add(u64::from(index) * DESCRIPTOR);
        let ipa = ipa.ok_or(Broken::BufferAddress { ipa: table.base })?;
        let mut bytes = [0; DESCRIPTOR as usize];
        memory.read(ipa, &mut bytes)?;
        let [base @ .., l0, l1, l2, l3, f0, f1, n0, n1] = bytes;
        Ok(Self {
            base: u64::from_le_bytes(base),
            length: u32::from_le_bytes([l0, l1, l2, l3]),
            flags: u16::from_le_bytes([f0, f1]),
            next: u16::from_le_bytes([n0, n1]),
        })
    }

    /// The table that this descriptor of `outer` stands for.
    fn table(&self, outer: Table, bound: u16) -> Result<Table, Broken> {
        let wrong = Broken::Indirect {
            length: self.length,
        };
        let fits = self.length != 0 && u64::from(self.length).is_multiple_of(DESCRIPTOR);
        if !outer.indirect || !fits || self.flags & NEXT != 0 {
            return Err(wrong);
        }
        let count = u64::from(self.length) / DESCRIPTOR;
        match u16::try_from(count) {
            Ok(count) if count <= bound => Ok(Table {
                base: Ipa::new(self.base),
                count,
                indirect: false,
            }),
            _ => Err(wrong),
        }
    }
}

/// A place in a row of buffers, which moves as they are used.
#[derive(Clone, Debug)]
pub struct Cursor<'c> {
    segments: &'c [Segment],
    /// Bytes of the first segment that are behind.
    at: u32,
}

impl<'c> Cursor<'c> {
    fn new(segments: &'c [Segment]) -> Self {
        Self { segments, at: 0 }
    }

    /// Bytes that follow.
    pub fn left(&self) -> u64 {
        let all: u64 = self.segments.iter().map(|s| u64::from(s.length)).sum();
        all.saturating_sub(self.at.into())
    }

    /// The next piece of memory in one row, of at most `most` bytes.
    fn piece(&mut self, most: usize) -> Option<(Ipa, usize)> {
        while let Some((first, rest)) = self.segments.split_first() {
            let left = first.length.saturating_sub(self.at);
            if left == 0 {
                self.segments = rest;
                self.at = 0;
                continue;
            }
            let ipa = first.base.checked_add(self.at.into())?;
            let taken = left.min(u32::try_from(most).unwrap_or(u32::MAX));
            self.at = self.at.saturating_add(taken);
            return Some((ipa, taken as usize));
        }
        None
    }

    /// Reads the next `to.len()` bytes; there must be as many.
    pub fn read(&mut self, memory: &mut dyn GuestMemory, to: &mut [u8]) -> Result<(), Broken> {
        let mut rest = to;
        while !rest.is_empty() {
            let (ipa, length) = self.piece(rest.len()).ok_or(Broken::ShortChain)?;
            let (now, later) = rest
                .split_at_mut_checked(length)
                .ok_or(Broken::ShortChain)?;
            memory.read(ipa, now)?;
            rest = later;
        }
        Ok(())
    }

    /// Writes `from` into the next bytes; there must be as many.
    pub fn write(&mut self, memory: &mut dyn GuestMemory, from: &[u8]) -> Result<(), Broken> {
        let mut rest = from;
        while !rest.is_empty() {
            let (ipa, length) = self.piece(rest.len()).ok_or(Broken::ShortChain)?;
            let (now, later) = rest.split_at_checked(length).ok_or(Broken::ShortChain)?;
            memory.write(ipa, now)?;
            rest = later;
        }
        Ok(())
    }

    /// The address of the next byte, which is passed by.
    pub fn byte(&mut self) -> Result<Ipa, Broken> {
        let (ipa, _) = self.piece(1).ok_or(Broken::ShortChain)?;
        Ok(ipa)
    }

    /// Passes `bytes` by; there must be as many.
    pub fn skip(&mut self, bytes: u64) -> Result<(), Broken> {
        let mut left = bytes;
        while left > 0 {
            let most = usize::try_from(left).unwrap_or(usize::MAX);
            let (_, length) = self.piece(most).ok_or(Broken::ShortChain)?;
            left -= length as u64;
        }
        Ok(())
    }
}
