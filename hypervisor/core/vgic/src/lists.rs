//! The list registers of a virtual CPU.
//!
//! The banks hold the truth about each interrupt; a list register holds a copy
//! that the guest's CPU interface works on. [`Vgic::sync`] brings the banks up
//! to date after a run, [`Vgic::load`] chooses anew what is listed.

use crate::bank::{Bank, Progress};
use crate::best::{Best, Choice, KEY_INTID, KEY_PRIORITY_SHIFT, WORST, share};
use crate::routes::{held_by, release, routed_to};
use crate::{Cpu, MAX_LIST_REGISTERS, Vgic, spi_index};

const LR_PENDING: u64 = 1 << 62;
const LR_ACTIVE: u64 = 1 << 63;
const LR_STATE: u64 = LR_PENDING | LR_ACTIVE;
const LR_GROUP_ONE: u64 = 1 << 60;
const LR_PRIORITY_SHIFT: u32 = 48;
const LR_EOI: u64 = 1 << 41;
const LR_INTID: u64 = 0xffff_ffff;

/// Underflow: no list register, or only one, is in use.
const HCR_UIE: u64 = 1 << 1;
/// An interrupt was ended that is in no list register.
const HCR_LRENPIE: u64 = 1 << 2;
/// No list register is pending.
const HCR_NPIE: u64 = 1 << 3;
/// Deactivations trap.
const HCR_TDIR: u64 = 1 << 14;
const HCR_EOI_COUNT_SHIFT: u32 = 27;
const HCR_EOI_COUNT_MASK: u64 = 0x1f;

/// The list registers as last loaded, brought up to date by `sync`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lists {
    registers: [u64; MAX_LIST_REGISTERS],
    /// Which registers are in use.
    used: u32,
    /// Which registers the last load wrote an interrupt into.
    written: u32,
    /// Whether active interrupts are in no register.
    spilled: bool,
}

impl Cpu {
    /// [`Vgic::read_back_many`] for what is by far most frequent: no interrupt listed,
    /// or one that is private, and nothing that is in no register. Says whether
    /// anything became of it; `None` if it was not that.
    #[inline(always)]
    fn read_back_one(&mut self, registers: &[u64; MAX_LIST_REGISTERS]) -> Option<bool> {
        if self.lists.used == 0 {
            return Some(false);
        }
        let [ours, ..] = &mut self.lists.registers;
        let [theirs, ..] = *registers;
        let intid = *ours & LR_INTID;
        if self.lists.used != 1 || self.lists.spilled || intid >= 32 {
            return None;
        }
        if (*ours ^ theirs) & LR_STATE == 0 {
            return Some(false);
        }
        let now = progress(*ours, theirs);
        self.private.update(1 << intid, now);
        *ours = (*ours & !LR_STATE) | state(now);
        self.lists.used = u32::from(*ours & LR_STATE != 0);
        Some(true)
    }
}

