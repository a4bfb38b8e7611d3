//! The memory-mapped registers: the distributor's frame and the two frames of
//! each redistributor (IHI0069 12.8 to 12.11).
//!
//! Registers are words; double-word accesses are two of them, which serves
//! `GICR_TYPER` and `GICD_IROUTER<n>`. Narrower accesses reach priorities, and
//! otherwise read the byte and write nothing. What is reserved, and what is
//! not aligned, reads as zero and ignores writes.

use crate::bank::Word;
use crate::routes::{NOBODY, Route};
use crate::{Cpu, FIRST_SPI, REDISTRIBUTOR_SIZE, SPI_BANKS, SPIS, Vgic};

const GICD_CTLR: u64 = 0x0;
const GICD_TYPER: u64 = 0x4;
const GICD_IROUTER: u64 = 0x6000;
const PIDR2: u64 = 0xffe8;
/// Revision 3 of the architecture, a JEDEC code in use.
const PIDR2_GICV3: u32 = 0x3b;

/// Affinity routing and no security states: both fixed.
const CTLR_FIXED: u32 = 1 << 4 | 1 << 6;
const CTLR_GROUPS: u32 = 0b11;
/// No 1-of-N distribution, 10 bits of INTID, as many lines as there are banks.
const TYPER: u32 = 1 << 25 | 9 << 19 | SPI_BANKS as u32;

const GICR_TYPER_LOW: u64 = 0x8;
const GICR_TYPER_HIGH: u64 = 0xc;
const GICR_WAKER: u64 = 0x14;
const GICR_TYPER_LAST: u32 = 1 << 4;
const WAKER_SLEEP: u32 = 1 << 1;
const WAKER_CHILDREN_ASLEEP: u32 = 1 << 2;
const SGI_FRAME: u64 = 0x1_0000;

const IROUTER_AFFINITY: u64 = 0xff_00ff_ffff;

impl Vgic<'_> {
    /// Reads `bytes` at `offset` of the distributor.
    #[inline]
    pub fn distributor_read(&self, offset: u64, bytes: u64) -> u64 {
        read_sized(offset, bytes, |at| self.distributor_word(at))
    }

    /// Writes `bytes` at `offset` of the distributor.
    pub fn distributor_write(&mut self, offset: u64, bytes: u64, value: u64) {
        match bytes {
            1 => {
                let Some((bank, Word::Priority(_))) = bank_word(offset) else {
                    return;
                };
                let mask = self.priority_mask;
                if let Some(bank) = bank.checked_sub(1).and_then(|n| self.spis.get_mut(n)) {
                    bank.set_priority((offset % 32) as u32, value as u8 & mask);
                    self.notify_all();
                }
            }
            4 if offset.is_multiple_of(4) => self.distributor_write_word(offset, value as u32),
            8 if offset.is_multiple_of(8) => {
                self.distributor_write_word(offset, value as u32);
                self.distributor_write_word(offset + 4, (value >> 32) as u32);
            }
            _ => {}
        }
    }

    fn distributor_word(&self, offset: u64) -> u32 {
        match offset {
            GICD_CTLR => self.groups | CTLR_FIXED,
            GICD_TYPER => TYPER,
            PIDR2 => PIDR2_GICV3,
            GICD_IROUTER.. => router(offset)
                .and_then(|(index, shift)| Some(self.routes.get(index)?.register >> shift))
                .unwrap_or(0) as u32,
            _ => bank_word(offset)
                .and_then(|(bank, word)| Some(self.spis.get(bank.checked_sub(1)?)?.read(word)))
                .unwrap_or(0),
        }
    }

    fn distributor_write_word(&mut self, offset: u64, value: u32) {
        match offset {
            GICD_CTLR => self.groups = value & CTLR_GROUPS,
            GICD_IROUTER.. => self.set_route(offset, value),
            _ => {
                let Some((bank, word)) = bank_word(offset) else {
                    return;
                };
                let mask = self.priority_mask;
                match bank.checked_sub(1).and_then(|n| self.spis.get_mut(n)) {
                    Some(bank) => bank.write(word, value, mask),
                    None => return,
                }
            }
        }
        self.notify_all();
    }

    fn set_route(&mut self, offset: u64, value: u32) {
        let cpus = self.cpus.len();
        let Some((index, shift)) = router(offset) else {
            return;
        };
        if let Some(route) = self.routes.get_mut(index) {
            let kept = route.register & !(u64::from(u32::MAX) << shift);
            *route = Route {
                register: (kept | u64::from(value) << shift) & IROUTER_AFFINITY,
                ..*route
            };
            route.target = target(route.register, cpus);
        }
    }

    /// Reads `bytes` at `offset` of all redistributors, which follow each other.
    pub fn redistributor_read(&self, offset: u64, bytes: u64) -> u64 {
        let index = (offset / REDISTRIBUTOR_SIZE) as usize;
        let last = index + 1 == self.cpus.len();
        match self.cpus.get(index) {
            Some(cpu) => read_sized(offset % REDISTRIBUTOR_SIZE, bytes, |at| {
                cpu_word(cpu, at, index, last)
            }),
            None => 0,
        }
    }

    /// Writes `bytes` at `offset` of all redistributors.
    pub fn redistributor_write(&mut self, offset: u64, bytes: u64, value: u64) {
        let mask = self.priority_mask;
        let index = (offset / REDISTRIBUTOR_SIZE) as usize;
        let offset = offset % REDISTRIBUTOR_SIZE;
        let Some(cpu) = self.cpus.get_mut(index) else {
            return;
        };
        match bytes {
            1 => {
                let word = offset.checked_sub(SGI_FRAME).and_then(bank_word);
                if let Some((0, Word::Priority(_))) = word {
                    cpu.private
                        .set_priority((offset % 32) as u32, value as u8 & mask);
                }
            }
            4 if offset.is_multiple_of(4) => cpu_write(cpu, offset, value as u32, mask),
            8 if offset.is_multiple_of(8) => {
                cpu_write(cpu, offset, value as u32, mask);
                cpu_write(cpu, offset + 4, (value >> 32) as u32, mask);
            }
            _ => {}
        }
        self.changed |= crate::bit(index);
        self.attention |= crate::bit(index);
    }
}

