//! One method per command (DEN0137 B4.3), arguments typed, outputs checked.

use super::{Absurd, Calls, RmiError};
use crate::rtt::{EntryState, LAST_LEVEL, Ripas, UnprotectedDesc};
use crate::status::Status;
use crate::v1_0::{Command, MAX_AUX};
use crate::version::Version;
use addr::{GRANULE_SIZE, GranuleAddr, Ipa};
use conduit::{Conduit, Regs};

/// RMI 1.0 over a conduit. Calls are counted by command.
#[derive(Debug)]
pub struct Rmi<C> {
    conduit: C,
    calls: Calls,
}

/// Whether the contents of a data granule become part of the measurement.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Contents {
    /// Only that something was put there is measured.
    Unmeasured,
    /// The contents are measured.
    Measured,
}

/// What the host may say about a PSCI call that named another REC.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum PsciAnswer {
    /// PSCI `SUCCESS`.
    Success,
    /// PSCI `DENIED`; only for `CPU_ON`.
    Denied,
}

/// Something was taken out of an RTT.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Removed {
    /// The granule, delegated again.
    pub granule: GranuleAddr,
    /// Where the next live entry may be; always past the address asked for.
    pub top: Ipa,
}

/// Nothing was taken out of an RTT.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Blocked {
    /// Why not.
    pub error: RmiError,
    /// Where the next live entry may be, if the RMM named a place further on.
    pub top: Option<Ipa>,
}

/// What `RTT_READ_ENTRY` found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry {
    /// The level at which the walk ended.
    pub level: i8,
    /// What the host has put there.
    pub state: EntryState,
    /// The output address or descriptor.
    pub desc: u64,
    /// What the Realm may expect there; `Empty` in the unprotected half.
    pub ripas: Ripas,
}

const fn absurd(what: Absurd, value: u64) -> RmiError {
    RmiError::Absurd { what, value }
}

fn granule(raw: u64) -> Result<GranuleAddr, RmiError> {
    GranuleAddr::from_raw(raw).map_err(|_| absurd(Absurd::Granule, raw))
}

/// Progress of a call on `base..top`: it must lie past `base`, not past `top`.
fn progress(base: Ipa, top: Ipa, out: u64) -> Result<Ipa, RmiError> {
    let out_top = Ipa::new(out);
    if out_top > base && out_top <= top && out_top.is_aligned(GRANULE_SIZE) {
        Ok(out_top)
    } else {
        Err(absurd(Absurd::Progress, out))
    }
}

/// Where to go on after `ipa`, if `raw` names a place further on.
fn further(ipa: Ipa, raw: u64) -> Option<Ipa> {
    let top = Ipa::new(raw);
    (top > ipa && top.is_aligned(GRANULE_SIZE)).then_some(top)
}

fn level_arg(level: i8) -> u64 {
    i64::from(level) as u64
}

impl<C: Conduit> Rmi<C> {
    /// RMI over `conduit`, with all counters at zero.
    pub const fn new(conduit: C) -> Self {
        Self {
            conduit,
            calls: Calls::new(),
        }
    }

    /// How often each command was called.
    pub const fn calls(&self) -> &Calls {
        &self.calls
    }

    /// The conduit the calls go through.
    pub const fn conduit(&self) -> &C {
        &self.conduit
    }

    #[inline]
    fn call(&self, command: Command, args: [u64; 5]) -> [u64; 8] {
        self.calls.count(command);
        let [a, b, c, d, e] = args;
        let fid = u64::from(command.fid());
        self.conduit.call(Regs([fid, a, b, c, d, e, 0, 0])).0
    }

    #[inline]
    fn done(&self, command: Command, args: [u64; 5]) -> Result<(), RmiError> {
        let [x0, ..] = self.call(command, args);
        RmiError::check(x0)
    }

    fn removed(&self, command: Command, ipa: Ipa, args: [u64; 5]) -> Result<Removed, Blocked> {
        let [x0, x1, x2, ..] = self.call(command, args);
        let top = further(ipa, x2);
        match RmiError::check(x0).and_then(|()| granule(x1)) {
            // The entry asked for is gone, so going on past it is always right.
            Ok(granule) => {
                let next = ipa.checked_add(GRANULE_SIZE);
                Ok(Removed {
                    granule,
                    top: top.or(next).unwrap_or(ipa),
                })
            }
            Err(error) => Err(Blocked { error, top }),
        }
    }

    /// `RMI_VERSION`: the status, and the lowest and highest revision named.
    pub fn version(&self, wanted: Version) -> (Status, Version, Version) {
        let [x0, x1, x2, ..] = self.call(Command::Version, [wanted.raw(), 0, 0, 0, 0]);
        (
            Status::from_raw(x0),
            Version::from_raw(x1),
            Version::from_raw(x2),
        )
    }

