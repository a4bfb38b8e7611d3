//! What a REC takes with it when it leaves a CPU.
//!
//! [`RecContext`] lives in the REC's granule, [`FpState`] in its auxiliary
//! granule; both are plain bytes, so that the core can lay them over a page
//! and the world switch can address them by offset.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// `HCR_EL2.TWI`: trap WFI and WFIT.
pub const HCR_TWI: u64 = 1 << 13;
/// `HCR_EL2.TWE`: trap WFE and WFET.
pub const HCR_TWE: u64 = 1 << 14;

/// Bit of [`Timers::mask`]: the virtual timer's output is masked.
pub const TIMER_MASK_VIRTUAL: u64 = 1 << 0;
/// Bit of [`Timers::mask`]: the physical timer's output is masked.
pub const TIMER_MASK_PHYSICAL: u64 = 1 << 1;

/// EL1 and EL0 system registers of a REC.
#[derive(Clone, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
#[expect(missing_docs, reason = "every field is the register of its name")]
pub struct El1State {
    pub sp_el0: u64,
    pub sp_el1: u64,
    pub elr: u64,
    pub spsr: u64,
    pub sctlr: u64,
    pub actlr: u64,
    pub cpacr: u64,
    pub ttbr0: u64,
    pub ttbr1: u64,
    pub tcr: u64,
    pub mair: u64,
    pub amair: u64,
    pub esr: u64,
    pub far: u64,
    pub afsr0: u64,
    pub afsr1: u64,
    pub vbar: u64,
    pub contextidr: u64,
    pub tpidr_el0: u64,
    pub tpidrro_el0: u64,
    pub tpidr_el1: u64,
    pub cntkctl: u64,
    pub par: u64,
    pub csselr: u64,
    pub mdscr: u64,
    pub disr: u64,
    /// APIA, APIB, APDA, APDB, APGA: low and high half each.
    pub pauth_keys: [u64; 10],
}

/// The virtual interface of the interrupt controller (ICH_* registers).
#[derive(Clone, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct GicState {
    /// `ICH_HCR_EL2` to load, En included; read back with EOIcount.
    pub hcr: u64,
    /// `ICH_VMCR_EL2`.
    pub vmcr: u64,
    /// `ICH_MISR_EL2`, read when the REC stops.
    pub misr: u64,
    /// `ICH_LR<n>_EL2`.
    pub lrs: [u64; 16],
    /// `ICH_AP0R<n>_EL2`.
    pub ap0r: [u64; 4],
    /// `ICH_AP1R<n>_EL2`.
    pub ap1r: [u64; 4],
}

/// The EL1 timers.
#[derive(Clone, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Timers {
    /// `CNTV_CTL_EL0`.
    pub cntv_ctl: u64,
    /// `CNTV_CVAL_EL0`.
    pub cntv_cval: u64,
    /// `CNTP_CTL_EL0`.
    pub cntp_ctl: u64,
    /// `CNTP_CVAL_EL0`.
    pub cntp_cval: u64,
    /// Outputs to mask while the REC runs (`TIMER_MASK_*`): those that are
    /// asserted and that the host knows of.
    pub mask: u64,
}

/// A REC's state as the CPU sees it, floating point excepted.
#[derive(Clone, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct RecContext {
    /// x0 to x30.
    pub gprs: [u64; 31],
    /// Program counter (`ELR_EL2`).
    pub pc: u64,
    /// Processor state (`SPSR_EL2`).
    pub pstate: u64,
    /// `VMPIDR_EL2`.
    pub vmpidr: u64,
    /// Bits to add to `HCR_EL2` for this run ([`HCR_TWI`], [`HCR_TWE`]).
    pub hcr: u64,
    /// Nothing yet.
    pub reserved: u64,
    /// System registers.
    pub el1: El1State,
    /// Interrupt controller.
    pub gic: GicState,
    /// Timers.
    pub timers: Timers,
}

/// Floating point and SIMD state.
#[derive(Clone, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct FpState {
    /// `V0` to `V31`.
    pub v: [u128; 32],
    /// `FPCR`.
    pub fpcr: u64,
    /// `FPSR`.
    pub fpsr: u64,
}

/// A Realm's stage 2 translation.
#[derive(Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Stage2 {
    /// `VTTBR_EL2`: VMID and the first start-level table.
    pub vttbr: u64,
    /// `VTCR_EL2`.
    pub vtcr: u64,
}

impl RecContext {
    /// Register x0 to x30 by number; 31 reads as zero.
    pub fn gpr(&self, number: usize) -> u64 {
        self.gprs.get(number).copied().unwrap_or(0)
    }

    /// Writes register x0 to x30 by number; 31 takes nothing.
    pub fn set_gpr(&mut self, number: usize, value: u64) {
        if let Some(gpr) = self.gprs.get_mut(number) {
            *gpr = value;
        }
    }

    /// Goes on behind the current instruction.
    pub fn skip_instruction(&mut self) {
        self.pc = self.pc.wrapping_add(4);
    }
}
