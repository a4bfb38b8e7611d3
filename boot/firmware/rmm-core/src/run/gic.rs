//! The virtual interface of the interrupt controller (DEN0137 A6.1).
//!
//! The host chooses list registers and some bits of `ICH_HCR_EL2`; everything
//! that would reach a physical interrupt is refused.

use crate::context::GicState;
use crate::features::CpuFeatures;
use crate::rmm::Outcome;
use ::rmi::status::Status;
use ::rmi::v1_0::{GICV3_HCR_MASK, RecExit};

const EN: u64 = 1 << 0;
const EOI_COUNT: u64 = 0x1f << 27;
const STATE: u64 = 0b11 << 62;
const HW: u64 = 1 << 61;
const PRIORITY_SHIFT: u32 = 48;
const PINTID: u64 = 0x1fff << 32;
const PINTID_EOI: u64 = 1 << 41;
const VINTID: u64 = 0xffff_ffff;
/// Bits of a list register that exist: state, HW, group, priority, pINTID,
/// vINTID.
const KNOWN: u64 = STATE | HW | 1 << 60 | 0xff << PRIORITY_SHIFT | PINTID | VINTID;

fn is_valid_lr(lr: u64, cpu: &CpuFeatures) -> bool {
    let priority = (lr >> PRIORITY_SHIFT) & 0xff;
    let unused = 0xff >> cpu.priority_bits();
    let id_bits_24 = (cpu.ich_vtr >> 23) & 0b111 != 0;
    let most = if id_bits_24 { 0xff_ffff } else { 0xffff };
    let id = lr & VINTID;
    lr & HW == 0
        && lr & PINTID & !PINTID_EOI == 0
        && lr & !KNOWN == 0
        && priority & unused == 0
        && (id < 1020 || (8192..=most).contains(&id))
}

/// Checks what the host wants to load.
pub fn check(lrs: &[u64; 16], hcr: u64, cpu: &CpuFeatures) -> Outcome<()> {
    if hcr & !GICV3_HCR_MASK != 0 {
        return Err(Status::ErrorRec);
    }
    let (used, _) = lrs.split_at(cpu.list_registers());
    let mut rest = used;
    while let [lr, others @ ..] = rest {
        let twice = |other: &u64| other & STATE != 0 && (other ^ lr) & VINTID == 0;
        if lr & STATE != 0 && (!is_valid_lr(*lr, cpu) || others.iter().any(twice)) {
            return Err(Status::ErrorRec);
        }
        rest = others;
    }
    Ok(())
}

/// Loads what [`check`] has passed. List registers that are invalid are
/// cleared, those the CPU does not have stay zero.
pub fn load(gic: &mut GicState, lrs: &[u64; 16], hcr: u64, cpu: &CpuFeatures) {
    gic.hcr = EN | hcr;
    gic.lrs = [0; 16];
    let used = lrs.iter().take(cpu.list_registers());
    for (to, from) in gic.lrs.iter_mut().zip(used) {
        if from & STATE != 0 {
            *to = *from;
        }
    }
}

/// Leaves the interface off, so that nothing of the REC reaches the host.
pub fn switch_off(gic: &mut GicState) {
    gic.hcr &= !EN;
}

/// Tells the host what became of it.
pub fn store(gic: &GicState, exit: &mut RecExit, cpu: &CpuFeatures) {
    exit.gicv3_hcr = gic.hcr & (GICV3_HCR_MASK | EOI_COUNT);
    let used = gic.lrs.iter().take(cpu.list_registers());
    for (to, from) in exit.gicv3_lrs.iter_mut().zip(used) {
        *to = *from;
    }
    exit.gicv3_misr = gic.misr;
    exit.gicv3_vmcr = gic.vmcr;
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::rmi::v1_0::RecEnter;
    use zerocopy::FromZeros;

    const PENDING: u64 = 1 << 62;

    fn cpu() -> CpuFeatures {
        CpuFeatures {
            // Four list registers, five bits of priority, 16 bits of INTID.
            ich_vtr: 0x9000_0003,
            ..CpuFeatures::default()
        }
    }

    fn with_lrs(lrs: &[u64]) -> Outcome<()> {
        let mut enter = RecEnter::new_zeroed();
        enter.gicv3_lrs[..lrs.len()].copy_from_slice(lrs);
        check(&enter.gicv3_lrs, 0, &cpu())
    }

    #[test]
    fn ordinary_interrupts_may_be_listed() {
        let timer = PENDING | 1 << 60 | 0xa0 << 48 | 1 << 41 | 27;
        assert_eq!(with_lrs(&[timer, PENDING | 33, PENDING | 8192]), Ok(()));
    }

    #[test]
    fn nothing_may_reach_a_physical_interrupt() {
        assert!(with_lrs(&[PENDING | HW | 27 << 32 | 27]).is_err());
        assert!(with_lrs(&[PENDING | HW | 27]).is_err());
        assert!(with_lrs(&[PENDING | 27 << 32 | 27]).is_err());
    }

    #[test]
    fn bad_numbers_priorities_and_doubles_are_refused() {
        for id in [1020, 1023, 1056, 4096, 8191, 0x1_0000] {
            assert!(with_lrs(&[PENDING | id]).is_err(), "{id}");
        }
        assert!(with_lrs(&[PENDING | 1 << 48 | 27]).is_err());
        assert!(with_lrs(&[PENDING | 27, 0, 2 << 62 | 27]).is_err());
        assert!(with_lrs(&[PENDING | 1 << 45 | 27]).is_err());
    }

    #[test]
    fn what_an_invalid_list_register_holds_does_not_matter() {
        assert_eq!(with_lrs(&[HW | 0x7f, PENDING | 27, 27]), Ok(()));
        let mut enter = RecEnter::new_zeroed();
        enter.gicv3_lrs[0] = HW | 0x7f;
        let mut gic = GicState::new_zeroed();
        load(&mut gic, &enter.gicv3_lrs, 0, &cpu());
        assert_eq!(gic.lrs[0], 0);
    }

    #[test]
    fn only_the_permitted_controls_pass_in_and_out() {
        let mut enter = RecEnter::new_zeroed();
        for bit in 0..64 {
            enter.gicv3_hcr = 1 << bit;
            let permitted = 0x40fe & (1u64 << bit) != 0;
            assert_eq!(
                check(&enter.gicv3_lrs, enter.gicv3_hcr, &cpu()).is_ok(),
                permitted,
                "bit {bit}"
            );
        }
        let mut gic = GicState::new_zeroed();
        gic.hcr = u64::MAX;
        let mut exit = RecExit::new_zeroed();
        store(&gic, &mut exit, &cpu());
        assert_eq!(exit.gicv3_hcr, 0xf800_40fe);
    }
}