    /// `RMI_FEATURES`: feature register `index`.
    pub fn features(&self, index: u64) -> Result<u64, RmiError> {
        let [x0, x1, ..] = self.call(Command::Features, [index, 0, 0, 0, 0]);
        RmiError::check(x0).map(|()| x1)
    }

    /// `RMI_GRANULE_DELEGATE`.
    #[inline]
    pub fn granule_delegate(&self, granule: GranuleAddr) -> Result<(), RmiError> {
        self.done(Command::GranuleDelegate, [granule.raw(), 0, 0, 0, 0])
    }

    /// `RMI_GRANULE_UNDELEGATE`.
    #[inline]
    pub fn granule_undelegate(&self, granule: GranuleAddr) -> Result<(), RmiError> {
        self.done(Command::GranuleUndelegate, [granule.raw(), 0, 0, 0, 0])
    }

    /// `RMI_DATA_CREATE`: a data granule with the contents of the page `source`.
    pub fn data_create(
        &self,
        rd: GranuleAddr,
        data: GranuleAddr,
        ipa: Ipa,
        source: GranuleAddr,
        contents: Contents,
    ) -> Result<(), RmiError> {
        let flags = match contents {
            Contents::Unmeasured => 0,
            Contents::Measured => 1,
        };
        self.done(
            Command::DataCreate,
            [rd.raw(), data.raw(), ipa.raw(), source.raw(), flags],
        )
    }

    /// `RMI_DATA_CREATE_UNKNOWN`: a data granule whose contents nobody promises.
    #[inline]
    pub fn data_create_unknown(
        &self,
        rd: GranuleAddr,
        data: GranuleAddr,
        ipa: Ipa,
    ) -> Result<(), RmiError> {
        self.done(
            Command::DataCreateUnknown,
            [rd.raw(), data.raw(), ipa.raw(), 0, 0],
        )
    }

    /// `RMI_DATA_DESTROY`: takes the data granule at `ipa` back.
    pub fn data_destroy(&self, rd: GranuleAddr, ipa: Ipa) -> Result<Removed, Blocked> {
        self.removed(Command::DataDestroy, ipa, [rd.raw(), ipa.raw(), 0, 0, 0])
    }

    /// `RMI_REALM_ACTIVATE`.
    pub fn realm_activate(&self, rd: GranuleAddr) -> Result<(), RmiError> {
        self.done(Command::RealmActivate, [rd.raw(), 0, 0, 0, 0])
    }

    /// `RMI_REALM_CREATE` from the `RealmParams` in the page `params`.
    pub fn realm_create(&self, rd: GranuleAddr, params: GranuleAddr) -> Result<(), RmiError> {
        self.done(Command::RealmCreate, [rd.raw(), params.raw(), 0, 0, 0])
    }

    /// `RMI_REALM_DESTROY`.
    pub fn realm_destroy(&self, rd: GranuleAddr) -> Result<(), RmiError> {
        self.done(Command::RealmDestroy, [rd.raw(), 0, 0, 0, 0])
    }

    /// `RMI_REC_CREATE` from the `RecParams` in the page `params`.
    pub fn rec_create(
        &self,
        rd: GranuleAddr,
        rec: GranuleAddr,
        params: GranuleAddr,
    ) -> Result<(), RmiError> {
        self.done(
            Command::RecCreate,
            [rd.raw(), rec.raw(), params.raw(), 0, 0],
        )
    }

    /// `RMI_REC_DESTROY`.
    pub fn rec_destroy(&self, rec: GranuleAddr) -> Result<(), RmiError> {
        self.done(Command::RecDestroy, [rec.raw(), 0, 0, 0, 0])
    }

    /// `RMI_REC_ENTER` with the `RecRun` in the page `run`.
    #[inline]
    pub fn rec_enter(&self, rec: GranuleAddr, run: GranuleAddr) -> Result<(), RmiError> {
        self.done(Command::RecEnter, [rec.raw(), run.raw(), 0, 0, 0])
    }

    /// `RMI_REC_AUX_COUNT`: auxiliary granules each REC of the Realm needs.
    pub fn rec_aux_count(&self, rd: GranuleAddr) -> Result<usize, RmiError> {
        let [x0, x1, ..] = self.call(Command::RecAuxCount, [rd.raw(), 0, 0, 0, 0]);
        RmiError::check(x0)?;
        match usize::try_from(x1) {
            Ok(count) if count <= MAX_AUX => Ok(count),
            _ => Err(absurd(Absurd::AuxCount, x1)),
        }
    }

