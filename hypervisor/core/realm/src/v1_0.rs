//! The intents of a host in the words of RMI 1.0 (DEN0137 1.0-rel0).

use crate::RealmSpec;
use crate::intent::{
    Blocks, Delegation, Desk, Life, Measured, Population, Reached, RecMemory, RecStart, Reserve,
    Sharing, Tables, Taken,
};
use addr::{GRANULE_SIZE, GranuleAddr, Ipa, PhysAddr};
use conduit::Conduit;
use rmi::client::{Blocked, Contents, PsciAnswer, Removed, Rmi, RmiError};
use rmi::rtt::{UnprotectedAttr, UnprotectedDesc};
use rmi::v1_0::{MAX_AUX, Mpidr, REC_FLAG_RUNNABLE, RealmParams, RecParams};
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
    fn blocks(&self) -> Blocks {
        Blocks::ByFold
    }

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

    #[inline(always)]
    fn fill_page(&self, rd: GranuleAddr, ipa: Ipa, data: GranuleAddr) -> Result<(), RmiError> {
        self.data_create_unknown(rd, data, ipa)
    }

    fn fill_block(&self, _: GranuleAddr, _: Ipa, _: GranuleAddr) -> Result<(), RmiError> {
        Err(RmiError::NotSupported)
    }

    fn take_out(&self, rd: GranuleAddr, base: Ipa, _: Ipa) -> Result<Taken, Blocked> {
        self.data_destroy(rd, base).map(|removed| Taken {
            base: removed.granule,
            count: 1,
        })
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
    fn reserve(&self, rd: GranuleAddr) -> Result<usize, RmiError> {
        self.rec_aux_count(rd)
    }

    fn create_rec(
        &self,
        rd: GranuleAddr,
        rec: GranuleAddr,
        start: &RecStart,
        reserve: &mut Reserve,
        desk: &mut Desk<'_>,
    ) -> Result<(), RmiError> {
        let params = desk.params(rec_params(start, reserve).as_bytes());
        self.rec_create(rd, rec, params)?;
        reserve.note_all(true);
        Ok(())
    }

    fn destroy_rec(
        &self,
        rec: GranuleAddr,
        reserve: &mut Reserve,
        _: &mut Desk<'_>,
    ) -> Result<(), RmiError> {
        self.rec_destroy(rec)?;
        reserve.note_all(false);
        Ok(())
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

/// RMI 1.0 measures how RAM comes about.
pub const MEASURED: Measured = Measured { ripas: true };

impl<C: Conduit> Life for Rmi<C> {
    fn measured(&self) -> Measured {
        MEASURED
    }

    fn create_realm(
        &self,
        rd: GranuleAddr,
        spec: &RealmSpec,
        start_tables: GranuleAddr,
        desk: &mut Desk<'_>,
    ) -> Result<(), RmiError> {
        let mut page = measured_realm_params(spec);
        page.rpv = spec.rpv;
        page.vmid = u64::from(spec.vmid);
        page.rtt_base = start_tables.raw();
        page.rtt_level_start = i64::from(spec.start_level);
        page.rtt_num_start = u64::from(spec.start_tables);
        let params = desk.params(page.as_bytes());
        self.realm_create(rd, params)
    }

    fn activate(&self, rd: GranuleAddr) -> Result<(), RmiError> {
        self.realm_activate(rd)
    }

    /// A Realm without RECs cannot run, so there is nothing to say.
    fn terminate(&self, _: GranuleAddr) -> Result<(), RmiError> {
        Ok(())
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
pub(crate) fn measured_rec_params(start: &RecStart) -> RecParams {
    let mut page = RecParams::default();
    if start.runnable {
        page.flags = REC_FLAG_RUNNABLE;
    }
    page.pc = start.pc.raw();
    page.gprs = start.gprs;
    page
}

fn rec_params(start: &RecStart, reserve: &Reserve) -> RecParams {
    let mut page = measured_rec_params(start);
    page.mpidr = Mpidr::from_index(start.index).raw();
    page.num_aux = reserve.count() as u64;
    let granules = (0..reserve.count()).filter_map(|index| reserve.get(index));
    for (slot, granule) in page.aux.iter_mut().zip(granules) {
        *slot = granule.raw();
    }
    page
}

// All auxiliary granules that parameters can name fit in a reserve.
const _: () = assert!(MAX_AUX <= Reserve::MAX);
