//! A VM's memory and its life, whatever kind of VM it is and whatever dialect its
//! RMM speaks. One set of calls for all kinds keeps the rest of the hypervisor
//! in the image once.

use core::fmt;

use addr::{GranuleAddr, Ipa, PhysAddr};
use plain::MemoryError;
use plain::psci::Start;
use realm::intent::Backend;
use realm::plan::Bundle;
use realm::rim::Rim;
use realm::{Fault, Progress, Realm, RealmError, RipasAnswer, Teardown};
use rmi::client::PsciAnswer;
use rmi::rtt::Ripas;

use crate::arch::sha256::CpuSha256;
use crate::memory::SharedRam;
use crate::rmm::Rmm;

use super::Engines;

/// What can be done with a VM's memory and life.
pub trait Guest: Send {
    /// Does one step of building, copying at most `pages` pages.
    fn advance(&mut self, ram: SharedRam, pages: usize) -> Result<Progress, Trouble>;

    /// Provides the RAM that a fault at `ipa` asks for; returns how many pages.
    fn populate(&mut self, ram: SharedRam, ipa: Ipa) -> Result<usize, Trouble>;

    /// Provides the shared memory that a fault at `ipa` asks for.
    fn share(&mut self, ram: SharedRam, ipa: Ipa) -> Result<usize, Trouble>;

    /// Where the memory lies that a device reaches at the page address `ipa`, in
    /// whichever way the guest's driver spells it; `None` if it may not. Up to the
    /// end of the page it is mapped RAM of the host's map, not delegated, that no
    /// reference names, for as long as the guest is borrowed.
    fn device_address(&mut self, ram: SharedRam, ipa: Ipa) -> Option<PhysAddr>;

    /// Makes the change of RIPAS that vCPU `vcpu` asked for.
    fn convert(
        &mut self,
        ram: SharedRam,
        vcpu: u32,
        range: (Ipa, Ipa),
        ripas: Ripas,
    ) -> Result<RipasAnswer, Trouble>;

    /// Completes the PSCI call of `calling` that named vCPU `target`.
    fn psci_complete(
        &mut self,
        calling: u32,
        target: u32,
        answer: PsciAnswer,
    ) -> Result<(), Trouble>;

    /// Notes where vCPU `vcpu` starts, for a VM whose RMM does not.
    fn set_start(&mut self, vcpu: usize, start: Start);

    /// Does one step of taking it down, from whatever state; says after the last
    /// what came back. No vCPU may be running.
    fn take_down(&mut self, ram: SharedRam) -> Option<Teardown>;

    /// The initial measurement that follows from the calls made, if it has one.
    fn rim(&self, bundle: &Bundle<'_>) -> Option<Rim>;

    /// The granule of REC `vcpu`, where there is one.
    fn rec(&self, vcpu: u32) -> Option<GranuleAddr>;

    /// What runs vCPU `vcpu`, which was started; nothing if it cannot run.
    fn engine(&mut self, vcpu: usize, rmm: &Rmm) -> Engines;
}

/// Why a VM did not get what it wanted of its memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trouble {
    /// A Realm's.
    Realm(Fault),
    /// A plain VM's.
    Plain(MemoryError),
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        Self::Realm(fault)
    }
}

impl From<RealmError> for Trouble {
    fn from(error: RealmError) -> Self {
        Self::Realm(error.into())
    }
}

impl From<MemoryError> for Trouble {
    fn from(error: MemoryError) -> Self {
        Self::Plain(error)
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Realm(fault) => fault.fmt(f),
            Self::Plain(error) => error.fmt(f),
        }
    }
}

impl<B: Backend + Sync> Guest for Realm<'static, B> {
    fn advance(&mut self, mut ram: SharedRam, pages: usize) -> Result<Progress, Trouble> {
        Ok(Realm::advance(self, &mut ram, pages)?)
    }

    fn populate(&mut self, mut ram: SharedRam, ipa: Ipa) -> Result<usize, Trouble> {
        Ok(self.populate_on_fault(&mut ram, ipa)?)
    }

    fn share(&mut self, mut ram: SharedRam, ipa: Ipa) -> Result<usize, Trouble> {
        Ok(self.share_on_fault(&mut ram, ipa)?)
    }

    fn device_address(&mut self, mut ram: SharedRam, ipa: Ipa) -> Option<PhysAddr> {
        // Memory of the Realm's alias, which it hands to nobody as a reference.
        if let Some(at) = self.shared_address(ipa) {
            return Some(at);
        }
        // The Realm may give a buffer away before it touches it.
        let space = self.spec().ipa;
        let alias = space.shared(space.strip(ipa));
        self.share_on_fault(&mut ram, alias).ok()?;
        self.shared_address(ipa)
    }

    fn convert(
        &mut self,
        mut ram: SharedRam,
        vcpu: u32,
        (base, top): (Ipa, Ipa),
        ripas: Ripas,
    ) -> Result<RipasAnswer, Trouble> {
        Ok(self.ripas_change(&mut ram, vcpu, base, top, ripas)?)
    }

    fn psci_complete(
        &mut self,
        calling: u32,
        target: u32,
        answer: PsciAnswer,
    ) -> Result<(), Trouble> {
        Ok(Realm::psci_complete(self, calling, target, answer)?)
    }

    fn take_down(&mut self, mut ram: SharedRam) -> Option<Teardown> {
        self.stop();
        self.dismantle(&mut ram)
    }

    fn rim(&self, bundle: &Bundle<'_>) -> Option<Rim> {
        Realm::rim(self, bundle, &CpuSha256::new()).ok()
    }

    fn rec(&self, vcpu: u32) -> Option<GranuleAddr> {
        Realm::rec(self, vcpu)
    }

    /// The RMM knows.
    fn set_start(&mut self, _: usize, _: Start) {}

    fn engine(&mut self, vcpu: usize, rmm: &Rmm) -> Engines {
        Realm::rec(self, vcpu as u32).map_or(Engines::None, |rec| rmm.engine(rec))
    }
}
