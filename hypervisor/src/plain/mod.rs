//! Plain VMs: their memory and vCPUs on this machine.
//!
//! [`PlainVm`] has the life of a `realm::Realm`: it is built in steps, populated on
//! fault, taken down, and may be built again. What it decides is in the crate
//! `plain`.

use alloc::boxed::Box;

use addr::{GranuleAddr, Ipa, PhysAddr};
use heapless::Vec;
use plain::psci::{Caller, Start};
use plain::{GuestMemory, IdRegisters, MemoryError, Spec, Vcpu};
use realm::plan::Bundle;
use realm::rim::Rim;
use realm::{Progress, RipasAnswer, Teardown};
use rmi::client::PsciAnswer;
use rmi::rtt::Ripas;
use stage2::{Features, Vmid, Vmids};
use vm_config::{MAX_VCPUS, VmPlan};

use crate::arch::guest::{self, PlainVcpu};
use crate::arch::stage2::{Caches, features};
use crate::memory::SharedRam;
use crate::rmm::Rmm;
use crate::vm::{Engines, Guest, Trouble};

/// A plain VM. It has its VMID for as long as the machine runs.
pub struct PlainVm {
    memory: GuestMemory,
    bundle: Bundle<'static>,
    features: Features,
    ids: IdRegisters,
    vmid: Vmid,
    /// Where vCPU 0 starts.
    first: Start,
    /// Where vCPUs that were turned on and did not run yet start.
    starts: Vec<Option<Start>, { MAX_VCPUS as usize }>,
}

impl PlainVm {
    /// The VM that `vm` describes, with nothing built. `None` if its description
    /// does not fit this hypervisor, or every VMID is taken.
    pub fn new(bundle: Bundle<'static>, vm: &VmPlan, vmids: &mut Vmids) -> Option<Self> {
        let first = Start {
            entry: vm.entry.raw(),
            context_id: vm.x0,
        };
        let mut starts = Vec::new();
        starts.resize(vm.vcpus as usize, None).ok()?;
        Some(Self {
            memory: GuestMemory::new(Spec::of_plan(vm, bundle.base)?),
            bundle,
            features: features(),
            ids: guest::id_registers(),
            vmid: vmids.take()?,
            first,
            starts,
        })
    }

    /// vCPU `index`, reset, to start as it was told to; `None` if it was not, or
    /// the VM is not built.
    fn vcpu(&mut self, index: usize) -> Option<PlainVcpu> {
        let caller = Caller {
            vcpu: index,
            vcpus: self.starts.len(),
            ram: self.memory.ram(),
        };
        let stage2 = self.memory.registers()?;
        let start = self.starts.get_mut(index)?.take()?;
        Some(PlainVcpu::new(Vcpu::new(caller, self.ids), stage2, start))
    }
}

impl Guest for PlainVm {
    fn advance(&mut self, mut ram: SharedRam, pages: usize) -> Result<Progress, Trouble> {
        self.memory
            .create(&mut ram, &mut Caches, self.features, &self.vmid)?;
        if let Some(first) = self.starts.first_mut() {
            *first = Some(self.first);
        }
        Ok(self
            .memory
            .advance(&mut ram, &mut Caches, &self.bundle, pages)?)
    }

    fn populate(&mut self, mut ram: SharedRam, ipa: Ipa) -> Result<usize, Trouble> {
        Ok(self.memory.populate_on_fault(&mut ram, &mut Caches, ipa)?)
    }

    /// A plain VM shares all it has.
    fn share(&mut self, _: SharedRam, ipa: Ipa) -> Result<usize, Trouble> {
        Err(MemoryError::NotRam(ipa).into())
    }

    fn device_address(&mut self, mut ram: SharedRam, ipa: Ipa) -> Option<PhysAddr> {
        // Memory of the VM, which the hypervisor refers to by address only.
        if let Some(at) = self.memory.translate(&ram, ipa) {
            return Some(at);
        }
        // The guest may give a buffer away before it touches it.
        self.memory
            .populate_on_fault(&mut ram, &mut Caches, ipa)
            .ok()?;
        self.memory.translate(&ram, ipa)
    }

    /// A plain VM has no RIPAS.
    fn convert(
        &mut self,
        _: SharedRam,
        _: u32,
        _: (Ipa, Ipa),
        _: Ripas,
    ) -> Result<RipasAnswer, Trouble> {
        Ok(RipasAnswer::Reject)
    }

    /// Nobody but the host has to know.
    fn psci_complete(&mut self, _: u32, _: u32, _: PsciAnswer) -> Result<(), Trouble> {
        Ok(())
    }

    fn set_start(&mut self, vcpu: usize, start: Start) {
        if let Some(place) = self.starts.get_mut(vcpu) {
            *place = Some(start);
        }
    }

    /// No RMM has to be asked, so that it is one step.
    fn take_down(&mut self, mut ram: SharedRam) -> Option<Teardown> {
        self.starts.fill(None);
        Some(self.memory.teardown(&mut ram, &mut Caches))
    }

    fn rim(&self, _: &Bundle<'_>) -> Option<Rim> {
        None
    }

    fn rec(&self, _: u32) -> Option<GranuleAddr> {
        None
    }

    fn engine(&mut self, vcpu: usize, _: &Rmm) -> Engines {
        self.vcpu(vcpu)
            .map_or(Engines::None, |vcpu| Engines::Plain(Box::new(vcpu)))
    }
}
