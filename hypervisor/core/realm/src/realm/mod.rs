//! A Realm, from the first granule to the last.
//!
//! One [`Realm`] lives through all of [`State`]; [`build`], [`fault`],
//! [`ripas`], [`share`] and [`teardown`] are the parts of its life. What it
//! owns is written down where teardown finds it the moment it exists, so that
//! teardown works from any state, half-built included.

mod build;
mod error;
mod fault;
mod recs;
mod ripas;
mod share;
mod tables;
mod teardown;

pub use build::Progress;
pub use error::{Cause, Fault, RealmError, Step};
pub use ripas::RipasAnswer;
pub use teardown::Teardown;

use crate::intent::{Backend, Desk, Reserve};
use crate::life::State;
use crate::region::Region;
use crate::rim::{self, PageSource, Rim, RimError, Sha256, Transcript};
use crate::spec::MAX_VCPUS;
use crate::{Delegated, Granules, Ledger, Memory, RealmSpec, SpecError, Undelegated, VmId};
use addr::{GranuleAddr, Ipa, PhysAddr};
use build::Stage;
use core::cell::Cell;
use rmi::client::{PsciAnswer, RmiError};
use teardown::Undo;

/// Tables kept in reserve. One would do: only one block is split at a time.
const STOCK: usize = 4;

/// Pages delegated at once for a Realm that gets its memory page by page.
const BATCH: usize = 16;

/// Refusals in a row after which the RMM is taken to refuse everything.
const MAX_REFUSALS: usize = 1024;

/// Pages of a desk: one for parameters, one for lists.
const DESK_PAGES: usize = 2;

/// What a REC is made of.
#[derive(Clone, Copy, Debug)]
struct Rec {
    granule: GranuleAddr,
    reserve: Reserve,
}

/// A Realm. See the module's text.
pub struct Realm<'a, B> {
    rmm: &'a B,
    ledger: &'a Ledger<'a>,
    vm: VmId,
    spec: RealmSpec,
    state: State,
    stage: Stage,
    regions: &'a mut [Region],
    rd: Option<GranuleAddr>,
    start_tables: Option<GranuleAddr>,
    /// Tables between the start level and level 3 that exist.
    upper_tables: usize,
    recs: heapless::Vec<Rec, MAX_VCPUS>,
    stock: heapless::Vec<Granules<Delegated>, STOCK>,
    /// What is left of the last batch of single pages.
    batch: Option<Granules<Delegated>>,
    /// Where parameters and lists travel, from the first call to the last.
    desk: Option<Granules<Undelegated>>,
    transcript: Transcript,
    finished: bool,
    /// How far it is taken down, while it is.
    undo: Option<Undo>,
    /// Granules undelegated since that began.
    came_back: Cell<u64>,
}

impl<'a, B: Backend> Realm<'a, B> {
    /// A Realm that does not exist yet. `regions` must hold
    /// [`Region::count`] slots.
    pub fn new(
        rmm: &'a B,
        ledger: &'a Ledger<'a>,
        vm: VmId,
        spec: RealmSpec,
        regions: &'a mut [Region],
    ) -> Result<Self, SpecError> {
        spec.check()?;
        let needed = Region::count(spec.ram);
        let regions = regions
            .get_mut(..needed)
            .ok_or(SpecError::Regions { needed })?;
        Ok(Self {
            rmm,
            ledger,
            vm,
            spec,
            state: State::None,
            stage: Stage::Create,
            regions,
            rd: None,
            start_tables: None,
            upper_tables: 0,
            recs: heapless::Vec::new(),
            stock: heapless::Vec::new(),
            batch: None,
            desk: None,
            transcript: Transcript::default(),
            finished: false,
            undo: None,
            came_back: Cell::new(0),
        })
    }

    /// Where it is in its life.
    pub fn state(&self) -> State {
        self.state
    }

    /// What it was built from.
    pub fn spec(&self) -> &RealmSpec {
        &self.spec
    }

    /// The number of its VM.
    pub fn vm(&self) -> VmId {
        self.vm
    }

