//! Exceptions that the RMM takes to the Realm's EL1 (DDI0487 D1.3.1).

use super::esr::{self, Abort};
use crate::context::RecContext;

const MODE: u64 = 0xf;
const EL1H: u64 = 0b0101;
const EL1T: u64 = 0b0100;
const DAIF: u64 = 0xf << 6;
const FLAGS: u64 = 0xf << 28;
const PAN: u64 = 1 << 22;
const SSBS: u64 = 1 << 12;
const DIT: u64 = 1 << 24;
const SCTLR_SPAN: u64 = 1 << 23;
const SCTLR_DSSBS: u64 = 1 << 44;

/// Offsets of the synchronous vectors.
const FROM_EL1T: u64 = 0x000;
const FROM_EL1H: u64 = 0x200;
const FROM_EL0: u64 = 0x400;

fn from_el0(context: &RecContext) -> bool {
    context.pstate & MODE == 0
}

fn take(context: &mut RecContext, esr: u64, far: Option<u64>) {
    let old = context.pstate;
    let vector = match old & MODE {
        EL1H => FROM_EL1H,
        EL1T => FROM_EL1T,
        _ => FROM_EL0,
    };
    let mut new = (old & (FLAGS | PAN | DIT)) | DAIF | EL1H;
    if context.el1.sctlr & SCTLR_SPAN == 0 {
        new |= PAN;
    }
    if context.el1.sctlr & SCTLR_DSSBS != 0 {
        new |= SSBS;
    }
    context.el1.elr = context.pc;
    context.el1.spsr = old;
    context.el1.esr = esr;
    if let Some(far) = far {
        context.el1.far = far;
    }
    context.pc = context.el1.vbar.wrapping_add(vector);
    context.pstate = new;
}

/// The current instruction is undefined.
pub fn undefined(context: &mut RecContext) {
    take(context, esr::with_class(esr::EC_UNKNOWN, esr::IL), None);
}

/// The current access met a synchronous external abort.
pub fn external_abort(context: &mut RecContext, abort: Abort, far: u64) {
    let class = match (abort.is_fetch(), from_el0(context)) {
        (true, true) => esr::EC_INSTRUCTION_ABORT_LOWER,
        (true, false) => esr::EC_INSTRUCTION_ABORT_SAME,
        (false, true) => esr::EC_DATA_ABORT_LOWER,
        (false, false) => esr::EC_DATA_ABORT_SAME,
    };
    let write = if abort.is_write() && !abort.is_fetch() {
        1 << 6
    } else {
        0
    };
    let rest = esr::IL | esr::EA | write | esr::FSC_EXTERNAL;
    take(context, esr::with_class(class, rest), Some(far));
}

#[cfg(test)]
mod tests {
    use super::*;
    use zerocopy::FromZeros;

    fn context(pstate: u64) -> RecContext {
        let mut context = RecContext::new_zeroed();
        context.pc = 0x4000;
        context.pstate = pstate;
        context.el1.vbar = 0x10_0000;
        context.el1.sctlr = SCTLR_SPAN;
        context
    }

    #[test]
    fn an_abort_from_user_space_arrives_in_the_vector_for_it() {
        let mut context = context(1 << 31);
        let abort = Abort(esr::with_class(esr::EC_DATA_ABORT_LOWER, 1 << 6 | 0x07));
        external_abort(&mut context, abort, 0xdead_beef);
        assert_eq!(context.pc, 0x10_0400);
        assert_eq!(
            context.el1.esr,
            0x24 << 26 | 1 << 25 | 1 << 9 | 1 << 6 | 0x10
        );
        assert_eq!(context.el1.far, 0xdead_beef);
        assert_eq!(context.el1.elr, 0x4000);
        assert_eq!(context.el1.spsr, 1 << 31);
        assert_eq!(context.pstate, 1 << 31 | 0x3c5);
    }

    #[test]
    fn an_undefined_instruction_in_the_kernel_leaves_the_fault_address_alone() {
        let mut context = context(EL1H);
        context.el1.far = 7;
        undefined(&mut context);
        assert_eq!(context.pc, 0x10_0200);
        assert_eq!(context.el1.esr, 1 << 25);
        assert_eq!(context.el1.far, 7);
    }

    #[test]
    fn privileged_access_never_is_set_where_the_kernel_asks_for_it() {
        let mut context = context(EL1T);
        context.el1.sctlr = 0;
        undefined(&mut context);
        assert_eq!(context.pstate & PAN, PAN);
        assert_eq!(context.pc, 0x10_0000);
    }
}
