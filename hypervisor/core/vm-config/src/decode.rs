//! From a bundle to a plan.

use crate::check::Claims;
use crate::devices::{Devices, Disk, MAX_DISKS, Mac};
use crate::error::{ConfigError, Problem};
use crate::geometry::Geometry;
use crate::plan::{
    CpuOn, Hash, MAX_REGIONS, MAX_VMS, Name, Pins, Populate, RamRequests, RealmSettings, Region,
    RegionKind, VmKind, VmPlan,
};
use crate::{COMPATIBLE, MAX_DESCRIPTION};
use addr::{GRANULE_SIZE, Ipa, IpaRange};
use dtoolkit::fdt::{Fdt, FdtNode};
use dtoolkit::standard::NodeStandard;
use dtoolkit::{FromPropertyValue, Node, Property};
use heapless::Vec;

/// Everything that is to run: a bundle whose every VM was read and checked.
///
/// It holds no VM itself, so that it costs little wherever it is kept: each
/// turn of [`Plan::vms`] reads one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Plan<'a> {
    /// `None` without a bundle.
    bundle: Option<(Fdt<'a>, Payload)>,
    len: usize,
}

impl<'a> Plan<'a> {
    /// Reads and checks the plan that `bundle` starts with; `bundle` includes
    /// the contents of all regions and disks.
    pub fn decode(bundle: &'a [u8]) -> Result<Self, ConfigError> {
        let (description, fdt) = description(bundle).map_err(Problem::of_bundle)?;
        if !fdt.root().is_compatible(COMPATIBLE) {
            return Err(Problem::Damaged("it is of another format").of_bundle());
        }
        let payload = Payload {
            base: description.next_multiple_of(GRANULE_SIZE),
            top: bundle.len() as u64,
        };
        let mut claims = Claims::default();
        let mut len = 0;
        for node in vm_nodes(fdt) {
            if len == MAX_VMS {
                return Err(Problem::TooManyVms.of_bundle());
            }
            let vm = decode_vm(&node, payload)?;
            vm.check()?;
            claims.add(&vm, get(&node, "name").unwrap_or_default())?;
            len += 1;
        }
        if len == 0 {
            return Err(Problem::NoVm.of_bundle());
        }
        Ok(Self {
            bundle: Some((fdt, payload)),
            len,
        })
    }

    /// The VMs, in the order of the bundle. Their names differ, as do the
    /// addresses of their network interfaces, and no physical CPU is dedicated
    /// to two of them.
    pub fn vms(&self) -> impl Iterator<Item = VmPlan> + use<'a> {
        self.bundle.into_iter().flat_map(|(fdt, payload)| {
            // `decode` has read every one of them before.
            vm_nodes(fdt).filter_map(move |node| decode_vm(&node, payload).ok())
        })
    }

    /// The number of VMs.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there is nothing to run.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }
}

