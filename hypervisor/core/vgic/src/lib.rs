//! A virtual GICv3: distributor, redistributors, and the list registers of
//! each virtual CPU.
//!
//! [`Vgic`] is one VM's interrupt controller. It has one security state
//! (`GICD_CTLR.DS` reads as one), affinity routing always on, 16 SGIs and 16
//! PPIs per virtual CPU, 96 SPIs, no LPIs. The CPU interface is hardware's:
//! the guest acknowledges and ends what [`Vgic::load`] put into list
//! registers, and [`Vgic::sync`] reads back how far it came.
//!
//! Rules that every path keeps:
//!
//! - an interrupt is in one list register of one virtual CPU at most;
//! - what does not fit stays pending here, and a maintenance interrupt is asked
//!   for, so that nothing is lost however few list registers there are;
//! - a level-triggered interrupt asks for a maintenance interrupt at its end
//!   (LR.EOI), because only then can its line be looked at again;
//! - the HW bit is never set (DEN0137 A6.1 forbids it for Realms);
//! - with nothing pending, nothing listed and no change, `sync` and `load` cost
//!   a comparison each.
//!
//! Spec: IHI0069H.b ch. 8 (registers), ch. 11 (virtual interface).
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic
    )
)]

mod bank;
mod best;
mod lists;
mod mmio;
mod routes;
mod sgi;
mod spis;

use bank::Bank;
use lists::Lists;
use routes::Route;
use spis::Spis;

/// SPIs of a VM: INTIDs 32 to 127.
pub const SPIS: usize = 96;
/// List registers an interface can have.
pub const MAX_LIST_REGISTERS: usize = 16;
/// Bytes of one redistributor: the RD and the SGI frame.
pub const REDISTRIBUTOR_SIZE: u64 = 0x2_0000;

const SPI_BANKS: usize = SPIS / 32;
const FIRST_SPI: u32 = 32;
const VIRTUAL_TIMER: u32 = 1 << 27;
const PHYSICAL_TIMER: u32 = 1 << 30;
const TIMERS: u32 = VIRTUAL_TIMER | PHYSICAL_TIMER;

/// What the hardware's virtual CPU interface offers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Config {
    /// List registers that may be used.
    pub list_registers: u8,
    /// Priority bits that are implemented, the highest of eight.
    pub priority_bits: u8,
}

/// A virtual CPU's share: its redistributor and its list registers.
#[derive(Clone, Debug)]
pub struct Cpu {
    private: Bank,
    lists: Lists,
    asleep: bool,
}

impl Default for Cpu {
    fn default() -> Self {
        Self {
            private: Bank::private(),
            lists: Lists::default(),
            asleep: true,
        }
    }
}

/// One VM's interrupt controller.
#[derive(Debug)]
pub struct Vgic<'a> {
    cpus: &'a mut [Cpu],
    spis: Spis,
    routes: [Route; SPIS],
    /// `GICD_CTLR`'s enables, group 0 in bit 0 and group 1 in bit 1.
    groups: u32,
    list_registers: usize,
    priority_mask: u8,
    /// Virtual CPUs for which `load` would write anything else than it did last
    /// time, a bit for each.
    changed: u64,
    /// Virtual CPUs that something was changed for by another, a bit for each.
    attention: u64,
}

impl<'a> Vgic<'a> {
    /// A controller in its reset state, with one virtual CPU for each of `cpus`.
    pub fn new(cpus: &'a mut [Cpu], config: Config) -> Self {
        for cpu in cpus.iter_mut() {
            *cpu = Cpu::default();
        }
        let bits = u32::from(config.priority_bits.clamp(4, 8));
        Self {
            cpus,
            spis: Spis::new(),
            routes: [Route::RESET; SPIS],
            groups: 0,
            list_registers: usize::from(config.list_registers).clamp(1, MAX_LIST_REGISTERS),
            priority_mask: (0xff00 >> bits) as u8,
            changed: 0,
            attention: 0,
        }
    }

    /// Virtual CPUs of the VM.
    pub fn cpus(&self) -> usize {
        self.cpus.len()
    }

