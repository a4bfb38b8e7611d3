//! The source of entropy (virtio 1.2, 5.4).

use crate::device::{Budget, Moved, drain};
use crate::queue::Queue;
use crate::{Backend, Broken, GuestMemory};

/// Its device ID.
pub const ID: u32 = 4;

/// Bytes given for one request; a driver that wants more asks again.
const MOST: usize = 256;

/// Fills the buffers of the queue; whether there are more.
pub fn fill(
    queue: &mut Queue,
    memory: &mut dyn GuestMemory,
    backend: &mut dyn Backend,
    budget: &mut Budget,
) -> Result<bool, Broken> {
    drain(queue, memory, budget, &mut |memory, chain| {
        let mut buffer = chain.writable();
        let room = buffer.left().min(MOST as u64) as usize;
        let mut bytes = [0; MOST];
        let count = backend.entropy(bytes.get_mut(..room).unwrap_or_default());
        let bytes = bytes.get(..count.min(room)).unwrap_or_default();
        buffer.write(memory, bytes)?;
        Ok(Moved {
            written: bytes.len() as u32,
            // Random bytes are dear: the budget counts them as a page each.
            bytes: 4096,
        })
    })
}