/// A read of a redistributor's word.
fn cpu_word(cpu: &Cpu, offset: u64, index: usize, last: bool) -> u32 {
    if let Some(offset) = offset.checked_sub(SGI_FRAME) {
        return match bank_word(offset) {
            Some((0, word)) => cpu.private.read(word),
            _ => 0,
        };
    }
    match offset {
        GICR_TYPER_LOW => (index as u32 & 0xffff) << 8 | if last { GICR_TYPER_LAST } else { 0 },
        GICR_TYPER_HIGH => affinity(index),
        GICR_WAKER if cpu.asleep => WAKER_SLEEP | WAKER_CHILDREN_ASLEEP,
        PIDR2 => PIDR2_GICV3,
        _ => 0,
    }
}

/// A write to a redistributor's word.
fn cpu_write(cpu: &mut Cpu, offset: u64, value: u32, mask: u8) {
    match offset.checked_sub(SGI_FRAME) {
        Some(offset) => {
            if let Some((0, word)) = bank_word(offset) {
                cpu.private.write(word, value, mask);
            }
        }
        None if offset == GICR_WAKER => cpu.asleep = value & WAKER_SLEEP != 0,
        None => {}
    }
}

/// Affinity of virtual CPU `index` as `GICR_TYPER` has it: Aff0 below 16.
const fn affinity(index: usize) -> u32 {
    let index = index as u32;
    (index & 0xf) | (index >> 4 & 0xff) << 8 | (index >> 12 & 0xff) << 16 | (index >> 20) << 24
}

/// The virtual CPU that a router names.
fn target(register: u64, cpus: usize) -> u16 {
    let aff0 = register & 0xff;
    let rest = register >> 8 & 0xffff | register >> 32 << 16;
    let index = (rest << 4 | aff0) as usize;
    if aff0 < 16 && index < cpus.min(usize::from(NOBODY)) {
        index as u16
    } else {
        NOBODY
    }
}

/// The SPI of a word of `GICD_IROUTER<n>`, and where the word sits in it.
fn router(offset: u64) -> Option<(usize, u32)> {
    let at = offset.checked_sub(GICD_IROUTER + 8 * u64::from(FIRST_SPI))?;
    let index = (at / 8) as usize;
    (index < SPIS).then_some((index, (at % 8) as u32 * 8))
}

/// Bank and register of an offset in the part that distributor and SGI frame
/// have in common.
#[inline]
fn bank_word(offset: u64) -> Option<(usize, Word)> {
    let bit_bank = (offset & 0x7f) as usize / 4;
    let found = match offset {
        0x080..=0x0ff => (bit_bank, Word::Group),
        0x100..=0x17f => (bit_bank, Word::SetEnable),
        0x180..=0x1ff => (bit_bank, Word::ClearEnable),
        0x200..=0x27f => (bit_bank, Word::SetPending),
        0x280..=0x2ff => (bit_bank, Word::ClearPending),
        0x300..=0x37f => (bit_bank, Word::SetActive),
        0x380..=0x3ff => (bit_bank, Word::ClearActive),
        0x400..=0x7ff => {
            let intid = (offset & 0x3fc) as u32;
            (intid as usize / 32, Word::Priority(intid % 32))
        }
        0xc00..=0xcff => {
            let word = (offset & 0xff) as usize / 4;
            let half = if word.is_multiple_of(2) {
                Word::ConfigLow
            } else {
                Word::ConfigHigh
            };
            (word / 2, half)
        }
        _ => return None,
    };
    Some(found)
}

/// An aligned read of any size from words.
#[inline(always)]
fn read_sized(offset: u64, bytes: u64, word: impl Fn(u64) -> u32) -> u64 {
    match bytes {
        4 if offset.is_multiple_of(4) => u64::from(word(offset)),
        8 if offset.is_multiple_of(8) => {
            u64::from(word(offset)) | u64::from(word(offset + 4)) << 32
        }
        1 | 2 if offset.is_multiple_of(bytes) => {
            let value = u64::from(word(offset & !3)) >> (8 * (offset % 4));
            value & if bytes == 1 { 0xff } else { 0xffff }
        }
        _ => 0,
    }
}
