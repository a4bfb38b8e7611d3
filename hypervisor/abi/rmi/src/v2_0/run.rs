//! `RmiRecRun` of RMI 2.0: the page a REC is entered with and exits through.
//!
//! The virtual GIC is no part of it: the host programs `ICH_*` itself before
//! the entry and reads it back after the exit. What remains lies where RMI 1.0
//! put it, so [`RecRun::common`] lends the page to code written for both.

use crate::v1_0;
use core::mem::{offset_of, size_of};
use zerocopy::{
    FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout, transmute_mut, transmute_ref,
};

pub use v1_0::{
    ENTER_FLAG_EMUL_MMIO, ENTER_FLAG_INJECT_SEA, ENTER_FLAG_RIPAS_RESPONSE, ENTER_FLAG_TRAP_WFE,
    ENTER_FLAG_TRAP_WFI,
};

/// Reject the pending change of access permissions.
pub const ENTER_FLAG_S2AP_RESPONSE: u64 = 1 << 5;
/// Reject the pending mapping of device memory.
pub const ENTER_FLAG_DEV_MEM_RESPONSE: u64 = 1 << 6;
/// Run plane 0, whatever plane ran.
pub const ENTER_FLAG_FORCE_P0: u64 = 1 << 7;

/// `RmiRecEnter`: the first half of the page.
#[derive(Clone, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct RecEnter {
    /// `ENTER_FLAG_*`.
    pub flags: u64,
    reserved_8: [u8; 0x200 - 0x8],
    /// Registers for the Realm; which are used depends on the last exit.
    pub gprs: [u64; 31],
    reserved_2f8: [u8; 0x800 - 0x2f8],
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
    /// The tree of RTTs that was active.
    pub rtt_tree: u64,
    /// Level of the RTT asked for (early flavour).
    pub rtt_level: i64,
    reserved_128: [u8; 0x200 - 0x128],
    /// Registers of the Realm; which are given depends on the exit.
    pub gprs: [u64; 31],
    reserved_2f8: [u8; 0x400 - 0x2f8],
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
    reserved_518: [u8; 0x520 - 0x518],
    /// First address of the change of permissions asked for.
    pub s2ap_base: u64,
    /// First address past it.
    pub s2ap_top: u64,
    /// First part of a virtual device's identity.
    pub vdev_id_1: u64,
    /// Second part of a virtual device's identity.
    pub vdev_id_2: u64,
    /// First IPA of device memory.
    pub dev_mem_base: u64,
    /// First IPA past it.
    pub dev_mem_top: u64,
    /// Its physical address.
    pub dev_mem_pa: u64,
    reserved_558: [u8; 0x600 - 0x558],
    /// Immediate of a host call, in the lowest two bytes.
    pub imm: u64,
    /// The plane that exited.
    pub plane: u64,
    reserved_610: [u8; 0x700 - 0x610],
    /// Whether the PMU's overflow line is asserted, in the lowest byte.
    pub pmu_ovf_status: u64,
    reserved_708: [u8; 0x710 - 0x708],
    /// The virtual SMMU concerned (late flavour).
    pub vsmmu: u64,
    reserved_718: [u8; 0x800 - 0x718],
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

impl RecRun {
    /// The page as RMI 1.0 lays it out. Its GIC fields mean nothing here: they
    /// stay zero.
    pub fn common(&self) -> &v1_0::RecRun {
        transmute_ref!(self)
    }

    /// The page as RMI 1.0 lays it out, to change it.
    pub fn common_mut(&mut self) -> &mut v1_0::RecRun {
        transmute_mut!(self)
    }
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
    /// The Realm asks for a change of access permissions.
    S2apChange = 7,
    /// The Realm asks something of a virtual device.
    Vdev = 8,
    /// The Realm wants device memory mapped (early flavour).
    DevMemMap = 9,
    /// A matter of two devices, or of a virtual SMMU, by flavour.
    VdevP2pOrVsmmu = 10,
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
            7 => Some(Self::S2apChange),
            8 => Some(Self::Vdev),
            9 => Some(Self::DevMemMap),
            10 => Some(Self::VdevP2pOrVsmmu),
            _ => None,
        }
    }
}

macro_rules! same_place {
    ($kind:ident: $($field:ident)*) => {
        $(assert!(offset_of!($kind, $field) == offset_of!(v1_0::$kind, $field));)*
    };
}

const _: () = {
    assert!(size_of::<RecEnter>() == 0x800);
    same_place!(RecEnter: flags gprs);
    assert!(size_of::<RecExit>() == 0x800);
    same_place!(RecExit: exit_reason esr far hpfar gprs cntp_ctl cntp_cval cntv_ctl cntv_cval);
    same_place!(RecExit: ripas_base ripas_top ripas_value imm pmu_ovf_status);
    assert!(offset_of!(RecExit, rtt_tree) == 0x118);
    assert!(offset_of!(RecExit, rtt_level) == 0x120);
    assert!(offset_of!(RecExit, s2ap_base) == 0x520);
    assert!(offset_of!(RecExit, s2ap_top) == 0x528);
    assert!(offset_of!(RecExit, vdev_id_1) == 0x530);
    assert!(offset_of!(RecExit, vdev_id_2) == 0x538);
    assert!(offset_of!(RecExit, dev_mem_base) == 0x540);
    assert!(offset_of!(RecExit, dev_mem_top) == 0x548);
    assert!(offset_of!(RecExit, dev_mem_pa) == 0x550);
    assert!(offset_of!(RecExit, plane) == 0x608);
    assert!(offset_of!(RecExit, vsmmu) == 0x710);
    assert!(size_of::<RecRun>() == 0x1000);
    assert!(offset_of!(RecRun, exit) == 0x800);
};
