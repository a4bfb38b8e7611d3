//! `RsiRealmConfig` and `RsiHostCall` (DEN0137 B5.4).

use core::mem::{offset_of, size_of};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout};

/// What `RSI_REALM_CONFIG` writes: one page.
#[derive(Clone, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(4096))]
pub struct RealmConfig {
    /// IPA width in bits.
    pub ipa_width: u64,
    /// Hash algorithm of the measurements, as in `RmiRealmParams`.
    pub hash_algo: u64,
    reserved_10: [u8; 0x200 - 0x10],
    /// Realm Personalization Value.
    pub rpv: [u8; 64],
    reserved_240: [u8; 0x1000 - 0x240],
}

/// Alignment `RSI_HOST_CALL` asks of its structure.
pub const HOST_CALL_ALIGN: u64 = 0x100;

/// What `RSI_HOST_CALL` passes to the host and takes back.
#[derive(Clone, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(256))]
pub struct HostCall {
    /// Immediate, in the lowest two bytes.
    pub imm: u64,
    /// Registers both ways.
    pub gprs: [u64; 31],
}

impl Default for RealmConfig {
    fn default() -> Self {
        Self::new_zeroed()
    }
}

impl Default for HostCall {
    fn default() -> Self {
        Self::new_zeroed()
    }
}

const _: () = {
    assert!(size_of::<RealmConfig>() == 0x1000);
    assert!(offset_of!(RealmConfig, hash_algo) == 0x8);
    assert!(offset_of!(RealmConfig, rpv) == 0x200);
    assert!(size_of::<HostCall>() == 0x100);
    assert!(offset_of!(HostCall, gprs) == 0x8);
};
