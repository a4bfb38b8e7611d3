//! The RMM itself, Realms and RECs.

use super::OpError;
use crate::client::{Absurd, Calls, PsciAnswer, RmiError};
use crate::v2_0::range::{ListPage, StateField};
use crate::v2_0::sro::Reserve;
use crate::v2_0::{Command, Features, Status};
use crate::version::Version;
use addr::{GranuleAddr, PhysAddr};
use conduit::Conduit;

/// RMI 2.0 over a conduit. Calls are counted by command.
#[derive(Debug)]
pub struct Rmi<C> {
    pub(super) conduit: C,
    pub(super) calls: Calls,
    pub(super) field: StateField,
}

/// What kind of memory a tracking region is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum TrackingCategory {
    /// RAM.
    Conventional,
    /// Non-coherent device memory.
    DeviceNonCoherent,
    /// Coherent device memory.
    DeviceCoherent,
    /// Nothing (late flavour).
    None,
}

/// How finely the RMM tracks a region.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum TrackingState {
    /// Not for the host.
    Reserved,
    /// Not at all: nothing of it can be delegated.
    None,
    /// By granules.
    Fine,
    /// As a whole.
    Coarse,
    /// In between (late flavour).
    Intermediate,
}

/// What `GRANULE_TRACKING_GET` found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tracking {
    /// The kind of memory.
    pub category: TrackingCategory,
    /// How it is tracked.
    pub state: TrackingState,
    /// Where this stops being so, or the end of the question.
    pub top: PhysAddr,
}

const fn status_of(answer: PsciAnswer) -> u64 {
    match answer {
        PsciAnswer::Success => 0,
        PsciAnswer::Denied => -3i64 as u64,
    }
}

/// x1 to x7 from the arguments there are.
#[inline]
pub(super) const fn args<const N: usize>(given: [u64; N]) -> [u64; 7] {
    let mut regs = [0; 7];
    if let Some((head, _)) = regs.split_first_chunk_mut() {
        *head = given;
    }
    regs
}

impl<C: Conduit> Rmi<C> {
    /// RMI over `conduit`, with all counters at zero, for the early flavour.
    pub const fn new(conduit: C) -> Self {
        Self {
            conduit,
            calls: Calls::new(),
            field: StateField::OneBit,
        }
    }

    /// The same for a flavour whose descriptors hold their state in `field`.
    #[must_use]
    pub fn with_state_field(self, field: StateField) -> Self {
        Self { field, ..self }
    }

    /// How often each command was called.
    pub const fn calls(&self) -> &Calls {
        &self.calls
    }

    /// The conduit the calls go through.
    pub const fn conduit(&self) -> &C {
        &self.conduit
    }

    /// Where this RMM's descriptors hold their state.
    pub const fn state_field(&self) -> StateField {
        self.field
    }

    /// `RMI_VERSION`: the status, and the lowest and highest revision named.
    pub fn version(&self, wanted: Version) -> (Status, Version, Version) {
        let [x0, x1, x2, ..] = self.call(Command::Version, args([wanted.raw()]));
        (
            Status::from_raw(x0),
            Version::from_raw(x1),
            Version::from_raw(x2),
        )
    }

    /// `RMI_FEATURES`: feature register `index`.
    pub fn features(&self, index: u64) -> Result<u64, RmiError> {
        let (result, [x1, ..]) = self.end(Command::Features, args([index]));
        result.map(|()| x1)
    }

    /// `RMI_FEATURES` of every register.
    pub fn all_features(&self) -> Result<Features, RmiError> {
        let mut regs = [0; 5];
        for (index, reg) in (0..).zip(&mut regs) {
            *reg = self.features(index)?;
        }
        Ok(Features::from_raw(regs))
    }

    /// `RMI_RMM_CONFIG_GET`: puts an `RmmConfig` into `page`.
    pub fn rmm_config_get(&self, page: GranuleAddr) -> Result<(), RmiError> {
        self.done(Command::RmmConfigGet, args([page.raw()]))
    }

    /// `RMI_RMM_CONFIG_SET` from the `RmmConfig` in `page`.
    pub fn rmm_config_set(&self, page: GranuleAddr) -> Result<(), RmiError> {
        self.done(Command::RmmConfigSet, args([page.raw()]))
    }

    /// `RMI_RMM_ACTIVATE`.
    pub fn rmm_activate(&self) -> Result<(), RmiError> {
        self.done(Command::RmmActivate, args([]))
    }

    /// `RMI_RMM_STATE_GET` (late flavour).
    pub fn rmm_state_get(&self) -> Result<u64, RmiError> {
        let (result, [x1, ..]) = self.end(Command::RmmStateGet, args([]));
        result.map(|()| x1)
    }

