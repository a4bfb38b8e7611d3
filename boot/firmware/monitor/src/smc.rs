//! Who may call what (SMCCC, DEN0028; RMM-EL3 interface, §2).
//!
//! EL3 looks at the function identifier and the calling world only; RMI calls
//! are passed on without looking at their arguments.

use crate::interface::Interface;

/// A security state that runs at EL2 and below.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum World {
    /// The hypervisor's.
    NonSecure,
    /// The RMM's.
    Realm,
}

/// What a call asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Call {
    /// An RMI command for the RMM.
    Rmi,
    /// The RMM is done with an RMI command.
    RmiComplete,
    /// The RMM is done with booting.
    BootComplete,
    /// Move a granule to the Realm world.
    Delegate,
    /// Move a granule to the Non-secure world.
    Undelegate,
    /// Keys and tokens for attestation, of which this monitor has none.
    Attestation,
    /// Memory for the RMM.
    ReserveMemory,
    /// Power state of CPUs and machine.
    Psci,
    /// `SMCCC_VERSION`.
    SmcccVersion,
    /// `SMCCC_ARCH_FEATURES`.
    SmcccArchFeatures,
    /// How many granules are Realm outside the RMM's own memory.
    RealmPasCount,
    /// Nothing that this monitor serves to that world.
    Unknown,
}

/// SMCCC 1.3, the first with the SVE hint.
pub const SMCCC_VERSION: u64 = 0x1_0003;
/// "Not supported", and the RMM-EL3 interface's "unknown".
pub const NOT_SUPPORTED: u64 = u64::MAX;
/// Bit 16 of a function identifier: the caller has no live SVE state.
pub const SVE_HINT: u32 = 1 << 16;

/// Answers to the RMM's calls.
pub mod rmm_el3 {
    /// Done.
    pub const OK: u64 = 0;
    /// The address is misaligned or not protected by granule.
    pub const BAD_ADDRESS: u64 = -2_i64 as u64;
    /// The granule is not where the transition starts from.
    pub const BAD_PAS: u64 = -3_i64 as u64;
    /// There is not so much memory.
    pub const NO_MEMORY: u64 = -4_i64 as u64;
    /// An argument is not what the interface says.
    pub const INVALID: u64 = -5_i64 as u64;
}

const SMCCC_VERSION_FID: u32 = 0x8000_0000;
const SMCCC_ARCH_FEATURES_FID: u32 = 0x8000_0001;
const PSCI_32: core::ops::RangeInclusive<u32> = 0x8400_0000..=0x8400_001f;
const PSCI_64: core::ops::RangeInclusive<u32> = 0xc400_0000..=0xc400_001f;
const RMI: core::ops::RangeInclusive<u32> = 0xc400_0150..=0xc400_018f;
/// More RMI commands, since 2.0.
const RMI_MORE: core::ops::RangeInclusive<u32> = 0xc400_01d0..=0xc400_02cf;
const RMI_REQ_COMPLETE: u32 = 0xc400_018f;
const GTSI_DELEGATE: u32 = 0xc400_01b0;
const GTSI_UNDELEGATE: u32 = 0xc400_01b1;
const ATTESTATION: core::ops::RangeInclusive<u32> = 0xc400_01b2..=0xc400_01b4;
const RESERVE_MEMORY: u32 = 0xc400_01bb;
const BOOT_COMPLETE: u32 = 0xc400_01cf;
const REALM_PAS_COUNT: u32 = 0xc200_0001;

/// What a call of `fid` by `world` asks for under the interface in force.
pub fn route(world: World, fid: u32, interface: Interface) -> Call {
    let fid = fid & !SVE_HINT;
    let second = interface == Interface::V2_0;
    match (world, fid) {
        (_, SMCCC_VERSION_FID) => Call::SmcccVersion,
        (_, SMCCC_ARCH_FEATURES_FID) => Call::SmcccArchFeatures,
        (World::NonSecure, fid) if RMI.contains(&fid) => Call::Rmi,
        (World::NonSecure, fid) if second && RMI_MORE.contains(&fid) => Call::Rmi,
        (World::NonSecure, fid) if PSCI_32.contains(&fid) || PSCI_64.contains(&fid) => Call::Psci,
        (World::NonSecure, REALM_PAS_COUNT) => Call::RealmPasCount,
        (World::Realm, RMI_REQ_COMPLETE) => Call::RmiComplete,
        (World::Realm, GTSI_DELEGATE) => Call::Delegate,
        (World::Realm, GTSI_UNDELEGATE) => Call::Undelegate,
        (World::Realm, RESERVE_MEMORY) if second => Call::ReserveMemory,
        (World::Realm, BOOT_COMPLETE) => Call::BootComplete,
        (World::Realm, fid) if ATTESTATION.contains(&fid) => Call::Attestation,
        _ => Call::Unknown,
    }
}