    /// Brings the controller back to its reset state.
    pub fn reset(&mut self) {
        for cpu in self.cpus.iter_mut() {
            *cpu = Cpu::default();
        }
        self.spis = Spis::new();
        self.routes = [Route::RESET; SPIS];
        self.groups = 0;
        self.changed = 0;
        self.attention = 0;
    }

    /// The virtual CPUs, but for `own`, that have something new to look at since
    /// the last call, a bit for each: they may be running, or waiting.
    #[inline]
    pub fn take_attention(&mut self, own: usize) -> u64 {
        let attention = self.attention;
        if attention == 0 {
            return 0;
        }
        self.attention = 0;
        attention & !bit(own)
    }

    /// Sets the levels of a virtual CPU's timer interrupts.
    #[inline]
    pub fn set_timers(&mut self, vcpu: usize, virtual_: bool, physical: bool) {
        let Some(cpu) = self.cpus.get_mut(vcpu) else {
            return;
        };
        let lines = timer_lines([virtual_, physical]);
        if cpu.private.lines(TIMERS) != lines {
            cpu.private.set_lines(TIMERS, lines);
            self.changed |= bit(vcpu);
        }
    }

    /// Sets the level of a virtual CPU's private interrupt `intid`, 16 to 31.
    pub fn set_ppi(&mut self, vcpu: usize, intid: u32, level: bool) {
        if !(16..FIRST_SPI).contains(&intid) {
            return;
        }
        if let Some(cpu) = self.cpus.get_mut(vcpu) {
            let bit = 1 << intid;
            cpu.private.set_lines(bit, if level { bit } else { 0 });
            self.changed |= self::bit(vcpu);
            self.attention |= self::bit(vcpu);
        }
    }

    /// Sets the level of the shared interrupt `intid`, 32 to 127.
    pub fn set_spi(&mut self, intid: u32, level: bool) {
        let bit = 1 << (intid % 32);
        let Some(bank) = self.spis.bank_of(intid) else {
            return;
        };
        let line = if level { bit } else { 0 };
        if bank.lines(bit) == line {
            return;
        }
        bank.set_lines(bit, line);
        self.notify(intid);
    }

    /// How the private interrupts of a virtual CPU stand: pending, enabled, active
    /// and listed, a bit for each. For reports.
    pub fn private(&self, vcpu: usize) -> Option<[u32; 4]> {
        let bank = &self.cpus.get(vcpu)?.private;
        let enabled = bank.read(bank::Word::SetEnable);
        let pending = bank.read(bank::Word::SetPending);
        Some([pending, enabled, bank.active(), bank.listed()])
    }

    /// Whether [`Vgic::load`] has something to do before the virtual CPU runs.
    #[inline]
    pub fn needs_load(&self, vcpu: usize) -> bool {
        self.changed & bit(vcpu) != 0
    }

    /// Has whoever holds or gets the SPI look at it again.
    fn notify(&mut self, intid: u32) {
        let Some(route) = spi_index(intid).and_then(|index| self.routes.get(index)) else {
            return;
        };
        for index in [route.target, route.holder].map(usize::from) {
            if index < self.cpus.len() {
                self.changed |= bit(index);
                self.attention |= bit(index);
            }
        }
    }

    fn notify_all(&mut self) {
        let all = bit(self.cpus.len()).wrapping_sub(1);
        self.changed = all;
        self.attention = all;
    }
}

/// The lines of the virtual and of the physical timer at these levels.
#[inline]
const fn timer_lines([virtual_, physical]: [bool; 2]) -> u32 {
    (if virtual_ { VIRTUAL_TIMER } else { 0 }) | if physical { PHYSICAL_TIMER } else { 0 }
}

/// A virtual CPU's bit among those that have something to look at.
#[inline]
const fn bit(vcpu: usize) -> u64 {
    match vcpu < 64 {
        true => 1 << vcpu,
        false => 0,
    }
}

/// The index of an SPI among all.
fn spi_index(intid: u32) -> Option<usize> {
    Some(intid.checked_sub(FIRST_SPI)? as usize).filter(|&index| index < SPIS)
}

#[cfg(test)]
extern crate std;
#[cfg(test)]
mod tests;
