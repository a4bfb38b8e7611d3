//! Forgetting translations of Realms (DDI0487, D8.17).
#![expect(unsafe_code, reason = "TLB maintenance is by instruction")]

use crate::hw::sysreg::{dsb_ish, dsb_ishst, isb, write};
use addr::Ipa;
use rmm_core::{Stage2, TlbScope};

macro_rules! tlbi {
    ($operation:literal) => {
        // SAFETY: forgetting translations is always allowed; HCR_EL2.TGE is 0,
        // so the regime is that of EL1&0.
        unsafe { core::arch::asm!(concat!("tlbi ", $operation), options(nostack, preserves_flags)) }
    };
    ($operation:literal, $argument:expr) => {{
        let argument: u64 = $argument;
        // SAFETY: as above.
        unsafe {
            core::arch::asm!(concat!("tlbi ", $operation, ", {}"), in(reg) argument,
                options(nostack, preserves_flags));
        }
    }};
}

/// Makes every CPU forget what it cached of `stage2` within `scope`.
///
/// Leaves the stage 2 loaded; entering a REC loads its own.
pub fn invalidate(stage2: &Stage2, scope: TlbScope) {
    dsb_ishst();
    write!("vtcr_el2", stage2.vtcr);
    write!("vttbr_el2", stage2.vttbr);
    isb();
    match scope {
        TlbScope::Leaf { ipa, .. } => {
            tlbi!("ipas2e1is", page_number(ipa));
            dsb_ish();
            // Combined entries do not remember the IPA they came from.
            tlbi!("vmalle1is");
        }
        TlbScope::All => tlbi!("vmalls12e1is"),
    }
    dsb_ish();
    isb();
}

/// Makes this CPU forget the stage 1 and combined entries of the loaded VMID.
pub fn forget_current_vmid_locally() {
    tlbi!("vmalle1");
    // SAFETY: a barrier changes no state.
    unsafe { core::arch::asm!("dsb nsh", "isb", options(nostack, preserves_flags)) }
}

/// The address operand: page number, no level hint, so entries of any size go.
fn page_number(ipa: Ipa) -> u64 {
    ipa.raw() >> 12 & 0xf_ffff_ffff
}
