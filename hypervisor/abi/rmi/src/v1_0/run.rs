//! `RmiRecRun`: the page a REC is entered with and exits through
//! (DEN0137 B4.4, `RmiRecEnter` and `RmiRecExit`).

use core::mem::{offset_of, size_of};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout};

/// The host has emulated the access of the last exit.
pub const ENTER_FLAG_EMUL_MMIO: u64 = 1 << 0;
/// Inject a synchronous external abort for the access of the last exit.
pub const ENTER_FLAG_INJECT_SEA: u64 = 1 << 1;
/// Exit on WFI and WFIT.
pub const ENTER_FLAG_TRAP_WFI: u64 = 1 << 2;
/// Exit on WFE and WFET.
pub const ENTER_FLAG_TRAP_WFE: u64 = 1 << 3;
/// Reject the pending change of RIPAS.
pub const ENTER_FLAG_RIPAS_RESPONSE: u64 = 1 << 4;

/// Bits of `ICH_HCR_EL2` that the host may set: UIE, LRENPIE, NPIE, VGrp0EIE,
/// VGrp0DIE, VGrp1EIE, VGrp1DIE and TDIR.
pub const GICV3_HCR_MASK: u64 = 0x40fe;

/// `RmiRecEnter`: the first half of the page.
#[derive(Clone, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct RecEnter {
    /// `ENTER_FLAG_*`.
    pub flags: u64,
    reserved_8: [u8; 0x200 - 0x8],
    /// Registers for the Realm; which are used depends on the last exit.
    pub gprs: [u64; 31],
    reserved_2f8: [u8; 8],
    /// Bits of `ICH_HCR_EL2`, within [`GICV3_HCR_MASK`].
    pub gicv3_hcr: u64,
    /// List registers.
    pub gicv3_lrs: [u64; 16],
    reserved_388: [u8; 0x800 - 0x388],
}

/// `RmiRecExit`: the second half of the page.
#[derive(Clone, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct RecExit {
    /// [`ExitReason`] in its lowest byte.
    pub exit_reason: u64,
    reserved_8: [u8; 0x100 - 0x8],
    /// Syndrome, masked to what the host may know.
    pub esr: u64,
    /// Faulting address, masked.
    pub far: u64,
    /// Faulting IPA.
    pub hpfar: u64,
    reserved_118: [u8; 0x200 - 0x118],
    /// Registers of the Realm; which are given depends on the exit.
    pub gprs: [u64; 31],
    reserved_2f8: [u8; 8],
    /// `ICH_HCR_EL2`: the permitted bits and EOIcount.
    pub gicv3_hcr: u64,
    /// List registers.
    pub gicv3_lrs: [u64; 16],
    /// `ICH_MISR_EL2`.
    pub gicv3_misr: u64,
    /// `ICH_VMCR_EL2`.
    pub gicv3_vmcr: u64,
    reserved_398: [u8; 0x400 - 0x398],
    /// `CNTP_CTL_EL0`.
    pub cntp_ctl: u64,
    /// `CNTP_CVAL_EL0`.
    pub cntp_cval: u64,
    /// `CNTV_CTL_EL0`.
    pub cntv_ctl: u64,
    /// `CNTV_CVAL_EL0`.
    pub cntv_cval: u64,
    reserved_420: [u8; 0x500 - 0x420],
    /// First address of the change of RIPAS asked for.
    pub ripas_base: u64,
    /// First address past it.
    pub ripas_top: u64,
    /// RIPAS asked for, in the lowest byte.
    pub ripas_value: u64,
    reserved_518: [u8; 0x600 - 0x518],
    /// Immediate of a host call, in the lowest two bytes.
    pub imm: u64,
    reserved_608: [u8; 0x700 - 0x608],
    /// Whether the PMU's overflow line is asserted, in the lowest byte.
    pub pmu_ovf_status: u64,
    reserved_708: [u8; 0x800 - 0x708],
}

/// `RmiRecRun`: the whole page.
#[derive(Clone, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct RecRun {
    /// What the host says on entry.
    pub enter: RecEnter,
    /// What the RMM says on exit.
    pub exit: RecExit,
}

impl Default for RecRun {
    fn default() -> Self {
        Self::new_zeroed()
    }
}

impl Default for RecEnter {
    fn default() -> Self {
        Self::new_zeroed()
    }
}

impl Default for RecExit {
    fn default() -> Self {
        Self::new_zeroed()
    }
}

/// `RmiRecExitReason`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[repr(u8)]
pub enum ExitReason {
    /// A synchronous exception of the Realm that the host can see.
    Sync = 0,
    /// A physical interrupt, or a change of a timer's output.
    Irq = 1,
    /// A physical FIQ.
    Fiq = 2,
    /// A PSCI call.
    Psci = 3,
    /// The Realm asks for a change of RIPAS.
    RipasChange = 4,
    /// The Realm calls the host.
    HostCall = 5,
    /// An SError.
    SError = 6,
}

impl ExitReason {
    /// Decodes the field; the RMM may say anything.
    pub const fn from_raw(raw: u64) -> Option<Self> {
        match raw & 0xff {
            0 => Some(Self::Sync),
            1 => Some(Self::Irq),
            2 => Some(Self::Fiq),
            3 => Some(Self::Psci),
            4 => Some(Self::RipasChange),
            5 => Some(Self::HostCall),
            6 => Some(Self::SError),
            _ => None,
        }
    }
}

const _: () = {
    assert!(size_of::<RecEnter>() == 0x800);
    assert!(offset_of!(RecEnter, gprs) == 0x200);
    assert!(offset_of!(RecEnter, gicv3_hcr) == 0x300);
    assert!(offset_of!(RecEnter, gicv3_lrs) == 0x308);
    assert!(size_of::<RecExit>() == 0x800);
    assert!(offset_of!(RecExit, esr) == 0x100);
    assert!(offset_of!(RecExit, far) == 0x108);
    assert!(offset_of!(RecExit, hpfar) == 0x110);
    assert!(offset_of!(RecExit, gprs) == 0x200);
    assert!(offset_of!(RecExit, gicv3_hcr) == 0x300);
    assert!(offset_of!(RecExit, gicv3_lrs) == 0x308);
    assert!(offset_of!(RecExit, gicv3_misr) == 0x388);
    assert!(offset_of!(RecExit, gicv3_vmcr) == 0x390);
    assert!(offset_of!(RecExit, cntp_ctl) == 0x400);
    assert!(offset_of!(RecExit, cntp_cval) == 0x408);
    assert!(offset_of!(RecExit, cntv_ctl) == 0x410);
    assert!(offset_of!(RecExit, cntv_cval) == 0x418);
    assert!(offset_of!(RecExit, ripas_base) == 0x500);
    assert!(offset_of!(RecExit, ripas_top) == 0x508);
    assert!(offset_of!(RecExit, ripas_value) == 0x510);
    assert!(offset_of!(RecExit, imm) == 0x600);
    assert!(offset_of!(RecExit, pmu_ovf_status) == 0x700);
    assert!(size_of::<RecRun>() == 0x1000);
    assert!(offset_of!(RecRun, exit) == 0x800);
};
