//! The 8250 family of UARTs, by its registers: a console that firmware has set
//! up, line format and speed included, is used as it stands.
//!
//! Sources: the data sheet of National Semiconductor's PC16550D, chapter 8; the
//! device tree binding `8250.yaml` for where registers lie and how wide an access
//! must be. What an access is, is [`Registers`]' matter, so that this can be tried
//! without a UART.

/// Receive buffer when read, transmit holding register when written.
const DATA: u8 = 0;
/// Interrupt enable.
const IER: u8 = 1;
/// Modem control.
const MCR: u8 = 4;
/// Line status.
const LSR: u8 = 5;
/// Registers that are used: everything up to the line status.
pub(crate) const REGISTERS: u64 = LSR as u64 + 1;

/// A byte has come in.
const IER_RECEIVED: u8 = 1 << 0;
/// The terminal is ready; its second output lets interrupts out on many boards.
const MCR_READY: u8 = 1 << 0 | 1 << 1 | 1 << 3;
const LSR_RECEIVED: u8 = 1 << 0;
/// Parity, framing, break: the byte is not what was sent.
const LSR_BAD_BYTE: u8 = 0b111 << 2;
/// There is room for a byte to send.
const LSR_ROOM: u8 = 1 << 5;
/// Everything is on the line.
const LSR_IDLE: u8 = 1 << 6;

/// Bytes that are dropped in one go because of a line error: a FIFO's worth.
const BAD_BYTES: usize = 16;

/// How a register is reached, by its number.
pub trait Registers {
    /// Reads a register; some change by it.
    fn read(&self, register: u8) -> u8;
    /// Writes a register.
    fn write(&self, register: u8, value: u8);
}

/// Where register `number` lies, in bytes from the first, with `reg_shift` from
/// the device tree (at most 3).
pub const fn offset(number: u8, reg_shift: u32) -> u64 {
    (number as u64) << reg_shift
}

/// A UART.
#[derive(Debug)]
pub struct Ns16550<R>(R);

impl<R: Registers> Ns16550<R> {
    /// Takes a UART that firmware has set up: it raises no interrupt until it is
    /// told to.
    pub fn take(registers: R) -> Self {
        let uart = Self(registers);
        uart.set_input_interrupt(false);
        let control = uart.0.read(MCR);
        uart.0.write(MCR, control | MCR_READY);
        uart
    }

    /// Whether a byte can be sent.
    pub fn has_room(&self) -> bool {
        self.0.read(LSR) & LSR_ROOM != 0
    }

    /// Sends a byte, for which there is room.
    pub fn send(&self, byte: u8) {
        self.0.write(DATA, byte);
    }

    /// Whether something is still on its way to the line.
    pub fn is_busy(&self) -> bool {
        self.0.read(LSR) & LSR_IDLE == 0
    }

    /// The next byte that came in whole. Taking it takes its interrupt away.
    pub fn receive(&self) -> Option<u8> {
        for _ in 0..BAD_BYTES {
            let status = self.0.read(LSR);
            if status & LSR_RECEIVED == 0 {
                return None;
            }
            let byte = self.0.read(DATA);
            if status & LSR_BAD_BYTE == 0 {
                return Some(byte);
            }
        }
        None
    }

    /// Whether an interrupt is raised when a byte comes in.
    pub fn set_input_interrupt(&self, enabled: bool) {
        self.0.write(IER, if enabled { IER_RECEIVED } else { 0 });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    extern crate std;
    use core::cell::RefCell;
    use std::collections::VecDeque;
    use std::vec::Vec;

    /// What is on the other side of the registers.
    #[derive(Default)]
    struct Fake {
        written: RefCell<Vec<(u8, u8)>>,
        /// Line status and the byte behind it.
        incoming: RefCell<VecDeque<(u8, u8)>>,
        idle: u8,
    }

    impl Registers for &Fake {
        fn read(&self, register: u8) -> u8 {
            let mut incoming = self.incoming.borrow_mut();
            match register {
                LSR => self.idle | incoming.front().map_or(0, |(status, _)| *status),
                DATA => incoming.pop_front().map_or(0, |(_, byte)| byte),
                MCR => 0x10,
                _ => panic!("register {register} is read"),
            }
        }

        fn write(&self, register: u8, value: u8) {
            self.written.borrow_mut().push((register, value));
        }
    }

    fn fake(idle: u8, incoming: &[(u8, u8)]) -> Fake {
        Fake {
            incoming: RefCell::new(incoming.iter().copied().collect()),
            idle,
            ..Fake::default()
        }
    }

    #[test]
    fn registers_lie_as_far_apart_as_the_tree_says() {
        assert_eq!(offset(LSR, 0), 5);
        assert_eq!(offset(LSR, 2), 0x14);
        assert_eq!(offset(DATA, 3), 0);
        assert_eq!(offset(MCR, 1), 8);
    }

    #[test]
    fn line_format_and_speed_stay_as_firmware_set_them() {
        let fake = fake(0, &[]);
        let uart = Ns16550::take(&fake);
        uart.set_input_interrupt(true);
        uart.send(b'x');
        // No FIFO control, line control or divisor among them, and what MCR had.
        let expected = [(IER, 0), (MCR, 0x1b), (IER, 1), (DATA, b'x')];
        assert_eq!(*fake.written.borrow(), expected);
    }

    #[test]
    fn a_byte_is_sent_when_there_is_room_and_gone_when_the_line_is_idle() {
        for (status, room, busy) in [(0, false, true), (0x20, true, true), (0x60, true, false)] {
            let fake = fake(status, &[]);
            let uart = Ns16550::take(&fake);
            assert_eq!((uart.has_room(), uart.is_busy()), (room, busy));
        }
    }

    #[test]
    fn bytes_with_a_line_error_are_dropped_and_a_bad_line_ends() {
        let fake = fake(
            0x60,
            &[
                (0x05, b'p'),
                (0x09, b'f'),
                (0x11, 0),
                (0x03, b'a'),
                (1, b'b'),
            ],
        );
        let uart = Ns16550::take(&fake);
        // Behind an overrun (bit 1) the byte is a good one.
        assert_eq!(uart.receive(), Some(b'a'));
        assert_eq!(uart.receive(), Some(b'b'));
        assert_eq!(uart.receive(), None);
        let bad = fake_that_never_ends();
        assert_eq!(Ns16550::take(&bad).receive(), None);
    }

    fn fake_that_never_ends() -> Fake {
        fake(LSR_RECEIVED | 1 << 3, &[])
    }
}
