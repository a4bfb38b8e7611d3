//! `RmiRmmConfig`, `RmiRealmParams` and `RmiRecParams` of RMI 2.0.
//!
//! Each fills one Non-secure page. Bytes the specification does not name are
//! zero.

use core::mem::{offset_of, size_of};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout};

/// Bytes of a parameter page.
pub const PARAMS_SIZE: usize = 0x1000;
/// Auxiliary planes a Realm can have at most.
pub const MAX_AUX_PLANES: usize = 3;

/// `RmiRealmFlags0`: 52-bit stage 2 (early flavour only).
pub const REALM_FLAG_LPA2: u64 = 1 << 0;
/// `RmiRealmFlags0`: SVE.
pub const REALM_FLAG_SVE: u64 = 1 << 1;
/// `RmiRealmFlags0`: PMU.
pub const REALM_FLAG_PMU: u64 = 1 << 2;
/// `RmiRealmFlags0`: device assignment.
pub const REALM_FLAG_DA: u64 = 1 << 3;
/// `RmiRealmFlags0`: a memory encryption context of its own.
pub const REALM_FLAG_MEC_PRIVATE: u64 = 1 << 7;
/// `RmiRealmFlags1`: a tree of RTTs for each plane.
pub const REALM_FLAG1_RTT_TREE_PP: u64 = 1 << 0;
/// `RmiRealmFlags1`: indirect access permissions.
pub const REALM_FLAG1_S2AP_INDIRECT: u64 = 1 << 1;
/// `RmiRecCreateFlags`: the REC can be entered once the Realm is active.
pub const REC_FLAG_RUNNABLE: u64 = 1 << 0;

/// `RmiHashAlgorithm`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[repr(u8)]
pub enum HashAlgo {
    /// SHA-256.
    Sha256 = 0,
    /// SHA-512.
    Sha512 = 1,
    /// SHA-384.
    Sha384 = 2,
}

impl HashAlgo {
    /// Decodes the field.
    pub const fn from_raw(raw: u64) -> Option<Self> {
        match raw {
            0 => Some(Self::Sha256),
            1 => Some(Self::Sha512),
            2 => Some(Self::Sha384),
            _ => None,
        }
    }
}

/// The granule in which an RMM accounts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[repr(u8)]
pub enum RmiGranule {
    /// 4 KiB.
    Size4K = 0,
    /// 16 KiB.
    Size16K = 1,
    /// 64 KiB.
    Size64K = 2,
}

/// `RmiRmmConfig`: what the host chooses before it activates the RMM.
#[derive(Clone, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct RmmConfig {
    /// Size of a tracking region; zero is 1 GiB with 4 KiB granules.
    pub tracking_region_size: u64,
    /// [`RmiGranule`].
    pub rmi_granule_size: u64,
    reserved_10: [u8; PARAMS_SIZE - 0x10],
}

/// `RmiRealmParams`: what a Realm is created from. The RMM chooses the VMID.
#[derive(Clone, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct RealmParams {
    /// `REALM_FLAG_*`.
    pub flags0: u64,
    /// IPA width in bits.
    pub s2sz: u64,
    /// SVE vector length as `(bits / 128) - 1`.
    pub sve_vl: u64,
    /// Breakpoints minus one; zero is refused.
    pub num_bps: u64,
    /// Watchpoints minus one; zero is refused.
    pub num_wps: u64,
    /// PMU event counters.
    pub pmu_num_ctrs: u64,
    /// [`HashAlgo`].
    pub hash_algo: u64,
    /// Planes besides plane 0.
    pub num_aux_planes: u64,
    reserved_40: [u8; 0x400 - 0x40],
    /// Realm Personalization Value: opaque, no part of the measurement.
    pub rpv: [u8; 64],
    /// The plane whose tables devices use.
    pub ats_plane: u64,
    reserved_448: [u8; 0x808 - 0x448],
    /// Physical address of the first start-level RTT, aligned to all of them.
    pub rtt_base: u64,
    /// Level of the start-level RTTs (two's complement).
    pub rtt_level_start: i64,
    /// Number of contiguous start-level RTTs.
    pub rtt_num_start: u64,
    /// `REALM_FLAG1_*`.
    pub flags1: u64,
    /// Virtual devices at most (late flavour).
    pub max_num_vdevs: u64,
    reserved_830: [u8; 0xf80 - 0x830],
    /// Physical addresses of the auxiliary planes' start-level RTTs.
    pub aux_rtt_base: [u64; MAX_AUX_PLANES],
    reserved_f98: [u8; PARAMS_SIZE - 0xf98],
}

/// `RmiRecParams`: what a REC is created from.
#[derive(Clone, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct RecParams {
    /// `REC_FLAG_*`.
    pub flags: u64,
    reserved_8: [u8; 0x100 - 0x8],
    /// [`Mpidr`](super::Mpidr).
    pub mpidr: u64,
    reserved_108: [u8; 0x200 - 0x108],
    /// Entry point.
    pub pc: u64,
    reserved_208: [u8; 0x300 - 0x208],
    /// Initial x0 to x7.
    pub gprs: [u64; 8],
    reserved_340: [u8; PARAMS_SIZE - 0x340],
}

impl Default for RmmConfig {
    fn default() -> Self {
        Self::new_zeroed()
    }
}

impl Default for RealmParams {
    fn default() -> Self {
        Self::new_zeroed()
    }
}

impl Default for RecParams {
    fn default() -> Self {
        Self::new_zeroed()
    }
}

const _: () = {
    assert!(size_of::<RmmConfig>() == PARAMS_SIZE);
    assert!(offset_of!(RmmConfig, rmi_granule_size) == 0x8);

    assert!(size_of::<RealmParams>() == PARAMS_SIZE);
    assert!(offset_of!(RealmParams, s2sz) == 0x8);
    assert!(offset_of!(RealmParams, sve_vl) == 0x10);
    assert!(offset_of!(RealmParams, num_bps) == 0x18);
    assert!(offset_of!(RealmParams, num_wps) == 0x20);
    assert!(offset_of!(RealmParams, pmu_num_ctrs) == 0x28);
    assert!(offset_of!(RealmParams, hash_algo) == 0x30);
    assert!(offset_of!(RealmParams, num_aux_planes) == 0x38);
    assert!(offset_of!(RealmParams, rpv) == 0x400);
    assert!(offset_of!(RealmParams, ats_plane) == 0x440);
    assert!(offset_of!(RealmParams, rtt_base) == 0x808);
    assert!(offset_of!(RealmParams, rtt_level_start) == 0x810);
    assert!(offset_of!(RealmParams, rtt_num_start) == 0x818);
    assert!(offset_of!(RealmParams, flags1) == 0x820);
    assert!(offset_of!(RealmParams, max_num_vdevs) == 0x828);
    assert!(offset_of!(RealmParams, aux_rtt_base) == 0xf80);

    assert!(size_of::<RecParams>() == PARAMS_SIZE);
    assert!(offset_of!(RecParams, mpidr) == 0x100);
    assert!(offset_of!(RecParams, pc) == 0x200);
    assert!(offset_of!(RecParams, gprs) == 0x300);
};