fn vm_nodes(fdt: Fdt<'_>) -> impl Iterator<Item = FdtNode<'_>> {
    let children = fdt.root().children();
    children.filter(|node| node.name_without_address() == "vm")
}

/// Where in the bundle contents may lie.
#[derive(Clone, Copy, Debug)]
struct Payload {
    base: u64,
    top: u64,
}

impl Payload {
    /// Whether `size` bytes at `offset` are all there.
    fn holds(self, offset: u64, size: u64) -> bool {
        let top = offset.checked_add(size);
        offset >= self.base && top.is_some_and(|top| top <= self.top)
    }
}

/// The size of the description and its tree, checked from end to end.
fn description(bundle: &[u8]) -> Result<(u64, Fdt<'_>), Problem> {
    let word = |at: usize| -> Option<u32> {
        let bytes = bundle.get(at..at + 4)?;
        Some(u32::from_be_bytes(bytes.try_into().ok()?))
    };
    if word(0) != Some(0xd00d_feed) {
        return Err(Problem::Damaged("it does not start with a device tree"));
    }
    let size = word(4).map_or(usize::MAX, |size| size as usize);
    if size > MAX_DESCRIPTION {
        return Err(Problem::Damaged("it is larger than 256 KiB"));
    }
    let blob = bundle
        .get(..size)
        .ok_or(Problem::Damaged("it ends too early"))?;
    let fdt = Fdt::new(blob).map_err(|_| Problem::Damaged("its structure is unsound"))?;
    Ok((size as u64, fdt))
}

fn decode_vm(node: &FdtNode<'_>, payload: Payload) -> Result<VmPlan, ConfigError> {
    let name = get::<&str>(node, "name")
        .ok()
        .and_then(|name| Name::try_from(name).ok())
        .ok_or_else(|| Problem::BadName.of_bundle())?;
    decode_named(node, payload, name.clone()).map_err(|problem| problem.of(&name))
}

fn decode_named(node: &FdtNode<'_>, payload: Payload, name: Name) -> Result<VmPlan, Problem> {
    let (base, size) = (get(node, "memory-base")?, get(node, "memory-size")?);
    let memory =
        IpaRange::with_size(Ipa::new(base), size).map_err(|_| Problem::BadMemory { base, size })?;
    let wide: u32 = get(node, "ipa-bits")?;
    let ipa_bits = u8::try_from(wide).map_err(|_| Problem::BadIpaBits(wide))?;
    Ok(VmPlan {
        name,
        kind: word(node, "kind", VmKind::from_word, VmKind::WORDS)?,
        vcpus: get(node, "vcpus")?,
        cpus: decode_pins(node)?,
        memory,
        ipa_bits,
        entry: Ipa::new(get(node, "entry")?),
        x0: get(node, "x0")?,
        restarts: get(node, "restarts")?,
        populate: word(node, "populate", Populate::from_word, Populate::WORDS)?,
        realm: decode_realm(node, ipa_bits)?,
        devices: decode_devices(node, payload)?,
        regions: decode_regions(node, payload)?,
    })
}

/// One byte per vCPU: the CPU it is pinned to. Nothing at all if none is.
fn decode_pins(node: &FdtNode<'_>) -> Result<Pins, Problem> {
    match node.property("cpus") {
        Some(list) => Pins::from_slice(list.value()).map_err(|_| Problem::BadProperty("cpus")),
        None => Ok(Pins::new()),
    }
}

fn decode_devices(node: &FdtNode<'_>, payload: Payload) -> Result<Devices, Problem> {
    let net = match node.property("mac") {
        Some(_) => Some(Mac(get(node, "mac")?)),
        None => None,
    };
    Ok(Devices {
        console: node.property("console").is_some(),
        entropy: node.property("entropy").is_some(),
        net,
        disks: decode_disks(node, payload)?,
    })
}

fn decode_disks(node: &FdtNode<'_>, payload: Payload) -> Result<Vec<Disk, MAX_DISKS>, Problem> {
    let mut disks = Vec::new();
    for child in node.children() {
        if child.name_without_address() != "disk" {
            continue;
        }
        let size = get(&child, "size")?;
        let offset = match child.property("offset") {
            Some(_) => Some(get(&child, "offset")?),
            None => None,
        };
        if offset.is_some_and(|offset| !payload.holds(offset, size)) {
            return Err(Problem::BadDisk(
                disks.len(),
                "does not lie inside the bundle",
            ));
        }
        let disk = Disk {
            size,
            offset,
            readonly: child.property("readonly").is_some(),
        };
        disks.push(disk).map_err(|_| Problem::TooManyDisks)?;
    }
    Ok(disks)
}

fn decode_realm(node: &FdtNode<'_>, ipa_bits: u8) -> Result<RealmSettings, Problem> {
    let start_level: u32 = get(node, "rtt-start-level")?;
    if Geometry::deepest(ipa_bits).is_none() {
        return Err(Problem::BadIpaBits(ipa_bits.into()));
    }
    let geometry = u8::try_from(start_level)
        .ok()
        .and_then(|level| Geometry::at_level(ipa_bits, level))
        .ok_or(Problem::BadGeometry {
            ipa_bits,
            start_level,
        })?;
    let small = |property: &'static str, which: &'static str| {
        let number: u32 = get(node, property)?;
        u8::try_from(number).map_err(|_| Problem::BadDebug(which))
    };
    Ok(RealmSettings {
        geometry,
        hash: word(node, "hash", Hash::from_word, Hash::WORDS)?,
        num_bps: small("num-bps", "breakpoints")?,
        num_wps: small("num-wps", "watchpoints")?,
        rpv: get(node, "rpv")?,
        ram_requests: word(
            node,
            "ram-requests",
            RamRequests::from_word,
            RamRequests::WORDS,
        )?,
        cpu_on: word(node, "cpu-on", CpuOn::from_word, CpuOn::WORDS)?,
    })
}

fn decode_regions(
    node: &FdtNode<'_>,
    payload: Payload,
) -> Result<Vec<Region, MAX_REGIONS>, Problem> {
    let mut regions: Vec<Region, MAX_REGIONS> = Vec::new();
    for child in node.children() {
        if child.name_without_address() != "region" {
            continue;
        }
        let kind = word(&child, "kind", RegionKind::from_word, RegionKind::WORDS)?;
        let (ipa, size): (u64, u64) = (get(&child, "ipa")?, get(&child, "size")?);
        let offset: u64 = get(&child, "offset")?;
        let range =
            IpaRange::with_size(Ipa::new(ipa), size).map_err(|_| Problem::BadRegion(kind))?;
        if !payload.holds(offset, size) {
            return Err(Problem::OutsideBundle(kind));
        }
        let region = Region {
            kind,
            range,
            offset,
            measured: child.property("measured").is_some(),
        };
        regions.push(region).map_err(|_| Problem::TooManyRegions)?;
    }
    regions.sort_unstable_by_key(|region| region.range.base());
    Ok(regions)
}

fn get<'a, T: FromPropertyValue<'a>>(
    node: &FdtNode<'a>,
    property: &'static str,
) -> Result<T, Problem> {
    node.property(property)
        .and_then(|property| property.value_as::<T>().ok())
        .ok_or(Problem::BadProperty(property))
}

fn word<T>(
    node: &FdtNode<'_>,
    property: &'static str,
    parse: impl Fn(&str) -> Option<T>,
    known: &'static [&'static str],
) -> Result<T, Problem> {
    let word = get::<&str>(node, property)?;
    parse(word).ok_or(Problem::UnknownWord { property, known })
}
