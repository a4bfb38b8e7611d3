//! The RMM: whether there is one, and the books of what it was given.

use core::sync::atomic::AtomicU16;

use conduit::{Conduit, NOT_SUPPORTED, Regs};
use platform::Platform;
use realm::Ledger;
use rmi::client::{Probe, Rmi, Session};

use crate::arch::ich::{self, VirtualInterface};
use crate::arch::{cpu, smc::SmcConduit};
use crate::memory::Ram;

/// SiP call of the embedded monitor: granules in the Realm PAS, by its tables.
const REALM_PAS_COUNT: u32 = 0xc200_0001;

/// An RMM this hypervisor can work with.
pub struct Rmm<'a> {
    /// For calls that belong to no VM.
    pub rmi: &'a Rmi<SmcConduit>,
    /// What was agreed on.
    pub session: Session,
    /// The books.
    pub ledger: Ledger<'static>,
}

impl Rmm<'_> {
    /// Whether this host programs the virtual interface of the GIC: RMMs of RMI
    /// 1.0 do that themselves.
    fn programs_gic(&self) -> bool {
        self.session.version.major() >= 2
    }

    /// List registers that a REC has.
    pub fn list_registers(&self) -> u8 {
        match self.programs_gic() {
            true => ich::list_registers(),
            false => self.session.features.fields().gicv3_num_lrs + 1,
        }
    }

    /// The virtual interface for one guest, if this host programs it.
    pub fn interface(&self) -> Option<VirtualInterface> {
        self.programs_gic().then(VirtualInterface::new)
    }
}

/// Asks for an RMM. Without the extension in the CPU no call is made.
pub fn open<'a>(rmi: &'a Rmi<SmcConduit>, platform: &Platform, ram: &mut Ram) -> Option<Rmm<'a>> {
    if !cpu::has_rme() {
        log::warn!("the CPU has no RME: no Realms");
        return None;
    }
    let probe = rmi.probe();
    let session = match probe {
        Probe::Ready(session) => {
            log::info!("{probe}");
            session
        }
        _ => {
            log::error!("{probe}");
            return None;
        }
    };
    let Some(table) = ram.table::<u16>(Ledger::entries(&platform.ram)) else {
        log::error!("no RAM for the granule ledger: give the machine more memory; no Realms");
        return None;
    };
    let table: &'static [AtomicU16] = atomic(table);
    match Ledger::new(&platform.ram, table) {
        Ok(ledger) => Some(Rmm {
            rmi,
            session,
            ledger,
        }),
        Err(error) => {
            log::error!("{error}; no Realms");
            None
        }
    }
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

fn atomic(words: &'static mut [u16]) -> &'static [AtomicU16] {
    crate::memory::phys::atomic(words)
}
