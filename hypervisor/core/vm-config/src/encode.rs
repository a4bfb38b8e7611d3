//! From plans and contents to a bundle, on the build host.

extern crate alloc;

use crate::devices::SECTOR;
use crate::error::{ConfigError, Problem};
use crate::plan::{Region, RegionKind, VmPlan};
use crate::{COMPATIBLE, MAX_DESCRIPTION, Plan, check};
use addr::{GRANULE_SIZE, IpaRange};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use dtoolkit::ToPropertyValue;
use dtoolkit::model::{DeviceTree, DeviceTreeNode, DeviceTreeProperty};

/// A VM and the contents of its regions.
#[derive(Clone, Debug)]
pub struct VmSource {
    /// The VM; `regions` and `devices.disks` are ignored.
    pub plan: VmPlan,
    /// What its memory holds at first.
    pub contents: Vec<Contents>,
    /// Its disks.
    pub disks: Vec<DiskImage>,
}

/// A disk and what it holds at first.
#[derive(Clone, Debug)]
pub struct DiskImage {
    /// What it holds.
    pub contents: DiskContents,
    /// Whether the guest can only read it.
    pub readonly: bool,
}

/// What a disk holds at first.
#[derive(Clone, Debug)]
pub enum DiskContents {
    /// So many zeros.
    Zeros(u64),
    /// These bytes, and zeros up to a whole sector.
    Bytes(Vec<u8>),
}

impl DiskImage {
    fn size(&self) -> u64 {
        match &self.contents {
            DiskContents::Zeros(size) => *size,
            DiskContents::Bytes(bytes) => (bytes.len() as u64).next_multiple_of(SECTOR),
        }
    }

    fn bytes(&self) -> Option<&[u8]> {
        match &self.contents {
            DiskContents::Zeros(_) => None,
            DiskContents::Bytes(bytes) => Some(bytes),
        }
    }
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

/// The bundle of `vms`; the same for the same input. What several of them hold,
/// such as a kernel, is in it once.
pub fn encode(vms: &[VmSource]) -> Result<Vec<u8>, ConfigError> {
    // Offsets have a fixed width, so the first pass finds the size of the
    // description and the second one fills them in.
    let places = Places::new(vms);
    let size = describe(vms, &places, 0)?.len();
    if size > MAX_DESCRIPTION {
        return Err(Problem::TooManyRegions.of_bundle());
    }
    let base = pages(size);
    let mut bundle = describe(vms, &places, base)?;
    bundle.resize(base, 0);
    for bytes in &places.order {
        bundle.extend_from_slice(bytes);
        bundle.resize(pages(bundle.len()), 0);
    }
    Plan::decode(&bundle)?;
    Ok(bundle)
}

impl VmSource {
    /// What the bundle has to hold for it.
    fn bytes(&self) -> impl Iterator<Item = &[u8]> {
        let contents = self.contents.iter().map(|region| region.bytes.as_slice());
        contents.chain(self.disks.iter().filter_map(DiskImage::bytes))
    }
}

/// Where contents lie, from the first of them on.
#[derive(Default)]
struct Places<'a> {
    offsets: BTreeMap<&'a [u8], usize>,
    order: Vec<&'a [u8]>,
    size: usize,
}

impl<'a> Places<'a> {
    fn new(vms: &'a [VmSource]) -> Self {
        let mut places = Self::default();
        for bytes in vms.iter().flat_map(VmSource::bytes) {
            if !places.offsets.contains_key(bytes) {
                places.offsets.insert(bytes, places.size);
                places.order.push(bytes);
                places.size += pages(bytes.len());
            }
        }
        places
    }

    fn of(&self, bytes: &[u8]) -> usize {
        self.offsets.get(bytes).copied().unwrap_or_default()
    }
}

/// `size` rounded up to whole granules.
fn pages(size: usize) -> usize {
    size.next_multiple_of(GRANULE_SIZE as usize)
}

/// The description, with contents at their places from `base` on.
fn describe(vms: &[VmSource], places: &Places<'_>, base: usize) -> Result<Vec<u8>, ConfigError> {
    let mut tree = DeviceTree::new();
    set(&mut tree.root, "compatible", COMPATIBLE);
    for (index, vm) in vms.iter().enumerate() {
        let mut node = describe_vm(&vm.plan, index);
        for (index, contents) in vm.contents.iter().enumerate() {
            let region = contents
                .place(base + places.of(&contents.bytes))
                .and_then(|region| {
                    check::check_placement(region.kind, region.range, vm.plan.memory)?;
                    Ok(region)
                })
                .map_err(|problem| problem.of(&vm.plan.name))?;
            node.add_child(describe_region(&region, index));
        }
        for (index, disk) in vm.disks.iter().enumerate() {
            let offset = disk.bytes().map(|bytes| (base + places.of(bytes)) as u64);
            node.add_child(describe_disk(disk, offset, index));
        }
        tree.root.add_child(node);
    }
    Ok(tree.to_dtb())
}

impl Contents {
    fn place(&self, offset: usize) -> Result<Region, Problem> {
        let size = pages(self.bytes.len());
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
    if !vm.cpus.is_empty() {
        set(n, "cpus", vm.cpus.as_slice());
    }
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
    set(n, "cpu-on", realm.cpu_on.word());
    let devices = &vm.devices;
    set_if(n, "console", devices.console);
    set_if(n, "entropy", devices.entropy);
    if let Some(mac) = devices.net {
        set(n, "mac", mac.0);
    }
    node
}

fn describe_region(region: &Region, index: usize) -> DeviceTreeNode {
    let mut node = DeviceTreeNode::new_unchecked(format!("region@{index}"));
    let n = &mut node;
    set(n, "kind", region.kind.word());
    set(n, "ipa", region.range.base().raw());
    set(n, "size", region.range.size());
    set(n, "offset", region.offset);
    set_if(n, "measured", region.measured);
    node
}

fn describe_disk(disk: &DiskImage, offset: Option<u64>, index: usize) -> DeviceTreeNode {
    let mut node = DeviceTreeNode::new_unchecked(format!("disk@{index}"));
    let n = &mut node;
    set(n, "size", disk.size());
    if let Some(offset) = offset {
        set(n, "offset", offset);
    }
    set_if(n, "readonly", disk.readonly);
    node
}

/// A property that says all by being there.
fn set_if(node: &mut DeviceTreeNode, name: &str, present: bool) {
    if present {
        set(node, name, [0u8; 0]);
    }
}

fn set(node: &mut DeviceTreeNode, name: &str, value: impl ToPropertyValue) {
    node.add_property(DeviceTreeProperty::new_unchecked(String::from(name), value));
}
