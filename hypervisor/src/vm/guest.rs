//! A VM's memory and its life, whatever kind of VM it is and whatever dialect its
//! RMM speaks. One set of calls for all kinds keeps the rest of the hypervisor
//! in the image once.

use addr::{GranuleAddr, Ipa, PhysAddr};
use realm::intent::Backend;
use realm::plan::Bundle;
use realm::rim::Rim;
use realm::{Fault, Progress, Realm, RealmError, RipasAnswer, Teardown};
use rmi::client::PsciAnswer;
use rmi::rtt::Ripas;

use crate::arch::sha256::CpuSha256;
use crate::memory::SharedRam;

/// What can be done with a VM's memory and life.
pub trait Guest: Send {
    /// Does one step of building, copying at most `pages` pages.
    fn advance(&mut self, ram: SharedRam, pages: usize) -> Result<Progress, RealmError>;

    /// Provides the RAM that a fault at `ipa` asks for; returns how many pages.
    fn populate(&mut self, ram: SharedRam, ipa: Ipa) -> Result<usize, Fault>;

    /// Provides the shared memory that a fault at `ipa` asks for.
    fn share(&mut self, ram: SharedRam, ipa: Ipa) -> Result<usize, Fault>;

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
    ) -> Result<RipasAnswer, RealmError>;

    /// Completes the PSCI call of `calling` that named vCPU `target`.
    fn psci_complete(
        &mut self,
        calling: u32,
        target: u32,
        answer: PsciAnswer,
    ) -> Result<(), RealmError>;

    /// Takes it down, from whatever state. No vCPU may be running.
    fn take_down(&mut self, ram: SharedRam) -> Teardown;

    /// The initial measurement that follows from the calls made, if it has one.
    fn rim(&self, bundle: &Bundle<'_>) -> Option<Rim>;

    /// The granule of REC `vcpu`, where there is one.
    fn rec(&self, vcpu: u32) -> Option<GranuleAddr>;
}

impl<B: Backend + Sync> Guest for Realm<'static, B> {
    fn advance(&mut self, mut ram: SharedRam, pages: usize) -> Result<Progress, RealmError> {
        Realm::advance(self, &mut ram, pages)
    }

    fn populate(&mut self, mut ram: SharedRam, ipa: Ipa) -> Result<usize, Fault> {
        self.populate_on_fault(&mut ram, ipa)
    }

    fn share(&mut self, mut ram: SharedRam, ipa: Ipa) -> Result<usize, Fault> {
        self.share_on_fault(&mut ram, ipa)
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
    ) -> Result<RipasAnswer, RealmError> {
        self.ripas_change(&mut ram, vcpu, base, top, ripas)
    }

    fn psci_complete(
        &mut self,
        calling: u32,
        target: u32,
        answer: PsciAnswer,
    ) -> Result<(), RealmError> {
        Realm::psci_complete(self, calling, target, answer)
    }

    fn take_down(&mut self, mut ram: SharedRam) -> Teardown {
        self.stop();
        self.teardown(&mut ram)
    }

    fn rim(&self, bundle: &Bundle<'_>) -> Option<Rim> {
        Realm::rim(self, bundle, &CpuSha256::new()).ok()
    }

    fn rec(&self, vcpu: u32) -> Option<GranuleAddr> {
        Realm::rec(self, vcpu)
    }
}
