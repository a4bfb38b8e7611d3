//! `RMI_REALM_CREATE`, `RMI_REALM_ACTIVATE`, `RMI_REALM_DESTROY`,
//! `RMI_REC_AUX_COUNT`.

use crate::context::Stage2;
use crate::features::AUX_COUNT;
use crate::granule::GranuleState;
use crate::hal::{Hal, TlbScope};
use crate::hash::Algorithm;
use crate::measure;
use crate::pages::{self, RealmState};
use crate::params::RealmSpec;
use crate::rmm::{Outcome, Rmm, log};
use crate::rtt::{ENTRIES, Entry, RealmSpace, vtcr};
use ::rmi::rtt::entry_size;
use ::rmi::status::Status;
use addr::{GranuleAddr, Ipa};
use core::fmt;
use zerocopy::IntoBytes;

/// Start-level tables a Realm can have.
const MAX_START: usize = 16;

struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl<H: Hal> Rmm<'_, H> {
    /// Checks everything of the parameters that needs no granule.
    pub(crate) fn validate(&self, spec: &RealmSpec) -> Outcome<RealmSpace> {
        let in_range = |value: u64, most: u64| value != 0 && value <= most;
        let [flags, s2sz, _, num_bps, num_wps, _, _] = spec.measured;
        let valid = flags == 0
            && in_range(num_bps, self.cpu.num_bps())
            && in_range(num_wps, self.cpu.num_wps())
            && spec.vmid < 1 << self.cpu.vmid_bits();
        if !valid {
            return Err(Status::ErrorInput);
        }
        let (base, level, tables) = spec.start;
        RealmSpace::new(s2sz, level, base, tables, self.cpu.pa_bits()).map_err(|why| {
            log!(self.hal, Debug, "REALM_CREATE: {why}");
            Status::ErrorInput
        })
    }

    #[inline(never)]
    pub(super) fn realm_create(&self, rd: u64, params_pa: u64) -> Outcome<()> {
        let spec = RealmSpec::read(self.hal, self.host_page(params_pa)?)
            .map_err(|_| Status::ErrorInput)?;
        let space = self.validate(&spec)?;
        let [.., hash_algo] = spec.measured;
        let algorithm = Algorithm::from_raw(hash_algo)
            .filter(|algorithm| *algorithm != Algorithm::Sha384)
            .ok_or(Status::ErrorInput)?;
        if !self.vmids.take(spec.vmid) {
            return Err(Status::ErrorInput);
        }
        self.build_realm(rd, &spec, &space, algorithm)
            .inspect_err(|_| self.vmids.give_back(spec.vmid))
    }

    /// Makes a Realm of checked parameters; its VMID is taken already.
    #[inline(never)]
    pub(crate) fn build_realm(
        &self,
        rd: u64,
        spec: &RealmSpec,
        space: &RealmSpace,
        algorithm: Algorithm,
    ) -> Outcome<()> {
        let mut wanted = [None; MAX_START + 1];
        let (first, others) = wanted.split_first_mut().ok_or(Status::ErrorInput)?;
        *first = Some((self.granule(rd)?, GranuleState::Delegated));
        for (number, want) in (0..space.tables).zip(others) {
            let table = space.base.checked_add(number).ok_or(Status::ErrorInput)?;
            *want = Some((table, GranuleState::Delegated));
        }
        let mut guards = self.granules.lock_all(&wanted).ok_or(Status::ErrorInput)?;
        let [Some(rd), tables @ ..] = &mut guards else {
            return Err(Status::ErrorInput);
        };
        for table in tables.iter_mut().flatten() {
            table.become_state(GranuleState::Rtt);
        }
        rd.become_state(GranuleState::Rd);
        let mut page = pages::locked(self.hal, rd);
        let realm = pages::realm(&mut page);
        realm.set_state(RealmState::New);
        realm.set_space(space);
        realm.vmid = spec.vmid;
        realm.stage2 = Stage2 {
            vttbr: spec.vmid << 48 | space.base.raw(),
            vtcr: vtcr(space, self.cpu.pa_bits(), self.cpu.vmid_bits()),
        };
        let [_, _, _, num_bps, num_wps, _, hash_algo] = spec.measured;
        realm.hash_algo = hash_algo;
        realm.num_bps = num_bps;
        realm.num_wps = num_wps;
        realm.rpv.copy_from_slice(spec.rpv.as_bytes());
        realm.rim = measure::realm_create(self.hal, algorithm, spec);
        Ok(())
    }

    pub(crate) fn realm_activate(&self, rd: u64) -> Outcome<()> {
        let mut guard = self.lock(rd, GranuleState::Rd)?;
        let mut page = pages::locked(self.hal, &mut guard);
        let realm = pages::realm(&mut page);
        if realm.state() != RealmState::New {
            return Err(Status::ErrorRealm { index: 0 });
        }
        realm.set_state(RealmState::Active);
        let size = realm.initial().algorithm.size();
        log!(
            self.hal,
            Info,
            "Realm {rd:#x} active, RIM {}",
            Hex(realm.rim.get(..size).unwrap_or(&[]))
        );
        Ok(())
    }

    #[inline(never)]
    pub(crate) fn realm_destroy(&self, rd: u64) -> Outcome<()> {
        let mut guard = self.lock(rd, GranuleState::Rd)?;
        if guard.number() != 0 {
            return Err(Status::ErrorRealm { index: 0 });
        }
        let (space, stage2, vmid) = {
            let mut page = pages::locked(self.hal, &mut guard);
            let realm = pages::realm(&mut page);
            (realm.space(), realm.stage2, realm.vmid)
        };
        let space = space.ok_or(Status::ErrorInput)?;
        if self.start_tables_are_live(&space) {
            return Err(Status::ErrorRealm { index: 0 });
        }
        self.hal.tlb_invalidate(&stage2, TlbScope::All);
        for table in start_tables(&space) {
            if let Some(mut table) = pages::internal(&self.granules, table, GranuleState::Rtt) {
                pages::release(self.hal, &mut table);
            }
        }
        pages::release(self.hal, &mut guard);
        self.vmids.give_back(vmid);
        Ok(())
    }

    fn start_tables_are_live(&self, space: &RealmSpace) -> bool {
        let size = entry_size(space.start_level);
        start_tables(space).enumerate().any(|(number, table)| {
            (0..ENTRIES).any(|index| {
                let ipa = Ipa::new((number * ENTRIES + index) as u64 * size);
                space.half(ipa).is_some_and(|half| {
                    let raw = self.hal.rtte_read(table, index);
                    Entry::decode(raw, space.start_level, half).holds_table()
                })
            })
        })
    }

    pub(super) fn rec_aux_count(&self, rd: u64) -> Outcome<u64> {
        self.lock(rd, GranuleState::Rd)?;
        Ok(AUX_COUNT as u64)
    }
}

fn start_tables(space: &RealmSpace) -> impl Iterator<Item = GranuleAddr> + use<> {
    let base = space.base;
    (0..space.tables).filter_map(move |number| base.checked_add(number))
}