    /// `RMI_PSCI_COMPLETE`.
    pub fn psci_complete(
        &self,
        calling: GranuleAddr,
        target: GranuleAddr,
        answer: PsciAnswer,
    ) -> Result<(), RmiError> {
        let status = match answer {
            PsciAnswer::Success => 0,
            PsciAnswer::Denied => -3i64 as u64,
        };
        self.done(
            Command::PsciComplete,
            [calling.raw(), target.raw(), status, 0, 0],
        )
    }
}

/// Commands on Realm translation tables.
impl<C: Conduit> Rmi<C> {
    /// `RMI_RTT_CREATE`: makes `rtt` the table of `level` that covers `ipa`.
    pub fn rtt_create(
        &self,
        rd: GranuleAddr,
        rtt: GranuleAddr,
        ipa: Ipa,
        level: i8,
    ) -> Result<(), RmiError> {
        self.done(
            Command::RttCreate,
            [rd.raw(), rtt.raw(), ipa.raw(), level_arg(level), 0],
        )
    }

    /// `RMI_RTT_DESTROY`: takes the table of `level` that covers `ipa` back.
    pub fn rtt_destroy(&self, rd: GranuleAddr, ipa: Ipa, level: i8) -> Result<Removed, Blocked> {
        self.removed(
            Command::RttDestroy,
            ipa,
            [rd.raw(), ipa.raw(), level_arg(level), 0, 0],
        )
    }

    /// `RMI_RTT_FOLD`: turns the table of `level` that covers `ipa` into one
    /// entry of its parent; the table's granule is delegated again.
    pub fn rtt_fold(&self, rd: GranuleAddr, ipa: Ipa, level: i8) -> Result<GranuleAddr, RmiError> {
        let [x0, x1, ..] = self.call(
            Command::RttFold,
            [rd.raw(), ipa.raw(), level_arg(level), 0, 0],
        );
        RmiError::check(x0)?;
        granule(x1)
    }

    /// `RMI_RTT_MAP_UNPROTECTED`.
    pub fn rtt_map_unprotected(
        &self,
        rd: GranuleAddr,
        ipa: Ipa,
        level: i8,
        desc: UnprotectedDesc,
    ) -> Result<(), RmiError> {
        self.done(
            Command::RttMapUnprotected,
            [rd.raw(), ipa.raw(), level_arg(level), desc.raw(), 0],
        )
    }

    /// `RMI_RTT_UNMAP_UNPROTECTED`. On success the place to go on, if the RMM
    /// named one past `ipa`.
    pub fn rtt_unmap_unprotected(
        &self,
        rd: GranuleAddr,
        ipa: Ipa,
        level: i8,
    ) -> Result<Option<Ipa>, Blocked> {
        let [x0, x1, ..] = self.call(
            Command::RttUnmapUnprotected,
            [rd.raw(), ipa.raw(), level_arg(level), 0, 0],
        );
        let top = further(ipa, x1);
        match RmiError::check(x0) {
            Ok(()) => Ok(top),
            Err(error) => Err(Blocked { error, top }),
        }
    }

    /// `RMI_RTT_READ_ENTRY`.
    pub fn rtt_read_entry(&self, rd: GranuleAddr, ipa: Ipa, level: i8) -> Result<Entry, RmiError> {
        let [x0, x1, x2, x3, x4, ..] = self.call(
            Command::RttReadEntry,
            [rd.raw(), ipa.raw(), level_arg(level), 0, 0],
        );
        RmiError::check(x0)?;
        let level = match i8::try_from(x1 as i64) {
            Ok(level @ -1..=LAST_LEVEL) => level,
            _ => return Err(absurd(Absurd::Level, x1)),
        };
        Ok(Entry {
            level,
            state: EntryState::from_raw(x2).ok_or(absurd(Absurd::EntryState, x2))?,
            desc: x3,
            ripas: Ripas::from_raw(x4).ok_or(absurd(Absurd::EntryState, x4))?,
        })
    }

    /// `RMI_RTT_INIT_RIPAS` of `base..top`; returns how far it came.
    pub fn rtt_init_ripas(&self, rd: GranuleAddr, base: Ipa, top: Ipa) -> Result<Ipa, RmiError> {
        let [x0, x1, ..] = self.call(
            Command::RttInitRipas,
            [rd.raw(), base.raw(), top.raw(), 0, 0],
        );
        RmiError::check(x0)?;
        progress(base, top, x1)
    }

    /// `RMI_RTT_SET_RIPAS` of `base..top` as `rec` asked; returns how far it came.
    pub fn rtt_set_ripas(
        &self,
        rd: GranuleAddr,
        rec: GranuleAddr,
        base: Ipa,
        top: Ipa,
    ) -> Result<Ipa, RmiError> {
        let [x0, x1, ..] = self.call(
            Command::RttSetRipas,
            [rd.raw(), rec.raw(), base.raw(), top.raw(), 0],
        );
        RmiError::check(x0)?;
        progress(base, top, x1)
    }
}
