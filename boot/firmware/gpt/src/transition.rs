//! Granules that change hands (RMM-EL3 interface, `GTSI_DELEGATE` and `_UNDELEGATE`).

use crate::{Gpi, Tables, Word};
use addr::{GranuleAddr, Pas};
use core::fmt;
use core::sync::atomic::Ordering;

/// What the machine does around a change of the tables.
pub trait Maintenance {
    /// Cleans and invalidates the granule to the point of physical aliasing, as
    /// seen through `pas`, and completes it.
    fn flush(&self, granule: GranuleAddr, pas: Pas);
    /// Makes a stored change visible to the walkers and drops what TLBs of any
    /// CPU hold of the granule.
    fn publish(&self, granule: GranuleAddr);
}

/// Why a granule stays where it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TransitionError {
    /// No level-1 table describes the granule.
    BadAddress(GranuleAddr),
    /// The granule is not in the state that the transition starts from.
    BadPas {
        /// Which granule.
        granule: GranuleAddr,
        /// What the tables say; `None` if their bits are reserved.
        found: Option<Gpi>,
    },
}

impl fmt::Display for TransitionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadAddress(granule) => write!(
                f,
                "{granule} cannot change hands: it is not memory that the monitor protects by granule"
            ),
            Self::BadPas { granule, found } => write!(
                f,
                "{granule} cannot change hands: it is {found:?} in the protection tables"
            ),
        }
    }
}

impl core::error::Error for TransitionError {}

impl Tables<'_> {
    /// Moves `granule` from the Non-secure to the Realm address space.
    pub fn delegate(
        &self,
        granule: GranuleAddr,
        machine: &impl Maintenance,
    ) -> Result<(), TransitionError> {
        self.expect(granule, Gpi::NonSecure)?;
        machine.flush(granule, Pas::Realm);
        self.swap(granule, Gpi::NonSecure, Gpi::Realm)?;
        machine.publish(granule);
        machine.flush(granule, Pas::NonSecure);
        Ok(())
    }

    /// Moves `granule` from the Realm to the Non-secure address space, through
    /// a state in which nobody can reach it.
    pub fn undelegate(
        &self,
        granule: GranuleAddr,
        machine: &impl Maintenance,
    ) -> Result<(), TransitionError> {
        self.swap(granule, Gpi::Realm, Gpi::None)?;
        machine.publish(granule);
        machine.flush(granule, Pas::Realm);
        machine.flush(granule, Pas::NonSecure);
        self.swap(granule, Gpi::None, Gpi::NonSecure)?;
        machine.publish(granule);
        Ok(())
    }

    fn expect(&self, granule: GranuleAddr, from: Gpi) -> Result<(), TransitionError> {
        let word = self
            .word(granule)
            .ok_or(TransitionError::BadAddress(granule))?;
        let found = Word(word.load(Ordering::Acquire)).get(granule);
        if found == Some(from) {
            Ok(())
        } else {
            Err(TransitionError::BadPas { granule, found })
        }
    }

    fn swap(&self, granule: GranuleAddr, from: Gpi, to: Gpi) -> Result<(), TransitionError> {
        let slot = self
            .word(granule)
            .ok_or(TransitionError::BadAddress(granule))?;
        let mut raw = slot.load(Ordering::Acquire);
        // Another CPU may change one of the fifteen neighbours meanwhile; each
        // round that fails is one in which somebody else succeeded.
        loop {
            let found = Word(raw).get(granule);
            if found != Some(from) {
                return Err(TransitionError::BadPas { granule, found });
            }
            let new = Word(raw).with(granule, to).0;
            match slot.compare_exchange_weak(raw, new, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return Ok(()),
                Err(current) => raw = current,
            }
        }
    }
}
