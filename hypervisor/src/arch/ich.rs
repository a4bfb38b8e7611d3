//! The virtual interface of the GIC, programmed by the host itself.
//!
//! RMI 1.0 carries list registers in the run page and the RMM programs them. From
//! RMI 2.0 on the host does, and neither RMM nor EL3 keeps a copy; for plain VMs
//! it always does. The fields of the run page that 1.0 has for them are free then,
//! and are where device models leave and find their values, so that those need
//! not know which it is.
//!
//! What the guest itself changes (priority mask, active priorities) stays in the
//! registers between exits, for as long as the same vCPU has this CPU: a
//! [`VirtualInterface`] is what one vCPU has of it, attached to one CPU at a time.

use aarch64_cpu::registers::*;
use rmi::v1_0::{GICV3_HCR_MASK, RecEnter, RecExit};

/// No bits that anybody asks for.
const OFF: u64 = u64::MAX;
/// `ICH_HCR_EL2.En`.
const ENABLE: u64 = 1 << 0;
/// What an exit reports of `ICH_HCR_EL2`: EOIcount and the bits a host may set.
const REPORTED: u64 = 0x1f << 27 | GICV3_HCR_MASK;

macro_rules! registers {
    ($read:ident, $write:ident: $($index:literal $register:ident),+) => {
        #[inline]
        fn $read(index: usize) -> u64 {
            match index {
                $($index => $register.get(),)+
                _ => 0,
            }
        }

        #[inline]
        fn $write(index: usize, value: u64) {
            match index {
                $($index => $register.set(value),)+
                _ => {}
            }
        }
    };
}

registers!(read_list, write_list:
    0 ICH_LR0_EL2, 1 ICH_LR1_EL2, 2 ICH_LR2_EL2, 3 ICH_LR3_EL2,
    4 ICH_LR4_EL2, 5 ICH_LR5_EL2, 6 ICH_LR6_EL2, 7 ICH_LR7_EL2,
    8 ICH_LR8_EL2, 9 ICH_LR9_EL2, 10 ICH_LR10_EL2, 11 ICH_LR11_EL2,
    12 ICH_LR12_EL2, 13 ICH_LR13_EL2, 14 ICH_LR14_EL2, 15 ICH_LR15_EL2);
registers!(read_group0_active, write_group0_active:
    0 ICH_AP0R0_EL2, 1 ICH_AP0R1_EL2, 2 ICH_AP0R2_EL2, 3 ICH_AP0R3_EL2);
registers!(read_group1_active, write_group1_active:
    0 ICH_AP1R0_EL2, 1 ICH_AP1R1_EL2, 2 ICH_AP1R2_EL2, 3 ICH_AP1R3_EL2);

/// One vCPU's share of the virtual interface.
///
/// The rule: between [`attach`](Self::attach) and [`detach`](Self::detach) the
/// registers of this CPU belong to this vCPU, and `load` and `save` come in pairs
/// around each entry. Without either the value is the vCPU's state at rest, and may
/// go to another CPU.
#[derive(Clone, Debug)]
pub struct VirtualInterface {
    /// List registers of the CPU it is attached to.
    lists: usize,
    /// List registers, from the first on, that may hold an interrupt.
    used: usize,
    /// The bits of `ICH_HCR_EL2` asked for when it was last written; [`OFF`] while
    /// the interface is off.
    asked: u64,
    vmcr: u64,
    ap0r: [u64; 4],
    ap1r: [u64; 4],
}

impl VirtualInterface {
    /// The interface of a vCPU that was reset.
    pub const fn new() -> Self {
        Self {
            lists: 0,
            used: 0,
            asked: OFF,
            vmcr: 0,
            ap0r: [0; 4],
            ap1r: [0; 4],
        }
    }

    /// Makes this CPU's interface the vCPU's. What another vCPU has left in it is
    /// lost, list registers included: its `save` has read those.
    pub fn attach(&mut self) {
        ICH_HCR_EL2.set(0);
        self.asked = OFF;
        self.used = 0;
        self.lists = usize::from(list_registers());
        for index in 0..self.lists {
            write_list(index, 0);
        }
        ICH_VMCR_EL2.set(self.vmcr);
        let banks = active_priority_banks();
        for (index, (group0, group1)) in self.ap0r.iter().zip(&self.ap1r).enumerate() {
            if index < banks {
                write_group0_active(index, *group0);
                write_group1_active(index, *group1);
            }
        }
    }

