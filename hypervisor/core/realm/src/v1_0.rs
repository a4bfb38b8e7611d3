//! The intents of a host in the words of RMI 1.0 (DEN0137 1.0-rel0).

use crate::RealmSpec;
use crate::intent::{
    Blocks, Delegation, Life, Page, Population, Reached, RecMemory, RecStart, Sharing, Tables,
};
use addr::{GRANULE_SIZE, GranuleAddr, Ipa, PhysAddr};
use conduit::Conduit;
use rmi::client::{Blocked, Contents, PsciAnswer, Removed, Rmi, RmiError};
use rmi::rtt::{UnprotectedAttr, UnprotectedDesc};
use rmi::v1_0::{Mpidr, REC_FLAG_RUNNABLE, RealmParams, RecParams};
use zerocopy::IntoBytes;

/// Calls `step` for each of `count` granules from `base` until one fails.
#[inline]
fn each(
    base: GranuleAddr,
    count: usize,
    mut step: impl FnMut(GranuleAddr) -> Result<(), RmiError>,
) -> Reached {
    let mut granule = base;
    for done in 0..count {
        if let Err(error) = step(granule) {
            return (done, Err(error));
        }
        match granule.checked_add(1) {
            Some(next) => granule = next,
            None => return (done + 1, Ok(())),
        }
    }
    (count, Ok(()))
}

impl<C: Conduit> Delegation for Rmi<C> {
    fn delegate(&self, base: GranuleAddr, count: usize) -> Reached {
        each(base, count, |granule| self.granule_delegate(granule))
    }

    fn undelegate(&self, base: GranuleAddr, count: usize) -> Reached {
        each(base, count, |granule| self.granule_undelegate(granule))
    }
}

impl<C: Conduit> Population for Rmi<C> {
    const BLOCKS: Blocks = Blocks::ByFold;

    fn init_ripas(&self, rd: GranuleAddr, base: Ipa, top: Ipa) -> Result<Ipa, RmiError> {
        self.rtt_init_ripas(rd, base, top)
    }

    fn set_ripas(
        &self,
        rd: GranuleAddr,
        rec: GranuleAddr,
        base: Ipa,
        top: Ipa,
    ) -> Result<Ipa, RmiError> {
        self.rtt_set_ripas(rd, rec, base, top)
    }

    fn copy_in(
        &self,
        rd: GranuleAddr,
        data: GranuleAddr,
        ipa: Ipa,
        source: GranuleAddr,
        contents: Contents,
    ) -> Result<(), RmiError> {
        self.data_create(rd, data, ipa, source, contents)
    }

    fn fill(&self, rd: GranuleAddr, ipa: Ipa, base: GranuleAddr, count: usize) -> Reached {
        let mut at = ipa.raw();
        each(base, count, |granule| {
            self.data_create_unknown(rd, granule, Ipa::new(at))?;
            at = at.wrapping_add(GRANULE_SIZE);
            Ok(())
        })
    }

    fn take_out(&self, rd: GranuleAddr, ipa: Ipa) -> Result<Removed, Blocked> {
        self.data_destroy(rd, ipa)
    }
}

impl<C: Conduit> Tables for Rmi<C> {
    fn create(
        &self,
        rd: GranuleAddr,
        table: GranuleAddr,
        ipa: Ipa,
        level: i8,
    ) -> Result<(), RmiError> {
        self.rtt_create(rd, table, ipa, level)
    }

    fn destroy(&self, rd: GranuleAddr, ipa: Ipa, level: i8) -> Result<Removed, Blocked> {
        self.rtt_destroy(rd, ipa, level)
    }

    fn fold(&self, rd: GranuleAddr, ipa: Ipa, level: i8) -> Result<GranuleAddr, RmiError> {
        self.rtt_fold(rd, ipa, level)
    }
}

