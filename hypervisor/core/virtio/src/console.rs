//! The console (virtio 1.2, 5.3): one port, no control queues.

use crate::chain::Chain;
use crate::device::{Budget, Moved, drain};
use crate::queue::Queue;
use crate::{Backend, Broken, GuestMemory};

/// Its device ID.
pub const ID: u32 = 3;

/// Bytes copied at a time.
const PIECE: usize = 256;
/// Bytes of one chain that are printed; what lies behind is lost.
const PRINTED: u64 = 64 << 10;
/// Pieces of input given to the guest in one call at most.
const PIECES: usize = 64;

/// Prints what the transmit queue holds; whether there is more.
pub fn print(
    queue: &mut Queue,
    memory: &mut dyn GuestMemory,
    backend: &mut dyn Backend,
    budget: &mut Budget,
) -> Result<bool, Broken> {
    drain(queue, memory, budget, &mut |memory, chain| {
        let mut text = chain.readable();
        let mut left = text.left().min(PRINTED);
        let bytes = left;
        let mut piece = [0; PIECE];
        while left > 0 {
            let length = left.min(PIECE as u64) as usize;
            let now = piece.get_mut(..length).unwrap_or_default();
            text.read(memory, now)?;
            backend.print(now);
            left -= length as u64;
        }
        Ok(Moved { written: 0, bytes })
    })
}

/// Puts input into the buffers of the receive queue; whether there is more of
/// both.
pub fn input(
    queue: &mut Queue,
    memory: &mut dyn GuestMemory,
    backend: &mut dyn Backend,
) -> Result<bool, Broken> {
    let mut chain = Chain::default();
    for _ in 0..PIECES {
        if !queue.is_ready() || !backend.has_input() {
            return Ok(false);
        }
        let found = queue.pop(memory, &mut chain)?
            || queue.wait(memory)? && queue.pop(memory, &mut chain)?;
        if !found {
            return Ok(false);
        }
        let mut buffer = chain.writable();
        let mut piece = [0; PIECE];
        let room = buffer.left().min(PIECE as u64) as usize;
        if room == 0 {
            return Err(Broken::ShortChain);
        }
        let count = backend.input(piece.get_mut(..room).unwrap_or_default());
        let bytes = piece.get(..count.min(room)).unwrap_or_default();
        buffer.write(memory, bytes)?;
        queue.give_back(memory, chain.head, bytes.len() as u32)?;
        queue.publish(memory)?;
    }
    Ok(true)
}