/// The answer to `SMCCC_ARCH_FEATURES` for `fid`.
pub fn arch_feature(fid: u32) -> u64 {
    match fid {
        SMCCC_VERSION_FID | SMCCC_ARCH_FEATURES_FID => 0,
        _ => NOT_SUPPORTED,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(world: World, fid: u32) -> Call {
        let [first, second] =
            [Interface::V0_4, Interface::V2_0].map(|of| super::route(world, fid, of));
        assert_eq!(first, second, "{fid:#x}");
        first
    }

    #[test]
    fn only_the_normal_world_reaches_the_rmm_and_psci() {
        for fid in [0xc400_0150, 0xc400_0169, 0xc400_018f] {
            assert_eq!(route(World::NonSecure, fid), Call::Rmi, "{fid:#x}");
        }
        assert_eq!(route(World::Realm, 0xc400_0150), Call::Unknown);
        for fid in [0x8400_0000, 0x8400_0008, 0xc400_0003] {
            assert_eq!(route(World::NonSecure, fid), Call::Psci, "{fid:#x}");
            assert_eq!(route(World::Realm, fid), Call::Unknown, "{fid:#x}");
        }
    }

    #[test]
    fn only_the_realm_world_reaches_the_rmm_el3_interface() {
        for (fid, call) in [
            (0xc400_018f, Call::RmiComplete),
            (0xc400_01b0, Call::Delegate),
            (0xc400_01b1, Call::Undelegate),
            (0xc400_01b2, Call::Attestation),
            (0xc400_01b4, Call::Attestation),
            (0xc400_01cf, Call::BootComplete),
        ] {
            assert_eq!(route(World::Realm, fid), call, "{fid:#x}");
        }
        for fid in 0xc400_01b0..=0xc400_01cf {
            assert_eq!(route(World::NonSecure, fid), Call::Unknown, "{fid:#x}");
        }
    }

    #[test]
    fn the_sve_hint_does_not_change_what_is_asked_for() {
        assert_eq!(route(World::NonSecure, 0xc401_0150), Call::Rmi);
        assert_eq!(route(World::Realm, 0xc401_018f), Call::RmiComplete);
    }

    #[test]
    fn calls_outside_the_ranges_and_32_bit_rmi_are_unknown() {
        for fid in [
            0xc400_014f,
            0xc400_0190,
            0x8400_0150,
            0x4400_0150,
            0xc400_0400,
        ] {
            assert_eq!(route(World::NonSecure, fid), Call::Unknown, "{fid:#x}");
            assert_eq!(route(World::Realm, fid), Call::Unknown, "{fid:#x}");
        }
    }

    #[test]
    fn the_second_interface_adds_rmi_commands_and_memory_requests() {
        let both =
            |world, fid| [Interface::V0_4, Interface::V2_0].map(|of| super::route(world, fid, of));
        for fid in [0xc400_01d0, 0xc400_01f1, 0xc400_02cf] {
            let calls = both(World::NonSecure, fid);
            assert_eq!(calls, [Call::Unknown, Call::Rmi], "{fid:#x}");
            assert_eq!(both(World::Realm, fid), [Call::Unknown; 2], "{fid:#x}");
        }
        let calls = both(World::Realm, 0xc400_01bb);
        assert_eq!(calls, [Call::Unknown, Call::ReserveMemory]);
        for fid in [0xc400_01cf, 0xc400_02d0] {
            assert_eq!(route(World::NonSecure, fid), Call::Unknown, "{fid:#x}");
        }
    }

    #[test]
    fn the_witness_answers_the_normal_world_only() {
        assert_eq!(route(World::NonSecure, 0xc200_0001), Call::RealmPasCount);
        assert_eq!(route(World::Realm, 0xc200_0001), Call::Unknown);
    }
}