impl Vgic<'_> {
    /// Takes in what every exit brings: [`Vgic::sync`] and [`Vgic::set_timers`], with
    /// one look at the virtual CPU for both.
    #[inline(always)]
    pub fn exited(
        &mut self,
        vcpu: usize,
        registers: &[u64; MAX_LIST_REGISTERS],
        hcr: u64,
        timers: [bool; 2],
    ) {
        let Some(cpu) = self.cpus.get_mut(vcpu) else {
            return;
        };
        let lines = crate::timer_lines(timers);
        if cpu.private.lines(crate::TIMERS) != lines {
            cpu.private.set_lines(crate::TIMERS, lines);
            self.changed |= crate::bit(vcpu);
        }
        let taken = cpu.read_back_one(registers);
        self.read_back(vcpu, taken, registers, hcr);
    }

    /// Brings the model up to date with what the guest did to its list
    /// registers; call it after every exit with those of the exit.
    pub fn sync(&mut self, vcpu: usize, registers: &[u64; MAX_LIST_REGISTERS], hcr: u64) {
        let Some(cpu) = self.cpus.get_mut(vcpu) else {
            return;
        };
        let taken = cpu.read_back_one(registers);
        self.read_back(vcpu, taken, registers, hcr);
    }

    /// Goes on from [`Cpu::read_back_one`].
    #[inline(always)]
    fn read_back(
        &mut self,
        vcpu: usize,
        taken: Option<bool>,
        registers: &[u64; MAX_LIST_REGISTERS],
        hcr: u64,
    ) {
        match taken {
            Some(false) => {}
            Some(true) => self.changed |= crate::bit(vcpu),
            None => self.read_back_many(vcpu, registers, hcr),
        }
    }

    /// Takes over the states of the registers in use. Number, group and
    /// priority are ours, and a state can only lose pending or turn from
    /// pending into active, whatever the other side says.
    #[inline(never)]
    fn read_back_many(&mut self, vcpu: usize, registers: &[u64; MAX_LIST_REGISTERS], hcr: u64) {
        let Some(cpu) = self.cpus.get_mut(vcpu) else {
            return;
        };
        let mut used = cpu.lists.used;
        let mut changed = false;
        let mut elsewhere = false;
        for (index, (ours, theirs)) in cpu.lists.registers.iter_mut().zip(registers).enumerate() {
            if used >> index == 0 {
                break;
            }
            if used >> index & 1 == 0 || (*ours ^ *theirs) & LR_STATE == 0 {
                continue;
            }
            let now = progress(*ours, *theirs);
            let intid = (*ours & LR_INTID) as u32;
            let bit = 1 << (intid % 32);
            if intid < 32 {
                cpu.private.update(bit, now);
            } else if let Some(bank) = self.spis.bank_of(intid) {
                bank.update(bit, now);
                if !now.pending && !now.active {
                    elsewhere |= release(&mut self.routes, intid, vcpu);
                }
            }
            *ours = (*ours & !LR_STATE) | state(now);
            if *ours & LR_STATE == 0 {
                used &= !(1 << index);
            }
            changed = true;
        }
        cpu.lists.used = used;
        if changed {
            self.changed |= crate::bit(vcpu);
        }
        let spilled = cpu.lists.spilled;
        if elsewhere {
            self.notify_all();
        }
        let ended = (hcr >> HCR_EOI_COUNT_SHIFT) & HCR_EOI_COUNT_MASK;
        if spilled {
            for _ in 0..ended {
                self.end_spilled(vcpu);
            }
        }
    }

    /// Ends the most urgent active interrupt that is in no list register: the
    /// guest ends them in the reverse order of their beginning.
    fn end_spilled(&mut self, vcpu: usize) {
        let mut best = Best::new();
        let Some(cpu) = self.cpus.get_mut(vcpu) else {
            return;
        };
        self.changed |= crate::bit(vcpu);
        let private = cpu.private.active() & !cpu.private.listed();
        best.offer_all(&cpu.private, 0, private);
        for (index, bank) in self.spis.iter().enumerate() {
            let active = held_by(&self.routes, vcpu, index, bank.active() & !bank.listed());
            best.offer_all(bank, index + 1, active);
        }
        let [key, ..] = best.keys;
        if key != WORST {
            self.deactivate(vcpu, key & KEY_INTID);
        }
    }

    /// Ends interrupt `intid`, for a guest that ends and deactivates apart.
    pub fn deactivate(&mut self, vcpu: usize, intid: u32) {
        let bit = 1 << (intid % 32);
        let Some(cpu) = self.cpus.get_mut(vcpu) else {
            return;
        };
        if intid < 32 {
            cpu.private.deactivate(bit);
        } else if let Some(bank) = self.spis.bank_of(intid) {
            bank.deactivate(bit);
            if bank.listed() & bit == 0 {
                release(&mut self.routes, intid, vcpu);
            }
        }
        self.changed |= crate::bit(vcpu);
        if intid >= 32 {
            self.notify(intid);
        }
    }

    /// Chooses what the virtual CPU's list registers hold, writes those that
    /// are in use or were, and returns the bits of `ICH_HCR_EL2` that go with
    /// them. Those in use are the first, without a gap; an empty one is zero.
    #[inline(always)]
    pub fn load(&mut self, vcpu: usize, registers: &mut [u64; MAX_LIST_REGISTERS]) -> u64 {
        if self.load_one(vcpu, registers) {
            return 0;
        }
        self.load_many(vcpu, registers)
    }

    /// [`Vgic::load`] for what is by far most frequent: no shared interrupt,
    /// one private one at most. Says whether it was that.
    #[inline(always)]
    fn load_one(&mut self, vcpu: usize, registers: &mut [u64; MAX_LIST_REGISTERS]) -> bool {
        let groups = self.groups;
        let is_busy = self.spis.are_busy();
        let Some(cpu) = self.cpus.get_mut(vcpu) else {
            return false;
        };
        if is_busy || cpu.lists.written > 1 {
            return false;
        }
        let [ours, ..] = &mut cpu.lists.registers;
        if cpu.lists.used != 0 {
            cpu.private.unlist(1 << (*ours & 0x1f));
        }
        let all = cpu.private.active() | cpu.private.deliverable(groups);
        if !all.is_power_of_two() && all != 0 {
            // The other way takes it from here: what is unlisted may be again.
            return false;
        }
        *ours = if all == 0 {
            0
        } else {
            list_register(&mut cpu.private, all.trailing_zeros(), 0, groups)
        };
        let [slot, ..] = registers;
        *slot = *ours;
        cpu.lists.used = u32::from(all != 0);
        cpu.lists.written = cpu.lists.used;
        cpu.lists.spilled = false;
        self.changed &= !crate::bit(vcpu);
        true
    }

    /// Not inlined: what it keeps on the stack would cost the other way as much.
    #[inline(never)]
    fn load_many(&mut self, vcpu: usize, registers: &mut [u64; MAX_LIST_REGISTERS]) -> u64 {
        self.unload(vcpu);
        let choice = self.choose(vcpu);
        let mut used = 0u32;
        let mut pending = 0usize;
        let chosen = choice
            .active
            .keys
            .iter()
            .take(choice.take_active)
            .chain(choice.pending.keys.iter().take(choice.take_pending));
        let mut slots = registers.iter_mut().enumerate();
        let mut file = [0; MAX_LIST_REGISTERS];
        let overflow = choice.pending.offered > choice.take_pending;
        // With a single register its end is the only moment to go on at.
        let end = if overflow && choice.take_active + choice.take_pending == 1 {
            LR_EOI
        } else {
            0
        };
        for (key, ((index, slot), ours)) in chosen.zip(slots.by_ref().zip(&mut file)) {
            let value = self.list(vcpu, key & KEY_INTID) | end;
            *slot = value;
            *ours = value;
            used |= 1 << index;
            pending += usize::from(value & LR_PENDING != 0);
        }
        let Some(cpu) = self.cpus.get_mut(vcpu) else {
            return 0;
        };
        for (index, slot) in slots {
            if cpu.lists.written >> index == 0 {
                break;
            }
            *slot = 0;
        }
        let spilled = choice.active.offered > choice.take_active;
        cpu.lists = Lists {
            registers: file,
            used,
            written: used,
            spilled,
        };
        self.changed &= !crate::bit(vcpu);
        let mut hcr = if spilled { HCR_LRENPIE | HCR_TDIR } else { 0 };
        if overflow {
            // Each only where it is not true from the start: a maintenance
            // interrupt that stands at entry would end every entry at once.
            if pending > 0 {
                hcr |= HCR_NPIE;
            }
            if used.count_ones() > 1 {
                hcr |= HCR_UIE;
            }
        }
        hcr
    }

    /// Puts everything that is listed back into the banks.
    fn unload(&mut self, vcpu: usize) {
        let Some(cpu) = self.cpus.get_mut(vcpu) else {
            return;
        };
        let mut used = cpu.lists.used;
        let mut elsewhere = false;
        for register in &cpu.lists.registers {
            if used == 0 {
                break;
            }
            if used & 1 != 0 {
                let intid = (*register & LR_INTID) as u32;
                let bit = 1 << (intid % 32);
                if intid < 32 {
                    cpu.private.unlist(bit);
                } else if let Some(bank) = self.spis.bank_of(intid) {
                    bank.unlist(bit);
                    if bank.active() & bit == 0 {
                        elsewhere |= release(&mut self.routes, intid, vcpu);
                    }
                }
            }
            used >>= 1;
        }
        if elsewhere {
            self.notify_all();
        }
    }

    /// Chooses among everything active or pending. Active interrupts go first,
    /// the most urgent before the others because the guest ends them first,
    /// but leave a register to what is pending and more urgent still.
    fn choose(&self, vcpu: usize) -> Choice {
        let mut active = Best::new();
        let mut pending = Best::new();
        let groups = self.groups;
        let mut offer = |bank: &Bank, index: usize, held: u32, waiting: u32| {
            active.offer_all(bank, index, held);
            pending.offer_all(bank, index, waiting & !held);
        };
        if let Some(cpu) = self.cpus.get(vcpu) {
            let bank = &cpu.private;
            offer(bank, 0, bank.active(), bank.deliverable(groups));
        }
        for (index, bank) in self.spis.iter().enumerate() {
            let waiting = bank.deliverable(groups) & !bank.active() & !bank.listed();
            if waiting | bank.active() == 0 {
                continue;
            }
            let held = held_by(&self.routes, vcpu, index, bank.active() & !bank.listed());
            let waiting = routed_to(&self.routes, vcpu, index, waiting);
            offer(bank, index + 1, held, waiting);
        }
        let (take_active, take_pending) = share(
            self.list_registers,
            &active.keys,
            &pending.keys,
            [active.offered, pending.offered],
        );
        Choice {
            active,
            pending,
            take_active,
            take_pending,
        }
    }

    /// Lists one interrupt and returns its list register.
    fn list(&mut self, vcpu: usize, intid: u32) -> u64 {
        let groups = self.groups;
        let bank = if intid < 32 {
            self.cpus.get_mut(vcpu).map(|cpu| &mut cpu.private)
        } else {
            let slot = spi_index(intid).and_then(|index| self.routes.get_mut(index));
            if let Some(route) = slot {
                route.holder = vcpu as u16;
            }
            self.spis.bank_of(intid)
        };
        match bank {
            Some(bank) => list_register(bank, intid % 32, intid & !31, groups),
            None => 0,
        }
    }

    /// Whether an interrupt waits for the virtual CPU that would end its wait,
    /// given the guest's priority mask and enables (`ICH_VMCR_EL2`; zero means
    /// that they are not known).
    pub fn has_pending(&self, vcpu: usize, vmcr: u64) -> bool {
        let Some(cpu) = self.cpus.get(vcpu) else {
            return false;
        };
        let (mask, enables) = match vmcr {
            0 => (0xff, 3),
            _ => (vmcr >> 24 & 0xff, vmcr as u32 & 3),
        };
        let groups = self.groups & enables;
        let mut best = Best::new();
        best.offer_all(&cpu.private, 0, cpu.private.waiting(groups));
        for (index, bank) in self.spis.iter().enumerate() {
            let waiting = bank.waiting(groups);
            let mine = routed_to(&self.routes, vcpu, index, waiting & !bank.listed())
                | held_by(&self.routes, vcpu, index, waiting & bank.listed());
            best.offer_all(bank, index + 1, mine);
        }
        let [key, ..] = best.keys;
        key != WORST && u64::from(key >> KEY_PRIORITY_SHIFT) < mask
    }
}

/// Lists interrupt `index` of a bank that starts at INTID `first`.
#[inline]
fn list_register(bank: &mut Bank, index: u32, first: u32, groups: u32) -> u64 {
    let bit = 1 << index;
    let progress = bank.list(bit, groups);
    let mut register = u64::from(first | index)
        | u64::from(bank.priority(index)) << LR_PRIORITY_SHIFT
        | state(progress);
    if bank.is_group_one(bit) {
        register |= LR_GROUP_ONE;
    }
    if bank.is_level(bit) {
        register |= LR_EOI;
    }
    register
}

/// How far the guest has come with the interrupt of our register `ours`, which came
/// back as `theirs`.
const fn progress(ours: u64, theirs: u64) -> Progress {
    Progress {
        pending: theirs & ours & LR_PENDING != 0,
        active: theirs & LR_ACTIVE != 0,
    }
}

const fn state(progress: Progress) -> u64 {
    let pending = if progress.pending { LR_PENDING } else { 0 };
    let active = if progress.active { LR_ACTIVE } else { 0 };
    pending | active
}