impl<C: Conduit> Sharing for Rmi<C> {
    fn map(&self, rd: GranuleAddr, ipa: Ipa, level: i8, address: PhysAddr) -> Result<(), RmiError> {
        let desc = UnprotectedDesc::read_write(address, UnprotectedAttr::WriteBack);
        self.rtt_map_unprotected(rd, ipa, level, desc)
    }

    fn unmap(&self, rd: GranuleAddr, ipa: Ipa, level: i8) -> Result<(), RmiError> {
        match self.rtt_unmap_unprotected(rd, ipa, level) {
            Ok(_) => Ok(()),
            Err(blocked) => Err(blocked.error),
        }
    }
}

impl<C: Conduit> RecMemory for Rmi<C> {
    fn aux_count(&self, rd: GranuleAddr) -> Result<usize, RmiError> {
        self.rec_aux_count(rd)
    }

    fn create_rec(
        &self,
        rd: GranuleAddr,
        rec: GranuleAddr,
        params: GranuleAddr,
        start: &RecStart<'_>,
        write: &mut dyn FnMut(&Page),
    ) -> Result<(), RmiError> {
        let page = rec_params(start);
        if let Ok(bytes) = page.as_bytes().try_into() {
            write(bytes);
        }
        self.rec_create(rd, rec, params)
    }

    fn destroy_rec(&self, rec: GranuleAddr) -> Result<(), RmiError> {
        self.rec_destroy(rec)
    }

    #[inline]
    fn enter(&self, rec: GranuleAddr, run: GranuleAddr) -> Result<(), RmiError> {
        self.rec_enter(rec, run)
    }

    fn complete(
        &self,
        calling: GranuleAddr,
        target: GranuleAddr,
        answer: PsciAnswer,
    ) -> Result<(), RmiError> {
        self.psci_complete(calling, target, answer)
    }
}

impl<C: Conduit> Life for Rmi<C> {
    fn create_realm(
        &self,
        rd: GranuleAddr,
        params: GranuleAddr,
        spec: &RealmSpec,
        start_tables: GranuleAddr,
        write: &mut dyn FnMut(&Page),
    ) -> Result<(), RmiError> {
        let mut page = measured_realm_params(spec);
        page.rpv = spec.rpv;
        page.vmid = u64::from(spec.vmid);
        page.rtt_base = start_tables.raw();
        page.rtt_level_start = i64::from(spec.start_level);
        page.rtt_num_start = u64::from(spec.start_tables);
        if let Ok(bytes) = page.as_bytes().try_into() {
            write(bytes);
        }
        self.realm_create(rd, params)
    }

    fn activate(&self, rd: GranuleAddr) -> Result<(), RmiError> {
        self.realm_activate(rd)
    }

    fn destroy_realm(&self, rd: GranuleAddr) -> Result<(), RmiError> {
        self.realm_destroy(rd)
    }
}

/// The parameters that the initial measurement covers; all else is zero.
pub(crate) fn measured_realm_params(spec: &RealmSpec) -> RealmParams {
    let mut page = RealmParams::default();
    page.s2sz = u64::from(spec.ipa.bits());
    page.num_bps = u64::from(spec.num_bps);
    page.num_wps = u64::from(spec.num_wps);
    page.hash_algo = spec.hash as u64;
    page
}

/// The parameters of a REC that the measurement covers; all else is zero.
pub(crate) fn measured_rec_params(start: &RecStart<'_>) -> RecParams {
    let mut page = RecParams::default();
    if start.runnable {
        page.flags = REC_FLAG_RUNNABLE;
    }
    page.pc = start.pc.raw();
    page.gprs = start.gprs;
    page
}

fn rec_params(start: &RecStart<'_>) -> RecParams {
    let mut page = measured_rec_params(start);
    page.mpidr = Mpidr::from_index(start.index).raw();
    page.num_aux = start.aux.len() as u64;
    for (slot, granule) in page.aux.iter_mut().zip(start.aux) {
        *slot = *granule;
    }
    page
}
