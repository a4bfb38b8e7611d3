//! Commands on Realm translation tables.

use super::Rmi;
use super::calls::args;
use super::memory::progress;
use crate::client::{Absurd, Blocked, Entry, Removed, RmiError};
use crate::rtt::{EntryState, LAST_LEVEL, Ripas};
use crate::v2_0::Command;
use addr::{GRANULE_SIZE, GranuleAddr, Ipa};
use conduit::Conduit;

const fn absurd(what: Absurd, value: u64) -> RmiError {
    RmiError::Absurd { what, value }
}

fn granule(raw: u64) -> Result<GranuleAddr, RmiError> {
    GranuleAddr::from_raw(raw).map_err(|_| absurd(Absurd::Granule, raw))
}

fn level_arg(level: i8) -> u64 {
    i64::from(level) as u64
}

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
            args([rd.raw(), rtt.raw(), ipa.raw(), level_arg(level)]),
        )
    }

    /// `RMI_RTT_DESTROY`: takes the table of `level` that covers `ipa` back.
    pub fn rtt_destroy(&self, rd: GranuleAddr, ipa: Ipa, level: i8) -> Result<Removed, Blocked> {
        let given = args([rd.raw(), ipa.raw(), level_arg(level)]);
        let (result, [x1, x2, ..]) = self.end(Command::RttDestroy, given);
        let top = Some(Ipa::new(x2)).filter(|top| *top > ipa && top.is_aligned(GRANULE_SIZE));
        match result.and_then(|()| granule(x1)) {
            // The entry asked for is gone, so going on past it is always right.
            Ok(granule) => Ok(Removed {
                granule,
                top: top.or(ipa.checked_add(GRANULE_SIZE)).unwrap_or(ipa),
            }),
            Err(error) => Err(Blocked { error, top }),
        }
    }

    /// `RMI_RTT_FOLD`: turns the table of `level` that covers `ipa` into one
    /// entry of its parent; the table's granule is delegated again.
    pub fn rtt_fold(&self, rd: GranuleAddr, ipa: Ipa, level: i8) -> Result<GranuleAddr, RmiError> {
        let given = args([rd.raw(), ipa.raw(), level_arg(level)]);
        let (result, [x1, ..]) = self.end(Command::RttFold, given);
        result?;
        granule(x1)
    }

    /// `RMI_RTT_READ_ENTRY`.
    pub fn rtt_read_entry(&self, rd: GranuleAddr, ipa: Ipa, level: i8) -> Result<Entry, RmiError> {
        let given = args([rd.raw(), ipa.raw(), level_arg(level)]);
        let (result, [x1, x2, x3, x4]) = self.end(Command::RttReadEntry, given);
        result?;
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
        let given = args([rd.raw(), base.raw(), top.raw()]);
        let (result, [x1, ..]) = self.end(Command::RttInitRipas, given);
        result?;
        progress(base.raw(), top.raw(), x1).map(Ipa::new)
    }

    /// `RMI_RTT_SET_RIPAS` of `base..top` as `rec` asked; returns how far it came.
    pub fn rtt_set_ripas(
        &self,
        rd: GranuleAddr,
        rec: GranuleAddr,
        base: Ipa,
        top: Ipa,
    ) -> Result<Ipa, RmiError> {
        let given = args([rd.raw(), rec.raw(), base.raw(), top.raw()]);
        let (result, [x1, ..]) = self.end(Command::RttSetRipas, given);
        result?;
        progress(base.raw(), top.raw(), x1).map(Ipa::new)
    }
}
