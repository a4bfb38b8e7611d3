//! The state a REC begins with (DEN0137 A4.3, DDI0487 reset values).

use crate::context::RecContext;
use ::rmi::v1_0::Mpidr;
use zerocopy::FromZeros;

/// EL1 with its own stack pointer, all interrupts masked.
const EL1H_MASKED: u64 = 0x3c5;
/// RES1 bits of `SCTLR_EL1`; translation, caches and alignment checks are off.
const SCTLR_RES1: u64 = 0x30d0_0980;
/// `VMPIDR_EL2` bit that reads as one.
const VMPIDR_RES1: u64 = 1 << 31;

/// Puts a REC into the state of a CPU that has just been switched on at `pc`.
/// Its interrupt controller state and timers start anew, too.
pub fn power_on(context: &mut RecContext, pc: u64, mpidr: Mpidr) {
    *context = RecContext::new_zeroed();
    context.pc = pc;
    context.pstate = EL1H_MASKED;
    context.el1.sctlr = SCTLR_RES1;
    context.vmpidr = vmpidr(mpidr);
}

/// What the Realm reads as `MPIDR_EL1`.
pub fn vmpidr(mpidr: Mpidr) -> u64 {
    let raw = mpidr.raw();
    let low = raw & 0x00ff_ffff;
    let aff3 = (raw >> 24) & 0xff;
    VMPIDR_RES1 | low | aff3 << 32
}

/// The REC index that a value of the Realm's `MPIDR_EL1` or of PSCI names.
pub fn index_of(vmpidr: u64) -> Option<u64> {
    // Aff3 lies in bits 39:32 here, in bits 31:24 of RMI's own format.
    if vmpidr & !0xff_00ff_ff0f != 0 {
        return None;
    }
    let raw = vmpidr & 0x00ff_ffff | (vmpidr >> 32) << 24;
    Mpidr::from_raw(raw).map(|mpidr| u64::from(mpidr.index()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_realm_finds_its_cpus_where_the_architecture_puts_affinity() {
        assert_eq!(vmpidr(Mpidr::from_index(0)), 0x8000_0000);
        assert_eq!(vmpidr(Mpidr::from_index(16)), 0x8000_0100);
        assert_eq!(index_of(0), Some(0));
        assert_eq!(index_of(0x10f), Some(31));
        for index in [0, 1, 15, 16, 4095, 4096, 1 << 20] {
            let affinity = vmpidr(Mpidr::from_index(index)) & !VMPIDR_RES1;
            assert_eq!(index_of(affinity), Some(u64::from(index)));
        }
    }

    #[test]
    fn what_is_no_affinity_names_no_rec() {
        assert_eq!(index_of(0x10), None);
        assert_eq!(index_of(0x8000_0000), None);
        assert_eq!(index_of(u64::MAX), None);
    }
}
