//! The UART, shared by the log, the guests and the summary.
//!
//! Guests' output is gathered by line before it gets here, so that the lock is
//! taken once per line. The column is tracked so that a log line or the summary
//! never starts in the middle of a guest's.
#![expect(unsafe_code, reason = "the UART is taken, and its lock broken")]

use core::fmt::{self, Write};

use log::{Level, LevelFilter, Log, Metadata, Record};

use crate::arch::timer;
use crate::sync::{Mutex, rank};
use crate::uart::Line;

/// Looks at the UART's state before a byte is given up: seconds at any speed a
/// console has.
const PATIENCE: u32 = 10_000_000;

struct Console {
    uart: Line,
    at_line_start: bool,
}

static CONSOLE: Mutex<Option<Console>, { rank::UART }> = Mutex::new(None);

/// Takes the UART that the platform describes, mapped as a device, and starts
/// the log. Returns false if it cannot be where the platform says.
pub fn open(uart: &platform::Uart) -> bool {
    // SAFETY: (1) the caller has mapped it for good, (2) and calls this once.
    let Some(uart) = (unsafe { Line::take(uart) }) else {
        return false;
    };
    *CONSOLE.lock() = Some(Console {
        uart,
        at_line_start: true,
    });
    // A second logger is refused, and there is none.
    let _ = log::set_logger(&Logger);
    log::set_max_level(LevelFilter::Info);
    true
}

/// Breaks the lock: this CPU is about to stop and has something to say.
pub fn seize() {
    // SAFETY: whoever held the lock is this CPU, in code that it will not come
    // back to, or another that a torn line does not hurt.
    unsafe { CONSOLE.force_unlock() };
}

/// Waits until everything written is on the line.
pub fn drain() {
    if let Some(console) = CONSOLE.lock().as_ref() {
        for _ in 0..PATIENCE {
            if !console.uart.is_busy() {
                return;
            }
            core::hint::spin_loop();
        }
    }
}

/// Writes bytes as they are.
pub fn write(bytes: &[u8]) {
    if let Some(console) = CONSOLE.lock().as_mut() {
        console.write(bytes);
    }
}

/// Ends a line that someone has begun.
pub fn fresh_line() {
    if let Some(console) = CONSOLE.lock().as_mut() {
        console.fresh_line();
    }
}

/// Writes a line of its own.
pub fn line(arguments: fmt::Arguments<'_>) {
    if let Some(console) = CONSOLE.lock().as_mut() {
        console.fresh_line();
        // A console takes everything.
        let _ = console.write_fmt(arguments);
        console.write(b"\r\n");
    }
}

/// Whether the UART raises its interrupt when a byte comes in.
pub fn set_input_interrupt(enabled: bool) {
    if let Some(console) = CONSOLE.lock().as_mut() {
        console.uart.set_input_interrupt(enabled);
    }
}

/// The next byte that came in.
pub fn read() -> Option<u8> {
    let mut console = CONSOLE.lock();
    console.as_mut()?.uart.receive()
}

impl Console {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.put(byte);
        }
        if let Some(last) = bytes.last() {
            self.at_line_start = *last == b'\n';
        }
    }

    fn fresh_line(&mut self) {
        if !self.at_line_start {
            self.write(b"\r\n");
        }
    }

    fn put(&mut self, byte: u8) {
        for _ in 0..PATIENCE {
            if self.uart.has_room() {
                self.uart.send(byte);
                return;
            }
            core::hint::spin_loop();
        }
        // A UART that takes nothing must not stop the machine.
    }
}

impl Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.write(text.as_bytes());
        Ok(())
    }
}

struct Logger;

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let micros = timer::micros();
        let (seconds, micros) = (micros / 1_000_000, micros % 1_000_000);
        let level = match record.level() {
            Level::Error => "error: ",
            Level::Warn => "warning: ",
            Level::Info => "",
            Level::Debug => "debug: ",
            Level::Trace => "trace: ",
        };
        line(format_args!(
            "[{seconds:>5}.{micros:06}] {level}{}",
            record.args()
        ));
    }

    fn flush(&self) {}
}
