//! A PL061 as far as drivers use it (Arm DDI0190B): eight lines, of which the
//! guest reads those that are inputs and is interrupted by them.
//!
//! Lines that the guest makes outputs lead nowhere. The choice of hardware
//! control (`GPIOAFSEL`) is stored and has no effect, and there are no test
//! registers. Registers are 8 bits wide and every width of access sees the same.

/// End of `GPIODATA`: bits 9 to 2 of the address say which lines an access is about.
pub const DATA_END: u64 = 0x400;
const DIR: u64 = 0x400;
const IS: u64 = 0x404;
const IBE: u64 = 0x408;
const IEV: u64 = 0x40c;
const IE: u64 = 0x410;
const RIS: u64 = 0x414;
const MIS: u64 = 0x418;
const IC: u64 = 0x41c;
const AFSEL: u64 = 0x420;
const ID: u64 = 0xfe0;

/// `GPIOPeriphID0` to 3 and `GPIOPCellID0` to 3.
const IDS: [u8; 8] = [0x61, 0x10, 0x04, 0x00, 0x0d, 0xf0, 0x05, 0xb1];

/// The GPIO controller.
#[derive(Clone, Debug, Default)]
pub struct Pl061 {
    /// What is applied to the lines from outside.
    input: u8,
    /// What the guest drives the lines with that are outputs.
    output: u8,
    /// Lines that are outputs.
    direction: u8,
    /// Lines whose level interrupts, and not an edge.
    by_level: u8,
    /// Lines both of whose edges interrupt.
    both_edges: u8,
    /// Lines that interrupt when high or rising, and not when low or falling.
    event: u8,
    enabled: u8,
    /// Edges that came and were not cleared yet.
    edges: u8,
    hardware_control: u8,
}

impl Pl061 {
    /// Whether the interrupt line (`GPIOINTR`) is asserted.
    pub const fn interrupt(&self) -> bool {
        self.masked() != 0
    }

    /// Applies a level to line `line`, 0 to 7, from outside.
    pub fn apply(&mut self, line: u32, high: bool) {
        let bit = 1u8.checked_shl(line).unwrap_or(0);
        let before = self.input;
        match high {
            true => self.input |= bit,
            false => self.input &= !bit,
        }
        let changed = (self.input ^ before) & !self.direction & !self.by_level;
        let wanted = self.both_edges | !(self.input ^ self.event);
        self.edges |= changed & wanted;
    }

    /// Reads the register at `offset`.
    pub fn read(&self, offset: u64) -> u8 {
        match offset {
            0..DATA_END => self.lines() & lines_of(offset),
            DIR => self.direction,
            IS => self.by_level,
            IBE => self.both_edges,
            IEV => self.event,
            IE => self.enabled,
            RIS => self.raw(),
            MIS => self.masked(),
            AFSEL => self.hardware_control,
            ID..=0xffc if offset.is_multiple_of(4) => IDS
                .get((offset - ID) as usize / 4)
                .copied()
                .unwrap_or_default(),
            _ => 0,
        }
    }

    /// Writes the register at `offset`.
    pub fn write(&mut self, offset: u64, value: u8) {
        match offset {
            0..DATA_END => {
                let driven = lines_of(offset) & self.direction;
                self.output = self.output & !driven | value & driven;
            }
            DIR => self.direction = value,
            IS => self.by_level = value,
            IBE => self.both_edges = value,
            IEV => self.event = value,
            IE => self.enabled = value,
            IC => self.edges &= !value,
            AFSEL => self.hardware_control = value,
            _ => {}
        }
    }

    /// The levels of all lines.
    const fn lines(&self) -> u8 {
        self.output & self.direction | self.input & !self.direction
    }

    /// `GPIORIS`. A level is not latched: it interrupts as long as it lasts.
    const fn raw(&self) -> u8 {
        let levels = !(self.input ^ self.event) & !self.direction;
        levels & self.by_level | self.edges & !self.by_level
    }

    const fn masked(&self) -> u8 {
        self.raw() & self.enabled
    }
}

/// The lines that an access to `GPIODATA` at `offset` is about.
const fn lines_of(offset: u64) -> u8 {
    (offset >> 2) as u8
}
