//! The UART behind its lock: the sink that all output ends in, and where what is
//! typed comes from.
#![expect(unsafe_code, reason = "the UART is taken, and its lock broken")]

use core::fmt;

use shell::Sink;

use crate::sync::{self, Mutex, rank};
use crate::uart::Line;

/// Looks at the UART's state before a byte is given up: seconds at any speed a
/// console has.
const PATIENCE: u32 = 10_000_000;

/// The UART, once there is one. Without it output goes nowhere.
pub struct Port(Option<Line>);

static PORT: Mutex<Port, { rank::UART }> = Mutex::new(Port(None));

/// Takes the UART that the platform describes, mapped as a device. Returns false
/// if it cannot be where the platform says.
pub fn open(uart: &platform::Uart) -> bool {
    // SAFETY: (1) the caller has mapped it for good, (2) and calls this once.
    let line = unsafe { Line::take(uart) };
    let is_there = line.is_some();
    *PORT.lock() = Port(line);
    is_there
}

/// Acts on the UART, which no other CPU does meanwhile.
pub fn with<R>(act: impl FnOnce(&mut Port) -> R) -> R {
    act(&mut PORT.lock())
}

/// Breaks the lock: this CPU is about to stop and has something to say.
pub fn seize() {
    sync::forget();
    // SAFETY: whoever held the lock is this CPU, in code that it will not come
    // back to, or another that a torn line does not hurt.
    unsafe { PORT.force_unlock() };
}

impl Port {
    /// The next byte that came in.
    pub fn read(&mut self) -> Option<u8> {
        self.0.as_mut()?.receive()
    }

    /// Whether an interrupt is raised when a byte comes in.
    pub fn set_input_interrupt(&mut self, enabled: bool) {
        if let Some(line) = &mut self.0 {
            line.set_input_interrupt(enabled);
        }
    }

    /// Waits until everything written is on the line.
    pub fn drain(&self) {
        let is_busy = || self.0.as_ref().is_some_and(Line::is_busy);
        for _ in 0..PATIENCE {
            if !is_busy() {
                return;
            }
            core::hint::spin_loop();
        }
    }
}

impl Sink for Port {
    fn put(&mut self, bytes: &[u8]) {
        if let Some(line) = &mut self.0 {
            bytes.iter().for_each(|byte| send(line, *byte));
        }
    }
}

impl fmt::Write for Port {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.put(text.as_bytes());
        Ok(())
    }
}

/// Sends a byte; a UART that takes nothing must not stop the machine.
fn send(line: &mut Line, byte: u8) {
    for _ in 0..PATIENCE {
        if line.has_room() {
            line.send(byte);
            return;
        }
        core::hint::spin_loop();
    }
}
