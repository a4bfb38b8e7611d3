//! The console: a PL011 that EL3 set up, shared with every other world.
//!
//! Lines are written whole under one lock so that CPUs do not interleave. The
//! lock is the innermost one; a holder never takes another. A CPU that is
//! stopping writes without it, because its holder may be that same CPU.
#![expect(unsafe_code, reason = "UART registers are volatile memory")]

use core::fmt::{self, Write};
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use log::{Level, LevelFilter, Log, Metadata, Record};

const DATA: u64 = 0x00;
const FLAGS: u64 = 0x18;
const TRANSMIT_FULL: u32 = 1 << 5;
/// Polls of a full transmit queue before a byte is given up.
const POLLS: u32 = 1_000_000;

/// Address of the UART; 0 until there is one.
static UART: AtomicU64 = AtomicU64::new(0);
static BUSY: AtomicBool = AtomicBool::new(false);

struct Uart(u64);

impl Uart {
    fn put(&self, byte: u8) {
        for _ in 0..POLLS {
            // SAFETY: `attach` was promised a mapped PL011 at this address.
            let flags = unsafe { ((self.0 + FLAGS) as *const u32).read_volatile() };
            if flags & TRANSMIT_FULL == 0 {
                break;
            }
        }
        // SAFETY: as above; writing the data register sends one byte.
        unsafe { ((self.0 + DATA) as *mut u32).write_volatile(u32::from(byte)) };
    }
}

impl Write for Uart {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            if byte == b'\n' {
                self.put(b'\r');
            }
            self.put(byte);
        }
        Ok(())
    }
}

struct Console;

impl Log for Console {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let level = match record.level() {
            Level::Error => "error: ",
            Level::Warn => "warning: ",
            Level::Info => "",
            Level::Debug => "debug: ",
            Level::Trace => "trace: ",
        };
        let held = lock();
        print(format_args!("rmm: {level}{}\n", record.args()));
        if held {
            BUSY.store(false, Ordering::Release);
        }
    }

    fn flush(&self) {}
}

/// Takes the lock, or gives up so that a stopping CPU can still speak.
fn lock() -> bool {
    (0..POLLS).any(|_| {
        BUSY.compare_exchange_weak(false, true, Ordering::Acquire, Ordering::Relaxed)
            .is_ok()
    })
}

/// Writes to the UART, if there is one, without any lock.
pub fn print(text: fmt::Arguments<'_>) {
    let base = UART.load(Ordering::Relaxed);
    if base != 0 {
        // Writing to the UART cannot fail.
        let _ = Uart(base).write_fmt(text);
    }
}

/// Sends the log to the PL011 at `base`.
///
/// # Safety
///
/// 1. `base` is that of a PL011, mapped as device memory in every table this
///    image uses from now on.
pub unsafe fn attach(base: u64) {
    UART.store(base, Ordering::Relaxed);
}

/// Takes over the `log` macros, at the level chosen when the image was built.
pub fn init() {
    let level = option_env!("SUZERAIN_RMM_LOG")
        .and_then(|level| level.parse().ok())
        .unwrap_or(LevelFilter::Info);
    if log::set_logger(&Console).is_ok() {
        log::set_max_level(level);
    }
}
