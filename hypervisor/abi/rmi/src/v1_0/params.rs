//! `RmiRealmParams` and `RmiRecParams` (DEN0137 B4.4).
//!
//! Both fill one Non-secure page. Bytes the specification does not name are
//! zero: some RMMs read a few fields wider than they are.

use core::mem::{offset_of, size_of};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout};

/// Bytes of a parameter page.
pub const PARAMS_SIZE: usize = 0x1000;
/// Auxiliary granules a REC can have at most.
pub const MAX_AUX: usize = 16;

/// `RmiRealmFlags`: 52-bit stage 2.
pub const REALM_FLAG_LPA2: u64 = 1 << 0;
/// `RmiRealmFlags`: SVE.
pub const REALM_FLAG_SVE: u64 = 1 << 1;
/// `RmiRealmFlags`: PMU.
pub const REALM_FLAG_PMU: u64 = 1 << 2;
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
}

/// `RmiRealmParams`: what a Realm is created from.
#[derive(Clone, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct RealmParams {
    /// `REALM_FLAG_*`.
    pub flags: u64,
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
    reserved_38: [u8; 0x400 - 0x38],
    /// Realm Personalization Value: opaque, no part of the measurement.
    pub rpv: [u8; 64],
    reserved_440: [u8; 0x800 - 0x440],
    /// VMID, chosen by the host.
    pub vmid: u64,
    /// Physical address of the first start-level RTT.
    pub rtt_base: u64,
    /// Level of the start-level RTTs (two's complement).
    pub rtt_level_start: i64,
    /// Number of contiguous start-level RTTs.
    pub rtt_num_start: u64,
    reserved_820: [u8; PARAMS_SIZE - 0x820],
}

/// `RmiRecParams`: what a REC is created from.
#[derive(Clone, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct RecParams {
    /// `REC_FLAG_*`.
    pub flags: u64,
    reserved_8: [u8; 0x100 - 0x8],
    /// [`Mpidr`].
    pub mpidr: u64,
    reserved_108: [u8; 0x200 - 0x108],
    /// Entry point.
    pub pc: u64,
    reserved_208: [u8; 0x300 - 0x208],
    /// Initial x0 to x7.
    pub gprs: [u64; 8],
    reserved_340: [u8; 0x800 - 0x340],
    /// Number of valid entries of `aux`.
    pub num_aux: u64,
    /// Physical addresses of the auxiliary granules.
    pub aux: [u64; MAX_AUX],
    reserved_888: [u8; PARAMS_SIZE - 0x888],
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

/// `RmiRecMpidr`: a REC's affinity, whose value also numbers the RECs of a
/// Realm. Aff0 holds four bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct Mpidr(u64);

impl Mpidr {
    /// The affinity of REC `index`.
    pub const fn from_index(index: u32) -> Self {
        Self((index as u64 & 0xf) | ((index as u64 >> 4) << 8))
    }

    /// Decodes a field or a register of PSCI; bits that are no affinity of an
    /// RMI REC make it `None`.
    pub const fn from_raw(raw: u64) -> Option<Self> {
        if raw & !0xffff_ff0f == 0 {
            Some(Self(raw))
        } else {
            None
        }
    }

    /// The register value.
    pub const fn raw(self) -> u64 {
        self.0
    }

    /// The number of the REC.
    pub const fn index(self) -> u32 {
        (self.0 & 0xf) as u32 | ((self.0 >> 4) & 0x0fff_fff0) as u32
    }
}

const _: () = {
    assert!(size_of::<RealmParams>() == PARAMS_SIZE);
    assert!(offset_of!(RealmParams, s2sz) == 0x8);
    assert!(offset_of!(RealmParams, sve_vl) == 0x10);
    assert!(offset_of!(RealmParams, num_bps) == 0x18);
    assert!(offset_of!(RealmParams, num_wps) == 0x20);
    assert!(offset_of!(RealmParams, pmu_num_ctrs) == 0x28);
    assert!(offset_of!(RealmParams, hash_algo) == 0x30);
    assert!(offset_of!(RealmParams, rpv) == 0x400);
    assert!(offset_of!(RealmParams, vmid) == 0x800);
    assert!(offset_of!(RealmParams, rtt_base) == 0x808);
    assert!(offset_of!(RealmParams, rtt_level_start) == 0x810);
    assert!(offset_of!(RealmParams, rtt_num_start) == 0x818);

    assert!(size_of::<RecParams>() == PARAMS_SIZE);
    assert!(offset_of!(RecParams, mpidr) == 0x100);
    assert!(offset_of!(RecParams, pc) == 0x200);
    assert!(offset_of!(RecParams, gprs) == 0x300);
    assert!(offset_of!(RecParams, num_aux) == 0x800);
    assert!(offset_of!(RecParams, aux) == 0x808);
};
