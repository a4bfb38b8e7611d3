//! The disk (virtio 1.2, 5.2).

use crate::backend::Media;
use crate::chain::{Chain, Cursor};
use crate::device::{Budget, Moved, drain};
use crate::queue::{MAX_SIZE, Queue};
use crate::{Backend, Broken, GuestMemory};

/// Its device ID.
pub const ID: u32 = 2;
/// Bytes of a sector.
pub const SECTOR: u64 = 512;
/// Bytes of the largest configuration there is.
pub const CONFIG_SIZE: usize = 64;

const F_SEG_MAX: u64 = 1 << 2;
const F_RO: u64 = 1 << 5;
const F_BLK_SIZE: u64 = 1 << 6;
const F_FLUSH: u64 = 1 << 9;

/// Buffers of data in one request: header and status take a descriptor each.
const SEGMENTS: u32 = MAX_SIZE as u32 - 2;
/// Bytes of data in one request. Linux asks for 4 MiB at most.
const MOST: u64 = 8 << 20;

const TYPE_IN: u32 = 0;
const TYPE_OUT: u32 = 1;
const TYPE_FLUSH: u32 = 4;
const TYPE_GET_ID: u32 = 8;

const STATUS_OK: u8 = 0;
const STATUS_IOERR: u8 = 1;
const STATUS_UNSUPP: u8 = 2;

/// Bytes that `GET_ID` gives at most.
const ID_BYTES: usize = 20;

/// The model of a disk.
#[derive(Clone, Debug)]
pub struct Block {
    index: usize,
    sectors: u64,
    read_only: bool,
}

/// What a request begins with.
struct Header {
    kind: u32,
    sector: u64,
}

/// A refusal, as the status byte has it; or the end of the device.
enum Failure {
    Status(u8),
    Broken(Broken),
}

impl From<Broken> for Failure {
    fn from(why: Broken) -> Self {
        Self::Broken(why)
    }
}

const IOERR: Failure = Failure::Status(STATUS_IOERR);

impl Block {
    /// Disk `index` of `sectors`.
    pub fn new(index: usize, sectors: u64, read_only: bool) -> Self {
        Self {
            index,
            sectors,
            read_only,
        }
    }

    /// What it offers.
    pub fn features(&self) -> u64 {
        let read_only = if self.read_only { F_RO } else { 0 };
        F_SEG_MAX | F_BLK_SIZE | F_FLUSH | read_only
    }

    /// `struct virtio_blk_config`.
    pub fn config(&self) -> [u8; CONFIG_SIZE] {
        let mut config = [0; CONFIG_SIZE];
        put(&mut config, 0, &self.sectors.to_le_bytes());
        put(&mut config, 12, &SEGMENTS.to_le_bytes());
        put(&mut config, 20, &(SECTOR as u32).to_le_bytes());
        config
    }

    /// Answers the requests of the queue; whether there are more.
    pub fn work(
        &mut self,
        queue: &mut Queue,
        memory: &mut dyn GuestMemory,
        backend: &mut dyn Backend,
        budget: &mut Budget,
    ) -> Result<bool, Broken> {
        drain(queue, memory, budget, &mut |memory, chain| {
            self.request(memory, backend, chain)
        })
    }

    /// Answers a request. The last byte that may be written is its status.
    fn request(
        &self,
        memory: &mut dyn GuestMemory,
        backend: &mut dyn Backend,
        chain: &Chain,
    ) -> Result<Moved, Broken> {
        let mut from = chain.readable();
        let mut to = chain.writable();
        let header = Header::read(memory, &mut from)?;
        let room = to.left().checked_sub(1).ok_or(Broken::ShortChain)?;
        let bytes = room.max(from.left()).min(MOST);
        let mut status = to.clone();
        status.skip(room)?;
        let done = self.perform(memory, backend, &header, &mut from, &mut to, room);
        let (answer, before) = match done {
            Ok(before) => (STATUS_OK, before),
            Err(Failure::Status(answer)) => (answer, 0),
            Err(Failure::Broken(why)) => return Err(why),
        };
        // The status counts where nothing before it is left out.
        let written = before + u64::from(before == room);
        status.write(memory, &[answer])?;
        Ok(Moved {
            written: u32::try_from(written).unwrap_or(u32::MAX),
            bytes,
        })
    }

    /// Does what the header says; returns how many bytes of the `room` in `to`
    /// were written.
    fn perform(
        &self,
        memory: &mut dyn GuestMemory,
        backend: &mut dyn Backend,
        header: &Header,
        from: &mut Cursor<'_>,
        to: &mut Cursor<'_>,
        room: u64,
    ) -> Result<u64, Failure> {
        match header.kind {
            TYPE_IN => {
                let (start, length) = self.range(header.sector, room).ok_or(IOERR)?;
                let media = backend.disk(self.index).ok_or(IOERR)?;
                let bytes = match &media {
                    Media::ReadOnly(bytes) => bytes,
                    Media::Writable(bytes) => &**bytes,
                };
                let bytes = bytes.get(start..start + length).ok_or(IOERR)?;
                to.write(memory, bytes)?;
                Ok(room)
            }
            TYPE_OUT => {
                let (start, length) = self.range(header.sector, from.left()).ok_or(IOERR)?;
                match backend.disk(self.index) {
                    Some(Media::Writable(bytes)) if !self.read_only => {
                        let bytes = bytes.get_mut(start..start + length).ok_or(IOERR)?;
                        from.read(memory, bytes)?;
                        Ok(0)
                    }
                    _ => Err(IOERR),
                }
            }
            // What was written is where it will ever be.
            TYPE_FLUSH => Ok(0),
            TYPE_GET_ID => {
                let id = self.id();
                let length = room.min(ID_BYTES as u64) as usize;
                to.write(memory, id.get(..length).unwrap_or_default())?;
                Ok(length as u64)
            }
            _ => Err(Failure::Status(STATUS_UNSUPP)),
        }
    }

    /// First byte and length of whole sectors inside the disk.
    fn range(&self, sector: u64, length: u64) -> Option<(usize, usize)> {
        let sectors = length / SECTOR;
        let end = sector.checked_add(sectors)?;
        if !length.is_multiple_of(SECTOR) || length > MOST || end > self.sectors {
            return None;
        }
        let start = usize::try_from(sector.checked_mul(SECTOR)?).ok()?;
        // No overflow: the end is inside the disk, or the disk's size is absurd.
        start.checked_add(length as usize)?;
        Some((start, length as usize))
    }

    /// Its serial number, padded with zeros.
    fn id(&self) -> [u8; ID_BYTES] {
        let mut id = [0; ID_BYTES];
        put(&mut id, 0, b"suzerain-disk-");
        let digit = b'0'.saturating_add(u8::try_from(self.index).unwrap_or(9).min(9));
        put(&mut id, 14, &[digit]);
        id
    }
}

impl Header {
    fn read(memory: &mut dyn GuestMemory, from: &mut Cursor<'_>) -> Result<Self, Broken> {
        let mut bytes = [0; 16];
        from.read(memory, &mut bytes)?;
        let [k0, k1, k2, k3, _, _, _, _, sector @ ..] = bytes;
        Ok(Self {
            kind: u32::from_le_bytes([k0, k1, k2, k3]),
            sector: u64::from_le_bytes(sector),
        })
    }
}

/// Copies `bytes` to `at`, where they fit.
pub fn put(to: &mut [u8], at: usize, bytes: &[u8]) {
    if let Some(place) = to.get_mut(at..).and_then(|to| to.get_mut(..bytes.len())) {
        place.copy_from_slice(bytes);
    }
}
