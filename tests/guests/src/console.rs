//! Printing: by host call from the first instruction on, or through the PL011.

use crate::mmio::Mmio;
use crate::smc;
use core::fmt::{self, Write};
use rsi::HostCall;
use rsi::host_call;

/// Writes by host call, a packet of up to 240 bytes at a time.
#[derive(Clone, Copy, Debug)]
pub struct Console;

impl Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            let mut call = HostCall {
                imm: u64::from(host_call::CONSOLE_WRITE),
                ..HostCall::default()
            };
            let packed = host_call::pack(&mut call.gprs, rest);
            if smc::host_call(&mut call) != 0 {
                return Err(fmt::Error);
            }
            rest = rest.get(packed..).unwrap_or_default();
        }
        Ok(())
    }
}

/// A line under construction, so that one line is one host call.
#[derive(Debug)]
pub struct Line {
    text: [u8; 512],
    used: usize,
}

impl Line {
    /// An empty line.
    pub const fn new() -> Self {
        Self {
            text: [0; 512],
            used: 0,
        }
    }

    /// Prints what has been written.
    pub fn flush(&mut self) {
        let text = self.text.get(..self.used).unwrap_or_default();
        // What cannot be printed cannot be reported either.
        let _ = Console.write_str(core::str::from_utf8(text).unwrap_or("?\n"));
        self.used = 0;
    }
}

impl Default for Line {
    fn default() -> Self {
        Self::new()
    }
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            if self.used == self.text.len() {
                self.flush();
            }
            if let Some(slot) = self.text.get_mut(self.used) {
                *slot = byte;
                self.used += 1;
            }
        }
        Ok(())
    }
}

/// Prints a line on the console.
#[macro_export]
macro_rules! println {
    () => { $crate::println!("") };
    ($($arg:tt)*) => {{
        let mut line = $crate::console::Line::new();
        // A line takes any text.
        let _ = core::fmt::Write::write_fmt(&mut line, format_args!($($arg)*));
        let _ = core::fmt::Write::write_str(&mut line, "\n");
        line.flush();
    }};
}

/// The emulated PL011, as a driver would use it.
#[derive(Clone, Copy, Debug)]
pub struct Pl011(Mmio);

impl Pl011 {
    const DR: u64 = 0x00;
    const FR: u64 = 0x18;
    const FR_TXFF: u32 = 1 << 5;

    /// The UART of the guest machine, through the shared alias.
    pub const fn new(shared_bit: u64) -> Self {
        Self(Mmio::new(vm_config::map::UART_BASE.raw() | shared_bit))
    }

    /// The flag register.
    pub fn flags(self) -> u32 {
        self.0.read(Self::FR)
    }

    /// Sends text; gives up on a transmitter that stays full.
    pub fn send(self, text: &str) -> Result<(), fmt::Error> {
        for byte in text.bytes() {
            let mut patience = 10_000;
            while self.flags() & Self::FR_TXFF != 0 {
                patience -= 1;
                if patience == 0 {
                    return Err(fmt::Error);
                }
            }
            self.0.write(Self::DR, u32::from(byte));
        }
        Ok(())
    }
}
