//! What is typed on the console, until a guest takes it.

use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use heapless::Deque;

use crate::console;
use crate::sync::{Mutex, rank};

/// Bytes of input kept for a guest that does not read; more wait in the UART.
const INPUT: usize = 256;

static INPUT_BYTES: Mutex<Deque<u8, INPUT>, { rank::CONSOLE }> = Mutex::new(Deque::new());
/// How many there are, for a look without the lock.
static COUNT: AtomicUsize = AtomicUsize::new(0);

/// Takes what came in on the UART, as far as there is room. Then the UART keeps
/// the rest, and its interrupt rests with it.
pub fn receive() {
    fill(&mut INPUT_BYTES.lock());
}

fn fill(bytes: &mut Deque<u8, INPUT>) {
    while !bytes.is_full() {
        match console::read() {
            Some(byte) => {
                let _ = bytes.push_back(byte);
            }
            None => break,
        }
    }
    if bytes.is_full() {
        console::set_input_interrupt(false);
    }
    COUNT.store(bytes.len(), Relaxed);
}

/// Whether there is nothing.
#[inline]
pub fn is_empty() -> bool {
    COUNT.load(Relaxed) == 0
}

/// The next byte, which stays there.
pub fn peek() -> Option<u8> {
    INPUT_BYTES.lock().front().copied()
}

/// The next byte.
pub fn take() -> Option<u8> {
    let mut bytes = INPUT_BYTES.lock();
    let was_full = bytes.is_full();
    let byte = bytes.pop_front();
    COUNT.store(bytes.len(), Relaxed);
    if was_full {
        console::set_input_interrupt(true);
        // What waited in the UART announces itself no second time.
        fill(&mut bytes);
    }
    byte
}
