//! Printing on the machine's PL011, as firmware has left it.
#![expect(unsafe_code, reason = "device registers by address")]

use core::fmt::{self, Write};
use core::hint::spin_loop;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

const DR: u64 = 0x00;
const FR: u64 = 0x18;
const CR: u64 = 0x30;
const FR_TXFF: u32 = 1 << 5;
const CR_ON: u32 = 0x301;

/// Address of the registers; 0 until they are mapped.
static BASE: AtomicU64 = AtomicU64::new(0);

/// Prints from now on to the PL011 at `base`.
///
/// # Safety
///
/// 1. A PL011 is at `base`, mapped as a device, and nobody else uses it.
pub unsafe fn open(base: u64) {
    let control = (base + CR) as *mut u32;
    // SAFETY: condition 1.
    unsafe { control.write_volatile(CR_ON) };
    BASE.store(base, Ordering::Relaxed);
}

/// Whether a CPU prints a line.
static BUSY: AtomicBool = AtomicBool::new(false);

/// Prints a line; those of other CPUs come before it or after it.
pub fn line(text: fmt::Arguments<'_>) {
    while BUSY.swap(true, Ordering::Acquire) {
        spin_loop();
    }
    // Without a console there is nobody to tell.
    let _ = writeln!(Console, "{text}");
    BUSY.store(false, Ordering::Release);
}

/// The console.
struct Console;

impl Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let base = BASE.load(Ordering::Relaxed);
        if base == 0 {
            return Err(fmt::Error);
        }
        for byte in text.bytes() {
            if byte == b'\n' {
                put(base, b'\r');
            }
            put(base, byte);
        }
        Ok(())
    }
}

fn put(base: u64, byte: u8) {
    let flags = (base + FR) as *const u32;
    let data = (base + DR) as *mut u32;
    // SAFETY: condition 1 of `open`, which has set the base.
    while unsafe { flags.read_volatile() } & FR_TXFF != 0 {
        spin_loop();
    }
    // SAFETY: as above.
    unsafe { data.write_volatile(u32::from(byte)) };
}

/// Prints a line.
#[macro_export]
macro_rules! println {
    ($($arg:tt)*) => { $crate::console::line(format_args!($($arg)*)) };
}
