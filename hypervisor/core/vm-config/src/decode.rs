//! From a bundle to a plan.

use crate::error::{ConfigError, Problem};
use crate::geometry::Geometry;
use crate::plan::{
    Hash, MAX_REGIONS, Name, Plan, Populate, RamRequests, RealmSettings, Region, RegionKind,
    VmKind, VmPlan,
};
use crate::{COMPATIBLE, MAX_DESCRIPTION};
use addr::{GRANULE_SIZE, Ipa, IpaRange};
use dtoolkit::fdt::{Fdt, FdtNode};
use dtoolkit::standard::NodeStandard;
use dtoolkit::{FromPropertyValue, Node, Property};
use heapless::Vec;

impl Plan {
    /// Reads and checks the plan that `bundle` starts with; `bundle` includes
    /// the contents of all regions.
    pub fn decode(bundle: &[u8]) -> Result<Self, ConfigError> {
        let (description, fdt) = description(bundle).map_err(Problem::of_bundle)?;
        let root = fdt.root();
        if !root.is_compatible(COMPATIBLE) {
            return Err(Problem::Damaged("it is of another format").of_bundle());
        }
        let payload = Payload {
            base: description.next_multiple_of(GRANULE_SIZE),
            top: bundle.len() as u64,
        };
        let mut plan = Self::default();
        for node in root.children() {
            if node.name_without_address() != "vm" {
                continue;
            }
            let vm = decode_vm(&node, &payload)?;
            plan.vms
                .push(vm)
                .map_err(|_| Problem::TooManyVms.of_bundle())?;
        }
        if plan.vms.is_empty() {
            return Err(Problem::NoVm.of_bundle());
        }
        plan.check()?;
        Ok(plan)
    }
}

/// Where in the bundle the contents of regions may lie.
struct Payload {
    base: u64,
    top: u64,
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
        return Err(Problem::Damaged("it is larger than 64 KiB"));
    }
    let blob = bundle
        .get(..size)
        .ok_or(Problem::Damaged("it ends too early"))?;
    let fdt = Fdt::new(blob).map_err(|_| Problem::Damaged("its structure is unsound"))?;
    Ok((size as u64, fdt))
}

fn decode_vm(node: &FdtNode<'_>, payload: &Payload) -> Result<VmPlan, ConfigError> {
    let name = get::<&str>(node, "name")
        .ok()
        .and_then(|name| Name::try_from(name).ok())
        .ok_or_else(|| Problem::BadName.of_bundle())?;
    decode_named(node, payload, name.clone()).map_err(|problem| problem.of(&name))
}

fn decode_named(node: &FdtNode<'_>, payload: &Payload, name: Name) -> Result<VmPlan, Problem> {
    let (base, size) = (get(node, "memory-base")?, get(node, "memory-size")?);
    let memory =
        IpaRange::with_size(Ipa::new(base), size).map_err(|_| Problem::BadMemory { base, size })?;
    let wide: u32 = get(node, "ipa-bits")?;
    let ipa_bits = u8::try_from(wide).map_err(|_| Problem::BadIpaBits(wide))?;
    let regions = decode_regions(node, payload)?;
    Ok(VmPlan {
        name,
        kind: word(node, "kind", VmKind::from_word, VmKind::WORDS)?,
        vcpus: get(node, "vcpus")?,
        memory,
        ipa_bits,
        entry: Ipa::new(get(node, "entry")?),
        x0: get(node, "x0")?,
        restarts: get(node, "restarts")?,
        populate: word(node, "populate", Populate::from_word, Populate::WORDS)?,
        realm: decode_realm(node, ipa_bits)?,
        regions,
    })
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
    })
}

fn decode_regions(
    node: &FdtNode<'_>,
    payload: &Payload,
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
        let top = offset.checked_add(size);
        if offset < payload.base || top.is_none_or(|top| top > payload.top) {
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