    /// Takes the vCPU's state out of this CPU, and turns its interface off.
    pub fn detach(&mut self) {
        ICH_HCR_EL2.set(0);
        self.asked = OFF;
        self.vmcr = ICH_VMCR_EL2.get();
        let banks = active_priority_banks();
        for (index, (group0, group1)) in self.ap0r.iter_mut().zip(&mut self.ap1r).enumerate() {
            if index < banks {
                *group0 = read_group0_active(index);
                *group1 = read_group1_active(index);
            }
        }
    }

    /// Gives the guest its interrupts, right before it is entered.
    ///
    /// `vgic` fills list registers from the first on without a gap, so that an
    /// entry without interrupts, which most are, looks at one, and one with a
    /// single interrupt, which most others are, at two.
    #[inline(always)]
    pub fn load(&mut self, enter: &RecEnter) {
        let [first, second, ..] = enter.gicv3_lrs;
        if first | self.used as u64 != 0 {
            if second != 0 || self.used > 1 {
                self.load_lists(enter);
            } else {
                ICH_LR0_EL2.set(first);
                self.used = usize::from(first != 0);
            }
        }
        // A stale EOIcount does no harm: who counts (LRENPIE) has the register written.
        if enter.gicv3_hcr != self.asked {
            ICH_HCR_EL2.set(enter.gicv3_hcr & GICV3_HCR_MASK | ENABLE);
            self.asked = enter.gicv3_hcr;
        }
    }

    #[inline(never)]
    fn load_lists(&mut self, enter: &RecEnter) {
        let lists = enter.gicv3_lrs.get(..self.lists).unwrap_or_default();
        let mut used = 0;
        for list in lists.iter().take_while(|list| **list != 0) {
            write_list(used, *list);
            used += 1;
        }
        for index in used..self.used {
            write_list(index, 0);
        }
        self.used = used;
    }

    /// Takes back what became of them, right after it has exited.
    ///
    /// Without an interrupt listed and without a condition asked for, no
    /// maintenance interrupt can stand and `vgic` reads none of this, so the
    /// interface stays on. Otherwise it goes off, or a maintenance interrupt would
    /// stand at the GIC for as long as the host works, and the next `load` writes the
    /// register anew. To leave it alone while `ICH_MISR_EL2` is zero is no way to save
    /// that: on TF-RMM (9a7f8ef4), after whose exits the register reads zero, a
    /// Realm's timer then misbehaves (`docs/interop.md`).
    #[inline(always)]
    pub fn save(&mut self, exit: &mut RecExit) {
        exit.gicv3_vmcr = ICH_VMCR_EL2.get();
        if self.used as u64 | self.asked == 0 {
            return;
        }
        // As in `load`: most often it is one, and nothing was asked for.
        if (self.used, self.asked) == (1, 0) {
            let [first, ..] = &mut exit.gicv3_lrs;
            *first = ICH_LR0_EL2.get();
        } else {
            self.save_all(exit);
        }
        ICH_HCR_EL2.set(0);
        self.asked = OFF;
    }

    #[inline(never)]
    fn save_all(&self, exit: &mut RecExit) {
        for (index, list) in exit.gicv3_lrs.iter_mut().enumerate().take(self.used) {
            *list = read_list(index);
        }
        exit.gicv3_hcr = ICH_HCR_EL2.get() & REPORTED;
    }
}

/// List registers that the CPU has.
pub fn list_registers() -> u8 {
    // A field of five bits, of which the architecture uses four.
    (ICH_VTR_EL2.read(ICH_VTR_EL2::ListRegs) as u8 & 0xf) + 1
}

/// Bits of priority that virtual interrupts have.
pub fn priority_bits() -> u8 {
    ICH_VTR_EL2.read(ICH_VTR_EL2::PRIbits) as u8 + 1
}

/// How many registers of active priorities each group has follows from the bits
/// of preemption; the others are undefined.
fn active_priority_banks() -> usize {
    match ICH_VTR_EL2.read(ICH_VTR_EL2::PREbits) + 1 {
        7.. => 4,
        6 => 2,
        _ => 1,
    }
}
