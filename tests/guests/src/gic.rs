//! GICv3 as a guest brings it up: its redistributor and the CPU interface.
#![expect(unsafe_code, reason = "CPU interface registers")]

use crate::mmio::Mmio;
use vm_config::map;

const GICD_CTLR: u64 = 0x0;
const GICD_TYPER: u64 = 0x4;
const GICD_CTLR_ENABLE_GRP1: u32 = 1 << 1;
const GICD_CTLR_ARE: u32 = 1 << 4;
const GICR_WAKER: u64 = 0x14;
const SGI_FRAME: u64 = 0x1_0000;
const GICR_IGROUPR0: u64 = SGI_FRAME + 0x80;
const GICR_ISENABLER0: u64 = SGI_FRAME + 0x100;
const GICR_ICENABLER0: u64 = SGI_FRAME + 0x180;

/// The interrupt controller, reached through the shared alias.
#[derive(Clone, Copy, Debug)]
pub struct Gic {
    distributor: Mmio,
    redistributor: Mmio,
}

impl Gic {
    /// The controller of the guest machine, as its first CPU has it.
    pub const fn new(shared_bit: u64) -> Self {
        Self::of(0, shared_bit)
    }

    /// The controller as CPU `cpu` has it, with that CPU's redistributor.
    pub const fn of(cpu: u32, shared_bit: u64) -> Self {
        let redistributor = map::GICR_BASE.raw() + cpu as u64 * map::GICR_STRIDE;
        Self {
            distributor: Mmio::new(map::GICD_BASE.raw() | shared_bit),
            redistributor: Mmio::new(redistributor | shared_bit),
        }
    }

    /// Takes back whatever was enabled, made pending, active or edge-triggered, and
    /// gives private interrupts a priority.
    pub fn calm(self) {
        const ICENABLER: u64 = 0x180;
        const ICPENDR: u64 = 0x280;
        const ICACTIVER: u64 = 0x380;
        const IPRIORITYR: u64 = 0x400;
        const ICFGR: u64 = 0xc00;
        for word in 0..4 {
            self.redistributor
                .write(SGI_FRAME + IPRIORITYR + 4 * word, 0xa0a0_a0a0);
        }
        self.redistributor.write(SGI_FRAME + ICFGR + 4, 0);
        for word in 2..64 {
            self.distributor.write(ICFGR + 4 * word, 0);
        }
        for register in [ICENABLER, ICPENDR, ICACTIVER] {
            self.redistributor.write(SGI_FRAME + register, u32::MAX);
            for word in 1..32 {
                self.distributor.write(register + 4 * word, u32::MAX);
            }
        }
    }

    /// Enables Group 1 interrupts of this CPU at every priority.
    pub fn enable(self) {
        self.distributor
            .write(GICD_CTLR, GICD_CTLR_ARE | GICD_CTLR_ENABLE_GRP1);
        self.redistributor.write(GICR_WAKER, 0);
        self.redistributor.write(GICR_IGROUPR0, u32::MAX);
        // SAFETY: the CPU interface of this guest; no memory is involved.
        unsafe {
            core::arch::asm!(
                "msr S3_0_C12_C12_5, {sre}", // ICC_SRE_EL1
                "isb",
                "msr S3_0_C4_C6_0, {pmr}", // ICC_PMR_EL1
                "msr S3_0_C12_C12_7, {on}", // ICC_IGRPEN1_EL1
                "isb",
                sre = in(reg) 7u64, pmr = in(reg) 0xffu64, on = in(reg) 1u64,
                options(nostack, preserves_flags)
            );
        }
    }

    /// Enables an SGI or PPI.
    pub fn enable_private(self, intid: u32) {
        self.redistributor.write(GICR_ISENABLER0, 1 << (intid & 31));
    }

    /// Disables an SGI or PPI.
    pub fn disable_private(self, intid: u32) {
        self.redistributor.write(GICR_ICENABLER0, 1 << (intid & 31));
    }

    /// Makes all the distributor's interrupts pending at once, for CPU 0, and says
    /// how many there are.
    pub fn pend_all_shared(self) -> u32 {
        const IGROUPR: u64 = 0x80;
        const ISENABLER: u64 = 0x100;
        const ISPENDR: u64 = 0x200;
        const IPRIORITYR: u64 = 0x400;
        const IROUTER: u64 = 0x6000;
        let words = self.typer() & 0x1f;
        let last = 32 * u64::from(words) + 31;
        for intid in (32..=last).step_by(4) {
            self.distributor.write(IPRIORITYR + intid, 0xa0a0_a0a0);
        }
        for intid in 32..=last {
            self.distributor.write(IROUTER + 8 * intid, 0);
            self.distributor.write(IROUTER + 8 * intid + 4, 0);
        }
        for register in [IGROUPR, ISENABLER, ISPENDR] {
            for word in 1..=u64::from(words) {
                self.distributor.write(register + 4 * word, u32::MAX);
            }
        }
        32 * words
    }

    /// `GICD_TYPER`.
    pub fn typer(self) -> u32 {
        self.distributor.read(GICD_TYPER)
    }
}

/// Acknowledges the highest pending interrupt.
pub fn acknowledge() -> u32 {
    let intid: u64;
    // SAFETY: the CPU interface of this guest; no memory is involved.
    unsafe {
        core::arch::asm!("mrs {0}, S3_0_C12_C12_0", out(reg) intid, options(nostack)); // ICC_IAR1_EL1
    }
    intid as u32
}

/// Ends an interrupt.
pub fn end(intid: u32) {
    // SAFETY: as for `acknowledge`.
    unsafe {
        core::arch::asm!("msr S3_0_C12_C12_1, {0}", in(reg) u64::from(intid), options(nostack)); // ICC_EOIR1_EL1
    }
}

/// Sends SGI `intid` to the CPU with `Aff0 == target`.
pub fn send_sgi(intid: u32, target: u32) {
    write_sgi1r(u64::from(intid & 0xf) << 24 | 1 << (target & 0xf));
}

/// Sends an SGI as `ICC_SGI1R_EL1` has it, to whomever.
pub fn write_sgi1r(value: u64) {
    // SAFETY: as for `acknowledge`; the write traps to the host.
    unsafe {
        core::arch::asm!("msr S3_0_C12_C11_5, {0}", "isb", in(reg) value, options(nostack)); // ICC_SGI1R_EL1
    }
}
