//! The machine's UART: a PL011 or one of the 8250 family, as the device tree says.
//!
//! Line format and speed are the boot loader's: the tree does not say what the
//! UART's clock makes of the divisors.
#![expect(unsafe_code, reason = "the UART's registers are device memory")]

use core::ptr::NonNull;

use addr::PhysAddr;
use arm_pl011_uart::{Interrupts, PL011Registers, Uart as Pl011};
use platform::UartKind;
use platform::ns16550::{self, Ns16550, Registers};
use platform::pl011::{self, LineError};
use safe_mmio::UniqueMmioPointer;

/// A UART that can be used.
pub enum Line {
    /// Arm's.
    Pl011(Pl011<'static>),
    /// The 8250 family.
    Ns16550(Ns16550<Window>),
}

/// The registers of an 8250, which lie in device memory.
pub struct Window {
    base: PhysAddr,
    reg_shift: u32,
    io_width: u32,
}

/// A PL011's input.
struct Fifo<'l>(&'l mut Pl011<'static>);

impl pl011::Input for Fifo<'_> {
    fn clear(&mut self) {
        self.0.clear_interrupts(Interrupts::RXI | Interrupts::RTI);
    }

    fn read(&mut self) -> Option<Result<u8, LineError>> {
        self.0.read_word().map_err(|_| LineError).transpose()
    }
}

impl Line {
    /// Takes the UART that the platform describes. `None` if it cannot be where
    /// the platform says.
    ///
    /// # Safety
    ///
    /// 1. The registers are mapped as a device, and stay so.
    /// 2. Nobody else uses the UART from now on, so this is called once.
    pub unsafe fn take(uart: &platform::Uart) -> Option<Self> {
        let base = uart.registers.base();
        Some(match uart.kind {
            UartKind::Pl011 => {
                let registers = NonNull::new(base.raw() as *mut PL011Registers)?;
                enable_pl011(base);
                // SAFETY: the platform says that a PL011 is there, it is mapped
                // (1), and the pointer is unique (2).
                Self::Pl011(Pl011::new(unsafe { UniqueMmioPointer::new(registers) }))
            }
            UartKind::Ns16550 {
                reg_shift,
                io_width,
            } => Self::Ns16550(Ns16550::take(Window {
                base,
                reg_shift,
                io_width,
            })),
        })
    }

    /// Whether a byte can be sent.
    pub fn has_room(&self) -> bool {
        match self {
            Self::Pl011(uart) => !uart.is_tx_fifo_full(),
            Self::Ns16550(uart) => uart.has_room(),
        }
    }

    /// Sends a byte, for which there is room.
    pub fn send(&mut self, byte: u8) {
        match self {
            Self::Pl011(uart) => uart.write_word(byte),
            Self::Ns16550(uart) => uart.send(byte),
        }
    }

    /// Whether something is still on its way to the line.
    pub fn is_busy(&self) -> bool {
        match self {
            Self::Pl011(uart) => uart.is_busy(),
            Self::Ns16550(uart) => uart.is_busy(),
        }
    }

    /// The next byte that came in; one with a line error is dropped.
    pub fn receive(&mut self) -> Option<u8> {
        match self {
            Self::Pl011(uart) => pl011::receive(&mut Fifo(uart)),
            Self::Ns16550(uart) => uart.receive(),
        }
    }

    /// Whether an interrupt is raised when a byte comes in.
    pub fn set_input_interrupt(&mut self, enabled: bool) {
        match self {
            Self::Pl011(uart) => uart.set_interrupt_masks(match enabled {
                true => Interrupts::RXI | Interrupts::RTI,
                false => Interrupts::empty(),
            }),
            Self::Ns16550(uart) => uart.set_input_interrupt(enabled),
        }
    }
}

/// Turns a PL011 on that nobody has turned on.
fn enable_pl011(base: PhysAddr) {
    const UARTLCR_H: u64 = 0x2c;
    const UARTCR: u64 = 0x30;
    const EIGHT_BITS_AND_FIFOS: u32 = 3 << 5 | 1 << 4;
    const ENABLED: u32 = 1 << 9 | 1 << 8 | 1;
    let control = (base.raw() + UARTCR) as *mut u32;
    let line_control = (base.raw() + UARTLCR_H) as *mut u32;
    // SAFETY: a register of the PL011 that the platform describes.
    let value = unsafe { control.read_volatile() };
    if value & 1 == 0 {
        // SAFETY: as above; the UART is off, as its manual wants for this.
        unsafe { line_control.write_volatile(EIGHT_BITS_AND_FIFOS) };
        // SAFETY: as above.
        unsafe { control.write_volatile(value | ENABLED) };
    }
}

impl Window {
    fn register(&self, number: u8) -> u64 {
        self.base.raw() + ns16550::offset(number, self.reg_shift)
    }
}

impl Registers for Window {
    fn read(&self, register: u8) -> u8 {
        let at = self.register(register);
        match self.io_width {
            // SAFETY: `Line::take` was promised that the registers are mapped
            // (1); the platform has checked that they are all there, and that an
            // access of this width is aligned.
            4 => (unsafe { (at as *const u32).read_volatile() }) as u8,
            // SAFETY: as above.
            2 => (unsafe { (at as *const u16).read_volatile() }) as u8,
            // SAFETY: as above.
            _ => unsafe { (at as *const u8).read_volatile() },
        }
    }

    fn write(&self, register: u8, value: u8) {
        let at = self.register(register);
        match self.io_width {
            // SAFETY: as for `read`; a UART's register changes no memory.
            4 => unsafe { (at as *mut u32).write_volatile(value.into()) },
            // SAFETY: as above.
            2 => unsafe { (at as *mut u16).write_volatile(value.into()) },
            // SAFETY: as above.
            _ => unsafe { (at as *mut u8).write_volatile(value) },
        }
    }
}