    /// The RMM it lives on, to enter RECs without holding the Realm.
    pub fn rmm(&self) -> &'a B {
        self.rmm
    }

    /// The granule of REC `vcpu`, to enter it without holding the Realm.
    pub fn rec(&self, vcpu: u32) -> Option<GranuleAddr> {
        self.recs.get(vcpu as usize).map(|rec| rec.granule)
    }

    /// Runs vCPU `vcpu` with the Non-secure page `run` until it exits.
    pub fn enter(&self, vcpu: u32, run: GranuleAddr) -> Result<(), RmiError> {
        let rec = self.rec(vcpu).ok_or(RmiError::Input)?;
        self.rmm.enter(rec, run)
    }

    /// Completes the PSCI call of `calling` that named vCPU `target`.
    pub fn psci_complete(
        &self,
        calling: u32,
        target: u32,
        answer: PsciAnswer,
    ) -> Result<(), RealmError> {
        let step = Step::Psci(calling);
        let no_vcpu = RealmError {
            step,
            cause: Cause::NoVcpu,
        };
        let caller = self.rec(calling).ok_or(no_vcpu)?;
        let target = self.rec(target).ok_or(no_vcpu)?;
        self.rmm
            .complete(caller, target, answer)
            .map_err(|error| step.failed(error))
    }

    /// Notes that the Realm has ended: it is off, reset, crashed or killed.
    pub fn stop(&mut self) {
        if self.state == State::Active {
            // From Active this way is always open.
            let _ = self.state.transition(State::Stopped);
        }
    }

    /// The measured calls that were made.
    pub fn transcript(&self) -> &Transcript {
        &self.transcript
    }

    /// The initial measurement, from the calls that were made. Costs a hash of
    /// all measured pages, so ask once the Realm has ended.
    pub fn rim(&self, pages: &impl PageSource, hash: &impl Sha256) -> Result<Rim, RimError> {
        if !self.finished {
            return Err(RimError::Unfinished);
        }
        rim::measure(&self.spec, &self.transcript, pages, hash)
    }

    /// Where private page `address` lies in the Realm, for reports.
    pub fn ipa_of(&self, address: PhysAddr) -> Option<Ipa> {
        self.regions.iter().enumerate().find_map(|(index, region)| {
            let offset = address.offset_from(region.frame?.address())?;
            (offset < crate::region::REGION_SIZE)
                .then(|| crate::region::base(self.spec.ram, index).checked_add(offset))?
        })
    }

    /// The pages in which parameters and lists travel.
    fn desk<'m>(&self, memory: &'m mut impl Memory) -> Option<Desk<'m>> {
        let pages = self.desk.as_ref()?;
        Some(Desk::new(memory, pages.base(), pages.get(1)?))
    }

    /// Delegated granules, the run aligned to the power of two above `count`.
    fn obtain(&self, memory: &mut impl Memory, count: usize) -> Result<Granules<Delegated>, Cause> {
        for _ in 0..MAX_REFUSALS {
            let run = memory
                .alloc(count.next_power_of_two())
                .ok_or(Cause::OutOfMemory)?;
            let (run, excess) = run.split(count);
            if let Some(excess) = excess {
                memory.free(excess);
            }
            let run = run.ok_or(Cause::OutOfMemory)?;
            match self.ledger.delegate(self.rmm, run, self.vm) {
                Ok(run) => return Ok(run),
                Err(refusal) => {
                    if let Some(delegated) = refusal.delegated {
                        self.give_back(memory, delegated);
                    }
                    match (refusal.error, refusal.rest) {
                        (RmiError::Input, Some(rest)) => memory.set_aside(rest),
                        (error, rest) => {
                            if let Some(rest) = rest {
                                memory.free(rest);
                            }
                            return Err(error.into());
                        }
                    }
                }
            }
        }
        Err(Cause::Refused)
    }

    /// One delegated granule for a page; batches make most of them cheap.
    #[inline(always)]
    fn obtain_page(&mut self, memory: &mut impl Memory) -> Result<Granules<Delegated>, Cause> {
        let batch = match self.batch.take() {
            Some(batch) => batch,
            None => self.obtain_batch(memory)?,
        };
        let (page, rest) = batch.split(1);
        self.batch = rest;
        page.ok_or(Cause::OutOfMemory)
    }

    #[inline(never)]
    fn obtain_batch(&self, memory: &mut impl Memory) -> Result<Granules<Delegated>, Cause> {
        match self.obtain(memory, BATCH) {
            Err(Cause::OutOfMemory) => self.obtain(memory, 1),
            batch => batch,
        }
    }

    /// Undelegates granules and frees what comes back.
    fn give_back(&self, memory: &mut impl Memory, run: Granules<Delegated>) {
        self.undelegate(run, |free| memory.free(free));
    }

    /// Undelegates granules; what comes back goes to `free`.
    fn undelegate(&self, run: Granules<Delegated>, free: impl FnMut(Granules<Undelegated>)) {
        let count = run.count();
        let kept = self.ledger.undelegate(self.rmm, run, self.vm, free);
        let came = count.saturating_sub(kept) as u64;
        self.came_back.set(self.came_back.get().wrapping_add(came));
    }
}

impl Step {
    fn failed(self, cause: impl Into<Cause>) -> RealmError {
        RealmError {
            step: self,
            cause: cause.into(),
        }
    }
}
