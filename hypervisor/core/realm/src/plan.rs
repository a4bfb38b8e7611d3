//! From the plan of a VM to the description of a Realm.
//!
//! One translation for the hypervisor, which builds the Realm, and for tools,
//! which tell its measurement in advance.

use crate::rim::PageSource;
use crate::{Image, Populate, RamRequests, RealmSpec, VmId};
use addr::{GRANULE_SIZE, GranuleAddr, PhysAddr};
use rmi::client::Contents;
use rmi::rtt::IpaSpace;
use rmi::v1_0::HashAlgo;
use vm_config::{Hash, VmPlan};

/// A bundle in memory.
#[derive(Clone, Copy, Debug)]
pub struct Bundle<'a> {
    /// Where it starts.
    pub base: PhysAddr,
    /// All of it.
    pub bytes: &'a [u8],
}

impl PageSource for Bundle<'_> {
    fn page(&self, source: GranuleAddr) -> Option<&[u8; GRANULE_SIZE as usize]> {
        let offset = usize::try_from(source.address().offset_from(self.base)?).ok()?;
        self.bytes.get(offset..)?.first_chunk()
    }
}

impl RealmSpec {
    /// The Realm that `vm` asks for, its contents in the bundle at `bundle`.
    /// `None` for what no checked plan has: an unaligned bundle, numbers that
    /// do not fit, more images than [`crate::MAX_IMAGES`].
    pub fn of_plan(vm: &VmPlan, id: VmId, bundle: PhysAddr) -> Option<Self> {
        let mut images = heapless::Vec::new();
        for region in &vm.regions {
            let source = bundle.checked_add(region.offset)?;
            let image = Image {
                ipa: region.range.base(),
                source: GranuleAddr::new(source).ok()?,
                pages: u32::try_from(region.range.size() / GRANULE_SIZE).ok()?,
                contents: match region.measured {
                    true => Contents::Measured,
                    false => Contents::Unmeasured,
                },
            };
            images.push(image).ok()?;
        }
        Some(Self {
            vmid: id.raw(),
            ipa: IpaSpace::new(vm.ipa_bits)?,
            start_level: i8::try_from(vm.realm.geometry.start_level()).ok()?,
            start_tables: vm.realm.geometry.tables(),
            hash: match vm.realm.hash {
                Hash::Sha256 => HashAlgo::Sha256,
                Hash::Sha512 => HashAlgo::Sha512,
            },
            num_bps: vm.realm.num_bps,
            num_wps: vm.realm.num_wps,
            rpv: vm.realm.rpv,
            ram: vm.memory,
            images,
            vcpus: vm.vcpus,
            pc: vm.entry,
            gprs: [vm.x0, 0, 0, 0, 0, 0, 0, 0],
            populate: match vm.populate {
                vm_config::Populate::Blocks => Populate::Block,
                vm_config::Populate::Granules => Populate::Page,
            },
            ram_requests: match vm.realm.ram_requests {
                vm_config::RamRequests::Accept => RamRequests::Accept,
                vm_config::RamRequests::Reject => RamRequests::Reject,
            },
        })
    }
}

#[cfg(test)]
mod tests;
