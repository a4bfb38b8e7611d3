//! The RMM: whether there is one, which dialect it speaks, and the books of what
//! it was given.

use core::sync::atomic::AtomicU16;

use addr::GranuleAddr;
use conduit::{Conduit, NOT_SUPPORTED, Regs};
use platform::Platform;
use realm::Ledger;
use realm::intent::Backend;
use realm::open::{Offer, Opened};
use realm::v2_0::Host;
use rmi::client::Rmi;

use crate::arch::{cpu, ich, smc::SmcConduit};
use crate::calls::Calls;
use crate::memory::{Ram, phys};
use crate::vm::{Engines, Rec};

/// SiP call of the embedded monitor: granules in the Realm PAS, by its tables.
const REALM_PAS_COUNT: u32 = 0xc200_0001;

/// An RMM by the dialect it speaks.
pub enum Rmm {
    /// RMI 1.0.
    V1_0(Session<Rmi<SmcConduit>>),
    /// RMI 2.0.
    V2_0(Session<Host<SmcConduit>>),
    /// None that this hypervisor can work with.
    None,
}

/// A session with an RMM.
pub struct Session<B> {
    /// For calls that belong to no VM.
    pub rmm: B,
    /// What was agreed on, and what was given.
    pub books: Books,
}

/// What is the same in every dialect.
pub struct Books {
    /// What the RMM offers.
    pub offer: Offer,
    /// The granules.
    pub ledger: Ledger<'static>,
}

/// Who counts calls of an RMM.
pub trait Counter: Sync {
    /// Adds the calls made to `calls`.
    fn count(&self, calls: &mut Calls);
}

/// What the hypervisor needs of a dialect beside what a Realm's life needs.
pub trait Dialect: Backend + Counter + Send + 'static {
    /// Whether this host programs the virtual interface of the GIC.
    const PROGRAMS_GIC: bool;

    /// The same RMM for a VM or a vCPU, which counts its calls anew.
    fn sibling(&self) -> Self;
}

impl Counter for Rmi<SmcConduit> {
    fn count(&self, calls: &mut Calls) {
        calls.add(self.calls().iter());
    }
}

impl Dialect for Rmi<SmcConduit> {
    const PROGRAMS_GIC: bool = false;

    fn sibling(&self) -> Self {
        Rmi::new(SmcConduit)
    }
}

impl Counter for Host<SmcConduit> {
    fn count(&self, calls: &mut Calls) {
        calls.add(self.calls().iter());
    }
}

impl Dialect for Host<SmcConduit> {
    const PROGRAMS_GIC: bool = true;

    fn sibling(&self) -> Self {
        Host::sibling(self)
    }
}

impl Rmm {
    /// What is the same in every dialect, if there is an RMM.
    pub fn books(&self) -> Option<&Books> {
        match self {
            Self::V1_0(session) => Some(&session.books),
            Self::V2_0(session) => Some(&session.books),
            Self::None => None,
        }
    }

    /// List registers that a vCPU has.
    pub fn list_registers(&self) -> u8 {
        match self {
            Self::V1_0(session) => session.books.offer.features.fields().gicv3_num_lrs + 1,
            Self::V2_0(_) | Self::None => ich::list_registers(),
        }
    }

    /// What runs the REC at `rec`.
    pub fn engine(&self, rec: GranuleAddr) -> Engines {
        match self {
            Self::V1_0(session) => Engines::V1_0(Rec::new(session.rmm.sibling(), rec)),
            Self::V2_0(session) => Engines::V2_0(Rec::new(session.rmm.sibling(), rec)),
            Self::None => Engines::None,
        }
    }

    /// Adds the calls that belong to no VM to `calls`.
    pub fn count(&self, calls: &mut Calls) {
        match self {
            Self::V1_0(session) => session.rmm.count(calls),
            Self::V2_0(session) => session.rmm.count(calls),
            Self::None => {}
        }
    }
}

/// Asks for an RMM. Without the extension in the CPU no call is made.
pub fn open(platform: &Platform, ram: &mut Ram) -> Rmm {
    if !cpu::has_rme() {
        log::warn!("the CPU has no RME: no Realms");
        return Rmm::None;
    }
    let opened = realm::open::open(SmcConduit, ram, &platform.ram);
    let offer = match &opened {
        Opened::V1_0 { offer, .. } | Opened::V2_0 { offer, .. } => *offer,
        Opened::Refused(refusal) => {
            log::error!("{refusal}");
            return Rmm::None;
        }
    };
    log::info!("{offer}");
    if let Some(more) = offer.more {
        log::info!("rmm: {}", more.quirks);
    }
    let Some(ledger) = ledger(platform, ram) else {
        return Rmm::None;
    };
    let books = Books { offer, ledger };
    match opened {
        Opened::V1_0 { rmm, .. } => Rmm::V1_0(Session { rmm, books }),
        Opened::V2_0 { rmm, .. } => Rmm::V2_0(Session { rmm, books }),
        Opened::Refused(_) => Rmm::None,
    }
}

fn ledger(platform: &Platform, ram: &mut Ram) -> Option<Ledger<'static>> {
    let Some(table) = ram.table::<u16>(Ledger::entries(&platform.ram)) else {
        log::error!("no RAM for the granule ledger: give the machine more memory; no Realms");
        return None;
    };
    let table: &'static [AtomicU16] = phys::atomic(table);
    Ledger::new(&platform.ram, table)
        .inspect_err(|error| log::error!("{error}; no Realms"))
        .ok()
}

/// What the monitor counts, if it is the embedded one.
pub fn realm_pas_count() -> Option<u64> {
    if !cpu::has_rme() {
        return None;
    }
    let Regs([count, ..]) = SmcConduit.call(Regs::call(REALM_PAS_COUNT, &[]));
    (count != NOT_SUPPORTED && count != 0xffff_ffff).then_some(count)
}

/// Who answers at EL3.
pub fn firmware() -> &'static str {
    match (cpu::has_rme(), realm_pas_count()) {
        (false, _) => "none",
        (true, Some(_)) => "embedded",
        (true, None) => "external",
    }
}
