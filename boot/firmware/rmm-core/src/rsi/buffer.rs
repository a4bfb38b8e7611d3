//! A Realm's memory, as the RMM reaches it on the Realm's behalf.

use crate::granule::GranuleState;
use crate::hal::{Hal, PAGE_SIZE};
use crate::pages::{self, RealmPage};
use crate::rmm::Rmm;
use crate::rtt::{Entry, Walk};
use ::rmi::rtt::Ripas;
use addr::{GRANULE_SIZE, GranuleAddr, Ipa};

/// Why a Realm's buffer could not be reached.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum BufferError {
    /// It is no private memory of the Realm.
    Input,
    /// The host must give the page first; the walk ended at `level`.
    Missing {
        /// Level of the entry.
        level: i8,
    },
}

impl<H: Hal> Rmm<'_, H> {
    /// Runs `act` on the page that `ipa` lies in.
    pub(crate) fn with_buffer<T>(
        &self,
        owner: GranuleAddr,
        ipa: u64,
        act: impl FnOnce(&mut RealmPage, &mut [u8; PAGE_SIZE]) -> T,
    ) -> Result<T, BufferError> {
        let ipa = Ipa::new(ipa).align_down(GRANULE_SIZE);
        let done = self.with_realm(owner, |realm| Ok(self.in_realm(realm, ipa, act)));
        done.unwrap_or(Err(BufferError::Input))
    }

    fn in_realm<T>(
        &self,
        realm: &mut RealmPage,
        ipa: Ipa,
        act: impl FnOnce(&mut RealmPage, &mut [u8; PAGE_SIZE]) -> T,
    ) -> Result<T, BufferError> {
        let space = realm
            .space()
            .filter(|space| space.is_protected(ipa))
            .ok_or(BufferError::Input)?;
        let walk = Walk::to_leaf(self.hal, &space, ipa).ok_or(BufferError::Input)?;
        let missing = BufferError::Missing { level: walk.level };
        let first = match walk.entry {
            Entry::Assigned {
                granule,
                ripas: Ripas::Ram,
            } => granule,
            entry if entry.ripas() == Some(Ripas::Empty) => return Err(BufferError::Input),
            _ => return Err(missing),
        };
        // Inside a block, the page is some way behind the first one.
        let behind = (ipa.raw() & (walk.size().max(1) - 1)) / GRANULE_SIZE;
        let granule = first.checked_add(behind).ok_or(BufferError::Input)?;
        let mut guard =
            pages::internal(&self.granules, granule, GranuleState::Data).ok_or(missing)?;
        let mut page = pages::locked(self.hal, &mut guard);
        Ok(act(realm, &mut page.0))
    }
}
