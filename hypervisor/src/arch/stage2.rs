//! TLBs and caches for the stage-2 tables of plain VMs.
#![expect(unsafe_code, reason = "TLB and cache maintenance by instruction")]

use core::arch::asm;

use addr::{GRANULE_SIZE, GranuleAddr, Ipa};
use stage2::{Features, Maintenance, Registers};

use super::sysreg::{isb, read, write};

/// `CTR_EL0.L1Ip`: instruction caches are looked up by physical address.
const L1IP_PHYSICAL: u64 = 3;
const IDC: u64 = 1 << 28;
const DIC: u64 = 1 << 29;

/// What stage 2 of this CPU can do.
pub fn features() -> Features {
    Features::of_cpu(
        read!("id_aa64mmfr0_el1"),
        read!("id_aa64mmfr1_el1"),
        read!("id_aa64mmfr2_el1"),
    )
}

/// Maintenance by this CPU's instructions, for all CPUs.
#[derive(Clone, Copy, Debug)]
pub struct Caches;

impl Maintenance for Caches {
    fn publish(&mut self) {
        // SAFETY: barriers change no state.
        unsafe { asm!("dsb ishst", "isb", options(nostack, preserves_flags)) }
    }

    fn forget(&mut self, stage2: &Registers, ipa: Ipa) {
        with(stage2, || {
            // Combined entries do not remember the IPA they came from.
            // SAFETY: forgetting translations is always allowed; HCR_EL2.TGE is
            // clear, so the regime is EL1&0 of the VMID that is loaded.
            unsafe {
                asm!(
                    "dsb ishst",
                    "tlbi ipas2e1is, {page}",
                    "dsb ish",
                    "tlbi vmalle1is",
                    "dsb ish",
                    "isb",
                    page = in(reg) ipa.raw() >> 12 & 0xf_ffff_ffff,
                    options(nostack, preserves_flags),
                );
            }
        });
    }

    fn forget_all(&mut self, stage2: &Registers) {
        with(stage2, || {
            // SAFETY: as above.
            unsafe {
                asm!(
                    "dsb ishst",
                    "tlbi vmalls12e1is",
                    "dsb ish",
                    "isb",
                    options(nostack, preserves_flags),
                );
            }
        });
    }

    fn written(&mut self, base: GranuleAddr, pages: usize) {
        if features().fwb {
            // The guest's accesses are cached whatever it says.
            return;
        }
        each_line(base, pages, data_line(), |line| {
            // SAFETY: a clean and invalidate of mapped memory loses nothing.
            unsafe { asm!("dc civac, {}", in(reg) line, options(nostack, preserves_flags)) }
        });
        // SAFETY: a barrier changes no state.
        unsafe { asm!("dsb sy", options(nostack, preserves_flags)) }
    }

    fn executable(&mut self, page: GranuleAddr) {
        let ctr = read!("ctr_el0");
        if ctr & IDC == 0 {
            each_line(page, 1, data_line(), |line| {
                // SAFETY: a clean of mapped memory loses nothing.
                unsafe { asm!("dc cvau, {}", in(reg) line, options(nostack, preserves_flags)) }
            });
        }
        // SAFETY: a barrier changes no state.
        unsafe { asm!("dsb ish", options(nostack, preserves_flags)) }
        if ctr & DIC != 0 {
            return;
        }
        if ctr >> 14 & 3 == L1IP_PHYSICAL {
            each_line(page, 1, 4 << (ctr & 0xf), |line| {
                // SAFETY: dropping cached instructions changes no meaning.
                unsafe { asm!("ic ivau, {}", in(reg) line, options(nostack, preserves_flags)) }
            });
        } else {
            // SAFETY: as above. An alias may hold them under another index.
            unsafe { asm!("ic ialluis", options(nostack, preserves_flags)) }
        }
        // SAFETY: barriers change no state.
        unsafe { asm!("dsb ish", "isb", options(nostack, preserves_flags)) }
    }
}

/// Does something with a stage 2 loaded, and puts back what was.
fn with(stage2: &Registers, act: impl FnOnce()) {
    let before = Registers {
        vtcr: read!("vtcr_el2"),
        vttbr: read!("vttbr_el2"),
    };
    load(stage2);
    act();
    load(&before);
}

/// Loads a stage 2; it takes effect for whoever runs at EL1 with `HCR_EL2.VM`.
pub(super) fn load(stage2: &Registers) {
    write!("vtcr_el2", stage2.vtcr);
    write!("vttbr_el2", stage2.vttbr);
    isb();
}

/// Has this CPU forget what it cached for the VMID that is loaded.
pub(super) fn forget_locally() {
    // SAFETY: forgetting translations is always allowed.
    unsafe {
        asm!(
            "tlbi vmalle1",
            "dsb nsh",
            "isb",
            options(nostack, preserves_flags)
        )
    }
}

fn data_line() -> u64 {
    4 << (read!("ctr_el0") >> 16 & 0xf)
}

fn each_line(base: GranuleAddr, pages: usize, size: u64, mut act: impl FnMut(u64)) {
    let end = base.raw() + pages as u64 * GRANULE_SIZE;
    let mut line = base.raw();
    while line < end {
        act(line);
        line += size;
    }
}
