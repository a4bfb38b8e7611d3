//! The PL011 that the monitor shares with the other images.
//!
//! Only whole lines are written under the lock.

use crate::hw::mmio::Device;
use core::fmt::{self, Write};

const DATA: u64 = 0x00;
const FLAGS: u64 = 0x18;
const FLAG_TX_FULL: u32 = 1 << 5;
const LINE_CONTROL: u64 = 0x2c;
const LINE_8N1_FIFO: u32 = 0b11 << 5 | 1 << 4;
const CONTROL: u64 = 0x30;
const CONTROL_ENABLE: u32 = 1 << 9 | 1 << 8 | 1;
/// Reads of the flags after which a stuck line is given up.
const PATIENCE: u32 = 100_000;

static LOCK: spin::Mutex<()> = spin::Mutex::new(());

/// Enables the line, for the images after the monitor as well. QEMU ignores the
/// speed.
pub fn set_up() {
    Device::UART.write(LINE_CONTROL, LINE_8N1_FIFO);
    Device::UART.write(CONTROL, CONTROL_ENABLE);
}

struct Line;

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            if byte == b'\n' {
                put(b'\r');
            }
            put(byte);
        }
        Ok(())
    }
}

fn put(byte: u8) {
    for _ in 0..PATIENCE {
        if Device::UART.read(FLAGS) & FLAG_TX_FULL == 0 {
            break;
        }
    }
    Device::UART.write(DATA, u32::from(byte));
}

/// Writes one line.
pub fn line(text: fmt::Arguments<'_>) {
    let _guard = LOCK.lock();
    let _ = writeln!(Line, "monitor: {text}");
}

/// Writes one line without waiting for anybody: for the last words.
pub fn last_words(text: fmt::Arguments<'_>) {
    let _ = writeln!(Line, "\nmonitor: {text}");
}

macro_rules! say {
    ($($text:tt)*) => { $crate::hw::console::line(format_args!($($text)*)) };
}
