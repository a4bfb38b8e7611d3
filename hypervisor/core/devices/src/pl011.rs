//! A PL011 as far as drivers use it (Arm DDI0183G).
//!
//! Bytes written leave at once, so that the transmitter is always empty; bytes
//! received wait in a FIFO. Baud rate, line control and modem lines are stored
//! and have no effect.

const DR: u64 = 0x00;
const RSR: u64 = 0x04;
const FR: u64 = 0x18;
const ILPR: u64 = 0x20;
const IBRD: u64 = 0x24;
const FBRD: u64 = 0x28;
const LCRH: u64 = 0x2c;
const CR: u64 = 0x30;
const IFLS: u64 = 0x34;
const IMSC: u64 = 0x38;
const RIS: u64 = 0x3c;
const MIS: u64 = 0x40;
const ICR: u64 = 0x44;
const DMACR: u64 = 0x48;
const ID: u64 = 0xfe0;

/// PeriphID0 to 3 (revision 1, whose FIFOs hold 16) and CellID0 to 3.
const IDS: [u8; 8] = [0x11, 0x10, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1];

const FR_TRANSMITTER_EMPTY: u32 = 1 << 7;
const FR_RECEIVER_FULL: u32 = 1 << 6;
const FR_RECEIVER_EMPTY: u32 = 1 << 4;
/// Clear to send, data set ready, carrier: a line that is connected.
const FR_MODEM: u32 = 0b111;

const LCRH_FIFO: u32 = 1 << 4;
const CR_RESET: u32 = 0x300;
const IFLS_RESET: u32 = 0x12;

const INT_RECEIVE: u32 = 1 << 4;
const INT_TRANSMIT: u32 = 1 << 5;
const INT_TIMEOUT: u32 = 1 << 6;
const INT_OVERRUN: u32 = 1 << 10;
const INT_ALL: u32 = 0x7ff;

const FIFO: usize = 16;

/// The UART.
#[derive(Clone, Debug)]
pub struct Pl011 {
    fifo: [u8; FIFO],
    first: usize,
    count: usize,
    /// Raw interrupt status.
    raw: u32,
    mask: u32,
    levels: u32,
    control: u32,
    line_control: u32,
    integer_divisor: u32,
    fractional_divisor: u32,
    low_power: u32,
    dma: u32,
}

impl Default for Pl011 {
    fn default() -> Self {
        Self {
            fifo: [0; FIFO],
            first: 0,
            count: 0,
            raw: 0,
            mask: 0,
            levels: IFLS_RESET,
            control: CR_RESET,
            line_control: 0,
            integer_divisor: 0,
            fractional_divisor: 0,
            low_power: 0,
            dma: 0,
        }
    }
}

impl Pl011 {
    /// Whether the interrupt line is asserted.
    #[inline]
    pub const fn interrupt(&self) -> bool {
        self.raw & self.mask != 0
    }

    /// Bytes that can be received now.
    pub const fn room(&self) -> usize {
        self.depth() - self.count
    }

    /// Receives a byte from the line; `false` if there is no room for it.
    pub fn receive(&mut self, byte: u8) -> bool {
        if self.count >= self.depth() {
            self.raw |= INT_OVERRUN;
            return false;
        }
        let at = (self.first + self.count) % FIFO;
        if let Some(slot) = self.fifo.get_mut(at) {
            *slot = byte;
        }
        self.count += 1;
        if self.count >= self.trigger() {
            self.raw |= INT_RECEIVE;
        }
        // On the line the time-out comes 32 bit times after the last byte.
        self.raw |= INT_TIMEOUT;
        true
    }

    /// Reads the register at `offset`. Registers are at most 16 bits wide and
    /// every width of access sees the same.
    #[inline]
    pub fn read(&mut self, offset: u64) -> u32 {
        match offset {
            FR => self.flags(),
            DR => u32::from(self.take()),
            MIS => self.raw & self.mask,
            RIS => self.raw,
            IMSC => self.mask,
            ILPR => self.low_power,
            IBRD => self.integer_divisor,
            FBRD => self.fractional_divisor,
            LCRH => self.line_control,
            CR => self.control,
            IFLS => self.levels,
            DMACR => self.dma,
            ID..=0xffc if offset.is_multiple_of(4) => IDS
                .get((offset - ID) as usize / 4)
                .map_or(0, |&byte| u32::from(byte)),
            _ => 0,
        }
    }

    /// Writes the register at `offset`; returns the byte that leaves.
    #[inline]
    pub fn write(&mut self, offset: u64, value: u32) -> Option<u8> {
        match offset {
            DR => {
                // It is gone already, so the FIFO has just run empty.
                self.raw |= INT_TRANSMIT;
                return Some(value as u8);
            }
            IMSC => self.mask = value & INT_ALL,
            ICR => self.raw &= !value,
            RSR => {}
            ILPR => self.low_power = value & 0xff,
            IBRD => self.integer_divisor = value & 0xffff,
            FBRD => self.fractional_divisor = value & 0x3f,
            LCRH => self.set_line_control(value & 0xff),
            CR => self.control = value & 0xffff,
            IFLS => self.levels = value & 0x3f,
            DMACR => self.dma = value & 0x7,
            _ => {}
        }
        None
    }

    const fn flags(&self) -> u32 {
        let mut flags = FR_TRANSMITTER_EMPTY | FR_MODEM;
        if self.count == 0 {
            flags |= FR_RECEIVER_EMPTY;
        }
        if self.count >= self.depth() {
            flags |= FR_RECEIVER_FULL;
        }
        flags
    }

    fn take(&mut self) -> u8 {
        if self.count == 0 {
            return 0;
        }
        let byte = self.fifo.get(self.first).copied().unwrap_or(0);
        self.first = (self.first + 1) % FIFO;
        self.count -= 1;
        if self.count < self.trigger() {
            self.raw &= !INT_RECEIVE;
        }
        if self.count == 0 {
            self.raw &= !INT_TIMEOUT;
        }
        byte
    }

    /// Turning the FIFO on or off empties it.
    fn set_line_control(&mut self, value: u32) {
        if (value ^ self.line_control) & LCRH_FIFO != 0 {
            self.first = 0;
            self.count = 0;
            self.raw &= !(INT_RECEIVE | INT_TIMEOUT);
        }
        self.line_control = value;
    }

    const fn depth(&self) -> usize {
        if self.line_control & LCRH_FIFO != 0 {
            FIFO
        } else {
            1
        }
    }

    /// Bytes at which the receive interrupt comes.
    const fn trigger(&self) -> usize {
        if self.line_control & LCRH_FIFO == 0 {
            return 1;
        }
        match self.levels >> 3 & 7 {
            0 => FIFO / 8,
            1 => FIFO / 4,
            2 => FIFO / 2,
            3 => FIFO * 3 / 4,
            _ => FIFO * 7 / 8,
        }
    }
}
