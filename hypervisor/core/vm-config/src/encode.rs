//! From plans and contents to a bundle, on the build host.

extern crate alloc;

use crate::error::{ConfigError, Problem};
use crate::plan::{Plan, Region, RegionKind, VmPlan};
use crate::{COMPATIBLE, MAX_DESCRIPTION, check};
use addr::{GRANULE_SIZE, IpaRange};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use dtoolkit::ToPropertyValue;
use dtoolkit::model::{DeviceTree, DeviceTreeNode, DeviceTreeProperty};

/// A VM and the contents of its regions.
#[derive(Clone, Debug)]
pub struct VmSource {
    /// The VM; `regions` is ignored.
    pub plan: VmPlan,
    /// What its memory holds at first.
    pub contents: Vec<Contents>,
}

/// The contents of a region.
#[derive(Clone, Debug)]
pub struct Contents {
    /// What they are.
    pub kind: RegionKind,
    /// Where the guest finds them: a granule.
    pub ipa: addr::Ipa,
    /// The bytes, which need not fill whole granules.
    pub bytes: Vec<u8>,
    /// Whether they are part of the measurement.
    pub measured: bool,
}

/// The bundle of `vms`; the same for the same input.
pub fn encode(vms: &[VmSource]) -> Result<Vec<u8>, ConfigError> {
    // Offsets have a fixed width, so the first pass finds the size of the
    // description and the second one fills them in.
    let size = describe(vms, 0)?.len();
    if size > MAX_DESCRIPTION {
        return Err(Problem::TooManyRegions.of_bundle());
    }
    let base = pages(size);
    let mut bundle = describe(vms, base)?;
    bundle.resize(base, 0);
    for contents in vms.iter().flat_map(|vm| &vm.contents) {
        bundle.extend_from_slice(&contents.bytes);
        bundle.resize(pages(bundle.len()), 0);
    }
    Plan::decode(&bundle)?;
    Ok(bundle)
}

/// `size` rounded up to whole granules.
fn pages(size: usize) -> usize {
    size.next_multiple_of(GRANULE_SIZE as usize)
}

/// The description, with contents laid one after the other from `offset`.
fn describe(vms: &[VmSource], mut offset: usize) -> Result<Vec<u8>, ConfigError> {
    let mut tree = DeviceTree::new();
    set(&mut tree.root, "compatible", COMPATIBLE);
    for (index, vm) in vms.iter().enumerate() {
        let mut node = describe_vm(&vm.plan, index);
        for (index, contents) in vm.contents.iter().enumerate() {
            let size = pages(contents.bytes.len());
            let region = contents
                .place(size, offset)
                .and_then(|region| {
                    check::check_placement(region.kind, region.range, vm.plan.memory)?;
                    Ok(region)
                })
                .map_err(|problem| problem.of(&vm.plan.name))?;
            node.add_child(describe_region(&region, index));
            offset += size;
        }
        tree.root.add_child(node);
    }
    Ok(tree.to_dtb())
}

impl Contents {
    fn place(&self, size: usize, offset: usize) -> Result<Region, Problem> {
        let range = IpaRange::with_size(self.ipa, size as u64)
            .map_err(|_| Problem::BadRegion(self.kind))?;
        Ok(Region {
            kind: self.kind,
            range,
            offset: offset as u64,
            measured: self.measured,
        })
    }
}

fn describe_vm(vm: &VmPlan, index: usize) -> DeviceTreeNode {
    let mut node = DeviceTreeNode::new_unchecked(format!("vm@{index}"));
    let n = &mut node;
    set(n, "name", vm.name.as_str());
    set(n, "kind", vm.kind.word());
    set(n, "vcpus", vm.vcpus);
    set(n, "memory-base", vm.memory.base().raw());
    set(n, "memory-size", vm.memory.size());
    set(n, "ipa-bits", u32::from(vm.ipa_bits));
    set(n, "entry", vm.entry.raw());
    set(n, "x0", vm.x0);
    set(n, "restarts", vm.restarts);
    set(n, "populate", vm.populate.word());
    let realm = &vm.realm;
    set(
        n,
        "rtt-start-level",
        u32::from(realm.geometry.start_level()),
    );
    set(n, "hash", realm.hash.word());
    set(n, "num-bps", u32::from(realm.num_bps));
    set(n, "num-wps", u32::from(realm.num_wps));
    set(n, "rpv", realm.rpv);
    set(n, "ram-requests", realm.ram_requests.word());
    node
}

fn describe_region(region: &Region, index: usize) -> DeviceTreeNode {
    let mut node = DeviceTreeNode::new_unchecked(format!("region@{index}"));
    let n = &mut node;
    set(n, "kind", region.kind.word());
    set(n, "ipa", region.range.base().raw());
    set(n, "size", region.range.size());
    set(n, "offset", region.offset);
    if region.measured {
        set(n, "measured", [0u8; 0]);
    }
    node
}

fn set(node: &mut DeviceTreeNode, name: &str, value: impl ToPropertyValue) {
    node.add_property(DeviceTreeProperty::new_unchecked(String::from(name), value));
}
