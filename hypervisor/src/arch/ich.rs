//! The virtual interface of the GIC, programmed by the host itself.
//!
//! RMI 1.0 carries list registers in the run page and the RMM programs them. From
//! RMI 2.0 on the host does, and neither RMM nor EL3 keeps a copy. The fields of
//! the run page that 1.0 has for them are free then, and are where device models
//! leave and find their values, so that those need not know which it is.
//!
//! What the guest itself changes (priority mask, active priorities) stays in the
//! registers between exits: one vCPU at a time uses this CPU's interface.

use aarch64_cpu::registers::*;
use rmi::v1_0::{GICV3_HCR_MASK, RecEnter, RecExit};

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

/// This CPU's virtual interface, in the hands of one guest.
#[derive(Debug)]
pub struct VirtualInterface {
    /// List registers there are.
    lists: usize,
    /// List registers, from the first on, that may hold an interrupt.
    used: usize,
}

impl VirtualInterface {
    /// Takes the interface and brings it to its reset state.
    pub fn new() -> Self {
        let interface = Self {
            lists: usize::from(list_registers()),
            used: 0,
        };
        ICH_HCR_EL2.set(0);
        ICH_VMCR_EL2.set(0);
        for index in 0..interface.lists {
            write_list(index, 0);
        }
        reset_active_priorities();
        interface
    }

    /// Gives the guest its interrupts, right before it is entered. List
    /// registers that hold nothing and held nothing are left alone: most exits
    /// have none in use, and each costs two system register accesses.
    #[inline]
    pub fn load(&mut self, enter: &RecEnter) {
        let lists = enter.gicv3_lrs.get(..self.lists).unwrap_or_default();
        let used = lists
            .iter()
            .rposition(|list| *list != 0)
            .map_or(0, |last| last + 1);
        for (index, list) in lists.iter().enumerate().take(used.max(self.used)) {
            write_list(index, *list);
        }
        self.used = used;
        ICH_HCR_EL2.set(enter.gicv3_hcr & GICV3_HCR_MASK | ENABLE);
    }

    /// Takes back what became of them, right after it has exited.
    #[inline]
    pub fn save(&self, exit: &mut RecExit) {
        for (index, list) in exit.gicv3_lrs.iter_mut().enumerate().take(self.lists) {
            *list = if index < self.used {
                read_list(index)
            } else {
                0
            };
        }
        exit.gicv3_misr = ICH_MISR_EL2.get();
        exit.gicv3_vmcr = ICH_VMCR_EL2.get();
        exit.gicv3_hcr = ICH_HCR_EL2.get() & REPORTED;
        ICH_HCR_EL2.set(0);
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

/// How many of these registers there are follows from the bits of preemption;
/// the others are undefined.
fn reset_active_priorities() {
    let preemption_bits = ICH_VTR_EL2.read(ICH_VTR_EL2::PREbits) + 1;
    ICH_AP0R0_EL2.set(0);
    ICH_AP1R0_EL2.set(0);
    if preemption_bits >= 6 {
        ICH_AP0R1_EL2.set(0);
        ICH_AP1R1_EL2.set(0);
    }
    if preemption_bits >= 7 {
        ICH_AP0R2_EL2.set(0);
        ICH_AP0R3_EL2.set(0);
        ICH_AP1R2_EL2.set(0);
        ICH_AP1R3_EL2.set(0);
    }
}
