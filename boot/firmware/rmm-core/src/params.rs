//! Parameters of the host's, read once and field by field: the pages they come
//! in would take much of the stack.

use crate::hal::{Hal, NsFault};
use ::rmi::{v1_0, v2_0};
use addr::GranuleAddr;
use core::mem::{offset_of, size_of};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout};

/// What a Realm is created from, in either dialect.
#[derive(Clone, Copy, Debug)]
pub struct RealmSpec {
    /// What is measured: flags, s2sz, sve_vl, num_bps, num_wps, pmu_num_ctrs,
    /// hash_algo.
    pub measured: [u64; 7],
    /// Personalization value.
    pub rpv: [u64; 8],
    /// VMID; RMI 2.0 has the RMM choose it.
    pub vmid: u64,
    /// Start tables: address, level, number.
    pub start: (u64, i64, u64),
    /// Whether it asks for planes, devices or trees that RMI 2.0 has and this
    /// RMM has not.
    pub asks_too_much: bool,
}

/// What a REC is created from, in either dialect.
#[derive(Clone, Copy, Debug)]
pub struct RecSpec {
    /// Flags.
    pub flags: u64,
    /// Affinity.
    pub mpidr: u64,
    /// Entry point.
    pub pc: u64,
    /// Initial x0 to x7.
    pub gprs: [u64; 8],
}

const _: () = {
    // Both dialects have the same fields at the same places; the first seven
    // follow each other.
    assert!(offset_of!(v1_0::RealmParams, hash_algo) == 6 * size_of::<u64>());
    assert!(offset_of!(v2_0::RealmParams, hash_algo) == 6 * size_of::<u64>());
    assert!(offset_of!(v2_0::RealmParams, num_aux_planes) == 7 * size_of::<u64>());
    assert!(offset_of!(v1_0::RealmParams, rpv) == offset_of!(v2_0::RealmParams, rpv));
    assert!(offset_of!(v1_0::RealmParams, rtt_base) == offset_of!(v2_0::RealmParams, rtt_base));
    assert!(offset_of!(v1_0::RealmParams, rtt_num_start) == 0x818);
    assert!(offset_of!(v2_0::RealmParams, flags1) == 0x820);
    assert!(offset_of!(v2_0::RealmParams, max_num_vdevs) == 0x828);
    assert!(offset_of!(v1_0::RecParams, mpidr) == offset_of!(v2_0::RecParams, mpidr));
    assert!(offset_of!(v1_0::RecParams, pc) == offset_of!(v2_0::RecParams, pc));
    assert!(offset_of!(v1_0::RecParams, gprs) == offset_of!(v2_0::RecParams, gprs));
};

impl RealmSpec {
    /// Reads the parameters of a Realm.
    pub fn read<H: Hal>(hal: &H, page: GranuleAddr) -> Result<Self, NsFault> {
        let mut head = [0u64; 8];
        hal.ns_read(page, 0, head.as_mut_bytes())?;
        let mut rpv = [0u64; 8];
        let at = offset_of!(v1_0::RealmParams, rpv);
        hal.ns_read(page, at, rpv.as_mut_bytes())?;
        let mut tail = [0u64; 6];
        let at = offset_of!(v1_0::RealmParams, vmid);
        hal.ns_read(page, at, tail.as_mut_bytes())?;
        let [measured @ .., planes] = head;
        let [vmid, base, level, tables, flags1, vdevs] = tail;
        Ok(Self {
            measured,
            rpv,
            vmid,
            start: (base, level as i64, tables),
            asks_too_much: planes | flags1 | vdevs != 0,
        })
    }
}

impl RecSpec {
    /// Reads the parameters of a REC.
    pub fn read<H: Hal>(hal: &H, page: GranuleAddr) -> Result<Self, NsFault> {
        let word = |offset| {
            let mut word = 0u64;
            hal.ns_read(page, offset, word.as_mut_bytes())?;
            Ok(word)
        };
        let mut gprs = [0u64; 8];
        let at = offset_of!(v1_0::RecParams, gprs);
        hal.ns_read(page, at, gprs.as_mut_bytes())?;
        Ok(Self {
            flags: word(offset_of!(v1_0::RecParams, flags))?,
            mpidr: word(offset_of!(v1_0::RecParams, mpidr))?,
            pc: word(offset_of!(v1_0::RecParams, pc))?,
            gprs,
        })
    }

    /// Reads the auxiliary granules that RMI 1.0 has with them: how many there
    /// are, and the first.
    pub fn read_aux<H: Hal>(hal: &H, page: GranuleAddr) -> Result<[u64; 2], NsFault> {
        let mut aux = [0u64; 2];
        let at = offset_of!(v1_0::RecParams, num_aux);
        hal.ns_read(page, at, aux.as_mut_bytes())?;
        Ok(aux)
    }
}

const _: () = {
    assert!(offset_of!(v1_0::RecParams, aux) == offset_of!(v1_0::RecParams, num_aux) + 8);
    assert!(offset_of!(v1_0::RealmParams, rtt_base) == offset_of!(v1_0::RealmParams, vmid) + 8);
};

/// What the host says on entry: the fields of `RmiRecEnter` that mean something.
#[derive(Clone, Copy, Debug)]
pub struct EnterSpec {
    /// `ENTER_FLAG_*`.
    pub flags: u64,
    /// What stands from the registers on.
    rest: EnterRest,
}

#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct EnterRest {
    gprs: [u64; 31],
    reserved: u64,
    gicv3_hcr: u64,
    gicv3_lrs: [u64; 16],
}

const _: () = {
    const BASE: usize = offset_of!(v1_0::RecEnter, gprs);
    assert!(offset_of!(v1_0::RecEnter, gicv3_hcr) == BASE + offset_of!(EnterRest, gicv3_hcr));
    assert!(offset_of!(v1_0::RecEnter, gicv3_lrs) == BASE + offset_of!(EnterRest, gicv3_lrs));
};

impl EnterSpec {
    /// Reads the record at the beginning of a run page.
    pub fn read<H: Hal>(hal: &H, page: GranuleAddr) -> Result<Self, NsFault> {
        let mut flags = 0u64;
        let at = offset_of!(v1_0::RecEnter, flags);
        hal.ns_read(page, at, flags.as_mut_bytes())?;
        let mut rest = EnterRest::new_zeroed();
        let at = offset_of!(v1_0::RecEnter, gprs);
        hal.ns_read(page, at, rest.as_mut_bytes())?;
        Ok(Self { flags, rest })
    }

    /// Registers for the Realm.
    pub fn gprs(&self) -> &[u64; 31] {
        &self.rest.gprs
    }

    /// Bits of `ICH_HCR_EL2` (RMI 1.0).
    pub fn gicv3_hcr(&self) -> u64 {
        self.rest.gicv3_hcr
    }

    /// List registers (RMI 1.0).
    pub fn gicv3_lrs(&self) -> &[u64; 16] {
        &self.rest.gicv3_lrs
    }
}
