//! The intents of a host in the words of RMI 2.0.
//!
//! Three flavours answer `VERSION` with 2.0. [`Host`] speaks to those it can
//! serve, knows what was found out about the RMM, and learns on the way: what
//! an RMM turns out not to do is not asked of it again.

mod life;
mod memory;
mod quirks;

pub use quirks::{Arity, Quirks};

use crate::intent::Measured;
use conduit::Conduit;
use core::sync::atomic::{AtomicBool, Ordering};
use rmi::client::Calls;
use rmi::v2_0::client::Rmi;

/// RMI 2.0 measures contents and RECs, but not how RAM comes about.
pub const MEASURED: Measured = Measured { ripas: false };

/// An RMM that speaks RMI 2.0.
pub struct Host<C> {
    rmi: Rmi<C>,
    quirks: Quirks,
    /// It turned out to map no blocks.
    no_blocks: AtomicBool,
}

impl<C: Conduit> Host<C> {
    /// An RMM behind `conduit` that has `quirks`.
    pub fn new(conduit: C, quirks: Quirks) -> Self {
        Self {
            rmi: Rmi::new(conduit).with_state_field(quirks.field),
            quirks,
            no_blocks: AtomicBool::new(false),
        }
    }

    /// The typed calls.
    pub const fn rmi(&self) -> &Rmi<C> {
        &self.rmi
    }

    /// How often each command was called.
    pub const fn calls(&self) -> &Calls {
        self.rmi.calls()
    }

    /// What is particular about this RMM.
    pub const fn quirks(&self) -> Quirks {
        self.quirks
    }

    fn maps_blocks(&self) -> bool {
        !self.no_blocks.load(Ordering::Relaxed)
    }

    fn no_blocks(&self) {
        if !self.no_blocks.swap(true, Ordering::Relaxed) {
            log::warn!("the RMM maps no blocks: private memory comes page by page");
        }
    }
}

impl<C: Conduit + Copy> Host<C> {
    /// The same RMM for another user, who counts calls anew.
    pub fn sibling(&self) -> Self {
        let host = Self::new(*self.rmi.conduit(), self.quirks);
        host.no_blocks.store(!self.maps_blocks(), Ordering::Relaxed);
        host
    }
}

#[cfg(test)]
mod tests;