    /// `RMI_GPT_L1_CREATE` for the region from `base`; `false` if it has a
    /// table already.
    pub fn gpt_l1_create(&self, base: PhysAddr) -> Result<bool, RmiError> {
        match self.done(Command::GptL1Create, args([base.raw()])) {
            Ok(()) => Ok(true),
            Err(RmiError::Status(Status::ErrorGpt)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// `RMI_GRANULE_TRACKING_GET` of `base..top`.
    pub fn granule_tracking_get(
        &self,
        base: GranuleAddr,
        top: GranuleAddr,
    ) -> Result<Tracking, RmiError> {
        let (result, [x1, x2, x3, _]) =
            self.end(Command::GranuleTrackingGet, args([base.raw(), top.raw()]));
        result?;
        let undefined = |value| RmiError::Absurd {
            what: Absurd::Tracking,
            value,
        };
        if x3 <= base.raw() || x3 > top.raw() {
            return Err(RmiError::Absurd {
                what: Absurd::Progress,
                value: x3,
            });
        }
        Ok(Tracking {
            category: match x1 {
                0 => TrackingCategory::Conventional,
                1 => TrackingCategory::DeviceNonCoherent,
                2 => TrackingCategory::DeviceCoherent,
                3 => TrackingCategory::None,
                _ => return Err(undefined(x1)),
            },
            state: match x2 {
                0 => TrackingState::Reserved,
                1 => TrackingState::None,
                2 => TrackingState::Fine,
                3 => TrackingState::Coarse,
                4 => TrackingState::Intermediate,
                _ => return Err(undefined(x2)),
            },
            top: PhysAddr::new(x3),
        })
    }
}

/// Commands on Realms and RECs.
impl<C: Conduit> Rmi<C> {
    /// `RMI_REALM_CREATE` from the `RealmParams` in the page `params`.
    pub fn realm_create(&self, rd: GranuleAddr, params: GranuleAddr) -> Result<(), RmiError> {
        self.done(Command::RealmCreate, args([rd.raw(), params.raw()]))
    }

    /// `RMI_REALM_ACTIVATE`.
    pub fn realm_activate(&self, rd: GranuleAddr) -> Result<(), RmiError> {
        self.done(Command::RealmActivate, args([rd.raw()]))
    }

    /// `RMI_REALM_TERMINATE`: nothing of the Realm runs any more.
    pub fn realm_terminate(&self, rd: GranuleAddr) -> Result<(), RmiError> {
        self.done(Command::RealmTerminate, args([rd.raw()]))
    }

    /// `RMI_REALM_DESTROY` of a terminated Realm.
    pub fn realm_destroy(&self, rd: GranuleAddr) -> Result<(), RmiError> {
        self.done(Command::RealmDestroy, args([rd.raw()]))
    }

    /// `RMI_REC_CREATE` from the `RecParams` in the page `params`, which must
    /// stay until this returns. Its memory comes from `reserve`; what it keeps
    /// is out until the REC is destroyed.
    pub fn rec_create<const N: usize>(
        &self,
        rd: GranuleAddr,
        rec: GranuleAddr,
        params: GranuleAddr,
        reserve: &mut Reserve<N>,
        page: &mut impl ListPage,
    ) -> Result<(), OpError> {
        let args = [rd.raw(), rec.raw(), params.raw()];
        self.with_memory(Command::RecCreate, &args, reserve, page)
            .map(|_| ())
    }

    /// `RMI_REC_DESTROY`. Its memory returns to the reserve it was created from.
    pub fn rec_destroy<const N: usize>(
        &self,
        rec: GranuleAddr,
        reserve: &mut Reserve<N>,
        page: &mut impl ListPage,
    ) -> Result<(), OpError> {
        self.with_memory(Command::RecDestroy, &[rec.raw()], reserve, page)
            .map(|_| ())
    }

    /// `RMI_REC_ENTER` with the `RecRun` in the page `run`.
    #[inline]
    pub fn rec_enter(&self, rec: GranuleAddr, run: GranuleAddr) -> Result<(), RmiError> {
        let [x0, ..] = self.call(Command::RecEnter, args([rec.raw(), run.raw()]));
        if x0 == 0 {
            return Ok(());
        }
        RmiError::check_v2_0(Status::from_raw(x0))
    }

    /// `RMI_PSCI_COMPLETE` as the early flavour has it: the host names the
    /// target.
    pub fn psci_complete_target(
        &self,
        calling: GranuleAddr,
        target: GranuleAddr,
        answer: PsciAnswer,
    ) -> Result<(), RmiError> {
        self.done(
            Command::PsciComplete,
            args([calling.raw(), target.raw(), status_of(answer)]),
        )
    }

    /// `RMI_PSCI_COMPLETE` as the late flavour has it: the RMM finds the target.
    pub fn psci_complete(&self, calling: GranuleAddr, answer: PsciAnswer) -> Result<(), RmiError> {
        self.done(
            Command::PsciComplete,
            args([calling.raw(), status_of(answer)]),
        )
    }
}
