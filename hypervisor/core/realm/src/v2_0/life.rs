//! Realms and RECs: the RMM owns VMIDs and asks for what memory it needs.

use super::{Arity, Host};
use crate::RealmSpec;
use crate::intent::{self, Desk, Life, Measured, RecMemory, RecStart};
use addr::GranuleAddr;
use conduit::Conduit;
use rmi::client::{PsciAnswer, RmiError};
use rmi::v2_0::client::OpError;
use rmi::v2_0::range::{ListPage, MemState};
use rmi::v2_0::sro::{Held, Reserve};
use rmi::v2_0::{Mpidr, REC_FLAG_RUNNABLE, RealmParams, RecParams};
use zerocopy::IntoBytes;

/// Granules set aside for a REC. TF-RMM wants 16; what is not asked for goes
/// back as the REC is there.
const REC_RESERVE: usize = 32;

impl ListPage for Desk<'_> {
    fn page(&self) -> GranuleAddr {
        self.list()
    }

    fn put(&mut self, index: usize, raw: u64) {
        Desk::put(self, index, raw);
    }

    fn get(&self, index: usize) -> u64 {
        Desk::get(self, index)
    }
}

/// The granules of `reserve`, as the engine of stateful operations keeps them.
fn engine_reserve(reserve: &intent::Reserve) -> Reserve<{ intent::Reserve::MAX }> {
    let mut engine = Reserve::new();
    for index in 0..reserve.count() {
        if let Some(granule) = reserve.get(index) {
            // There is room, and each granule comes once.
            let _ = match reserve.holds(index) {
                true => engine.add_given(granule),
                false => engine.add(granule, MemState::Delegated),
            };
        }
    }
    engine
}

/// Notes who holds what after an operation.
fn note(reserve: &mut intent::Reserve, engine: &Reserve<{ intent::Reserve::MAX }>) {
    for (granule, held) in engine.iter() {
        if let Some(index) = reserve.index_of(granule) {
            reserve.note(index, held != Held::Host(MemState::Delegated));
        }
    }
}

/// Says in the log what the error alone does not.
fn told(result: Result<(), OpError>) -> Result<(), RmiError> {
    result.map_err(|error| {
        log::error!("{error}");
        error.into()
    })
}

impl<C: Conduit> RecMemory for Host<C> {
    fn reserve(&self, _: GranuleAddr) -> Result<usize, RmiError> {
        Ok(REC_RESERVE)
    }

    fn create_rec(
        &self,
        rd: GranuleAddr,
        rec: GranuleAddr,
        start: &RecStart,
        reserve: &mut intent::Reserve,
        desk: &mut Desk<'_>,
    ) -> Result<(), RmiError> {
        let mut page = RecParams::default();
        if start.runnable {
            page.flags = REC_FLAG_RUNNABLE;
        }
        page.mpidr = Mpidr::from_index(start.index).raw();
        page.pc = start.pc.raw();
        page.gprs = start.gprs;
        let params = desk.params(page.as_bytes());
        let mut engine = engine_reserve(reserve);
        let result = self.rmi.rec_create(rd, rec, params, &mut engine, desk);
        if result.is_err() {
            // What was on offer when it failed may be the RMM's or ours: ask.
            let _ = self.rmi.settle(&mut engine);
        }
        note(reserve, &engine);
        told(result)
    }

    fn destroy_rec(
        &self,
        rec: GranuleAddr,
        reserve: &mut intent::Reserve,
        desk: &mut Desk<'_>,
    ) -> Result<(), RmiError> {
        let mut engine = engine_reserve(reserve);
        let result = self.rmi.rec_destroy(rec, &mut engine, desk);
        note(reserve, &engine);
        told(result)
    }

    #[inline]
    fn enter(&self, rec: GranuleAddr, run: GranuleAddr) -> Result<(), RmiError> {
        self.rmi.rec_enter(rec, run)
    }

    fn complete(
        &self,
        calling: GranuleAddr,
        target: GranuleAddr,
        answer: PsciAnswer,
    ) -> Result<(), RmiError> {
        let with = |arity| match arity {
            Arity::Three => self.rmi.psci_complete_target(calling, target, answer),
            Arity::Two => self.rmi.psci_complete(calling, answer),
        };
        let (first, other) = match self.quirks.psci {
            Arity::Three => (Arity::Three, Arity::Two),
            Arity::Two => (Arity::Two, Arity::Three),
        };
        // An RMM that wants the other form refuses this one and changes nothing.
        match with(first) {
            Err(RmiError::Input) => with(other),
            result => result,
        }
    }
}

impl<C: Conduit> Life for Host<C> {
    fn measured(&self) -> Measured {
        super::MEASURED
    }

    fn create_realm(
        &self,
        rd: GranuleAddr,
        spec: &RealmSpec,
        start_tables: GranuleAddr,
        desk: &mut Desk<'_>,
    ) -> Result<(), RmiError> {
        let mut page = RealmParams::default();
        page.s2sz = u64::from(spec.ipa.bits());
        page.num_bps = u64::from(spec.num_bps);
        page.num_wps = u64::from(spec.num_wps);
        page.hash_algo = spec.hash as u64;
        page.rpv = spec.rpv;
        page.rtt_base = start_tables.raw();
        page.rtt_level_start = i64::from(spec.start_level);
        page.rtt_num_start = u64::from(spec.start_tables);
        let params = desk.params(page.as_bytes());
        self.rmi.realm_create(rd, params)
    }

    fn activate(&self, rd: GranuleAddr) -> Result<(), RmiError> {
        self.rmi.realm_activate(rd)
    }

    fn terminate(&self, rd: GranuleAddr) -> Result<(), RmiError> {
        self.rmi.realm_terminate(rd)
    }

    fn destroy_realm(&self, rd: GranuleAddr) -> Result<(), RmiError> {
        self.rmi.realm_destroy(rd)
    }
}
