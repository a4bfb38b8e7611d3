//! The network card (virtio 1.2, 5.1): one pair of queues, no offloads.
//!
//! A large MTU stands in for offloads: the fewer frames, the fewer exits.

use heapless::Vec;

use crate::block::{CONFIG_SIZE, put};
use crate::chain::Chain;
use crate::device::{Budget, Moved, drain};
use crate::queue::Queue;
use crate::{Backend, Broken, GuestMemory};

/// Its device ID.
pub const ID: u32 = 1;

/// Bytes of an Ethernet header: destination, source, type.
pub const HEAD: usize = 14;
/// Bytes that follow the Ethernet header at most.
pub const MTU: u16 = 32_000;
/// Bytes of a frame at most.
pub const MAX_FRAME: usize = HEAD + MTU as usize;

/// An Ethernet address.
pub type Mac = [u8; 6];

const F_MTU: u64 = 1 << 3;
const F_MAC: u64 = 1 << 5;
/// `VIRTIO_NET_F_MRG_RXBUF`: a frame may be spread over several chains.
pub const MERGEABLE: u64 = 1 << 15;
/// What it offers.
pub const FEATURES: u64 = F_MTU | F_MAC | MERGEABLE;

/// Bytes of `struct virtio_net_hdr`.
const HEADER: usize = 12;
/// Where `num_buffers` lies in it.
const NUM_BUFFERS: usize = 10;

/// How often buffers that come while the driver is asked for them are tried.
const TRIES: usize = 4;

/// Chains that one frame is spread over at most: buffers of 512 bytes would do.
const PIECES: usize = 64;

/// The model of a network card.
#[derive(Clone, Debug)]
pub struct Net {
    mac: Mac,
    dropped: u64,
}

/// What became of the frame that waits.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Delivered,
    Dropped,
    /// The guest has too few buffers for it now.
    NoRoom,
}

impl Net {
    /// A card with this address.
    pub fn new(mac: Mac) -> Self {
        Self { mac, dropped: 0 }
    }

    /// Frames of impossible length.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// `struct virtio_net_config`.
    pub fn config(&self) -> [u8; CONFIG_SIZE] {
        let mut config = [0; CONFIG_SIZE];
        put(&mut config, 0, &self.mac);
        put(&mut config, 10, &MTU.to_le_bytes());
        config
    }

    /// Sends the frames of the transmit queue; whether there are more.
    pub fn send(
        &mut self,
        queue: &mut Queue,
        memory: &mut dyn GuestMemory,
        backend: &mut dyn Backend,
        budget: &mut Budget,
    ) -> Result<bool, Broken> {
        drain(queue, memory, budget, &mut |memory, chain| {
            let mut from = chain.readable();
            // Without offloads the header says nothing.
            from.skip(HEADER as u64)?;
            let length = from.left();
            let done = Moved {
                written: 0,
                bytes: length.min(MAX_FRAME as u64),
            };
            if length < HEAD as u64 || length > MAX_FRAME as u64 {
                self.dropped = self.dropped.saturating_add(1);
                return Ok(done);
            }
            let mut head = [0; HEAD];
            from.read(memory, &mut head)?;
            backend.send(&head, length as usize - HEAD, &mut |to| {
                from.read(memory, to)
            })?;
            Ok(done)
        })
    }

    /// Puts frames that wait into the buffers of the receive queue; whether
    /// there are more of both.
    pub fn receive(
        &mut self,
        queue: &mut Queue,
        memory: &mut dyn GuestMemory,
        backend: &mut dyn Backend,
        budget: &mut Budget,
        mergeable: bool,
    ) -> Result<bool, Broken> {
        if !queue.is_ready() {
            return Ok(false);
        }
        let most = if mergeable { PIECES } else { 1 };
        loop {
            if budget.is_spent() {
                return Ok(true);
            }
            let mut outcome = Outcome::NoRoom;
            let taken = backend.receive(&mut |frame| {
                budget.spend(frame.len() as u64);
                outcome = deliver(queue, memory, frame, most)?;
                Ok(outcome != Outcome::NoRoom)
            })?;
            match (taken, outcome) {
                (true, Outcome::Dropped) => self.dropped = self.dropped.saturating_add(1),
                (true, _) => {}
                // The guest's buffers do, and nothing waits.
                (false, _) => return Ok(false),
            }
        }
    }
}

/// Writes a frame into as many buffers as it takes.
fn deliver(
    queue: &mut Queue,
    memory: &mut dyn GuestMemory,
    frame: &[u8],
    most: usize,
) -> Result<Outcome, Broken> {
    for _ in 0..TRIES {
        let outcome = place(queue, memory, frame, most)?;
        // Buffers may have come while the driver was asked to tell of them.
        if outcome != Outcome::NoRoom || !queue.wait_for_more(memory)? {
            return Ok(outcome);
        }
    }
    Ok(Outcome::NoRoom)
}

/// Writes a frame into the buffers there are; if they do not suffice, they are
/// untaken again.
fn place(
    queue: &mut Queue,
    memory: &mut dyn GuestMemory,
    frame: &[u8],
    most: usize,
) -> Result<Outcome, Broken> {
    let mut chain = Chain::default();
    let mut pieces: Vec<(u16, u32), PIECES> = Vec::new();
    // Where the header says how many buffers there are, known in the end.
    let mut count_at = None;
    let mut rest = frame;
    while count_at.is_none() || !rest.is_empty() {
        if pieces.len() >= most {
            queue.untake(pieces.len() as u16);
            return Ok(Outcome::Dropped);
        }
        if !queue.pop(memory, &mut chain)? {
            queue.untake(pieces.len() as u16);
            return Ok(Outcome::NoRoom);
        }
        let mut to = chain.writable();
        let mut written = 0;
        if count_at.is_none() {
            to.write(memory, &[0; NUM_BUFFERS])?;
            count_at = Some([to.byte()?, to.byte()?]);
            written = HEADER;
        }
        let room = usize::try_from(to.left()).unwrap_or(usize::MAX);
        let (now, later) = rest.split_at_checked(room).unwrap_or((rest, &[]));
        to.write(memory, now)?;
        rest = later;
        written += now.len();
        if written == 0 || pieces.push((chain.head, written as u32)).is_err() {
            return Err(Broken::ShortChain);
        }
    }
    let count = (pieces.len() as u16).to_le_bytes();
    for (ipa, byte) in count_at.into_iter().flatten().zip(count) {
        memory.write(ipa, &[byte])?;
    }
    for (head, written) in pieces {
        queue.give_back(memory, head, written)?;
    }
    queue.publish(memory)?;
    Ok(Outcome::Delivered)
}
