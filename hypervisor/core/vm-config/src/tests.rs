extern crate alloc;
extern crate std;

mod damage;
mod devices;
mod refusals;

use crate::*;
use addr::{GRANULE_SIZE, Ipa, IpaRange};
use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec as HeapVec;

const MIB: u64 = 1 << 20;

fn contents(kind: RegionKind, ipa: u64, size: usize, measured: bool) -> Contents {
    Contents {
        kind,
        ipa: Ipa::new(ipa),
        bytes: (0..size).map(|i| (i as u8) ^ kind as u8).collect(),
        measured,
    }
}

/// A Realm with a kernel, a device tree and an initial file system.
fn linux() -> VmSource {
    let plan = VmPlan {
        name: Name::try_from("linux").unwrap(),
        kind: VmKind::Realm,
        vcpus: 2,
        cpus: Pins::from_slice(&[3, 1]).unwrap(),
        memory: IpaRange::with_size(map::RAM_BASE, 64 * MIB).unwrap(),
        ipa_bits: map::DEFAULT_IPA_BITS,
        entry: map::RAM_BASE,
        x0: 0x4100_0000,
        restarts: 2,
        populate: Populate::Blocks,
        devices: Devices::default(),
        realm: RealmSettings {
            rpv: [7; 64],
            ..RealmSettings::new(map::DEFAULT_IPA_BITS).unwrap()
        },
        regions: Default::default(),
    };
    VmSource {
        plan,
        contents: vec![
            contents(RegionKind::Kernel, 0x4000_0000, 10_000, true),
            contents(RegionKind::Initrd, 0x4200_0000, 5_000, false),
            contents(RegionKind::Dtb, 0x4100_0000, 4_096, true),
        ],
        disks: vec![],
    }
}

/// The VMs of a bundle.
fn vms(bundle: &[u8]) -> HeapVec<VmPlan> {
    let plan = Plan::decode(bundle).unwrap();
    let vms: HeapVec<_> = plan.vms().collect();
    assert_eq!(vms.len(), plan.len());
    vms
}

/// A VM with nothing but a flat binary.
fn payload(name: &str) -> VmSource {
    let mut vm = linux();
    vm.plan.name = Name::try_from(name).unwrap();
    vm.plan.kind = VmKind::Normal;
    vm.plan.populate = Populate::Granules;
    vm.plan.cpus = Pins::new();
    vm.plan.x0 = 0;
    vm.contents = vec![contents(RegionKind::Payload, 0x4000_0000, 4096, true)];
    vm
}

#[test]
fn a_plan_comes_out_of_the_bundle_as_it_went_in() {
    let sources = [linux(), payload("small")];
    let bundle = encode(&sources).unwrap();
    let vms = vms(&bundle);
    assert_eq!(vms.len(), 2);
    for (vm, source) in vms.iter().zip(&sources) {
        let mut expected = source.plan.clone();
        expected.regions = vm.regions.clone();
        assert_eq!(*vm, expected);
    }
    let kinds: HeapVec<_> = vms[0].regions.iter().map(|r| r.kind).collect();
    assert_eq!(
        kinds,
        [RegionKind::Kernel, RegionKind::Dtb, RegionKind::Initrd]
    );
    let measured: HeapVec<_> = vms[0].regions.iter().map(|r| r.measured).collect();
    assert_eq!(measured, [true, true, false]);
}

#[test]
fn contents_lie_at_granules_padded_with_zeros() {
    let sources = [linux(), payload("small")];
    let bundle = encode(&sources).unwrap();
    assert!(bundle.len().is_multiple_of(4096));
    for (vm, source) in vms(&bundle).iter().zip(&sources) {
        for region in &vm.regions {
            assert!(region.offset.is_multiple_of(GRANULE_SIZE));
            let start = region.offset as usize;
            let held = &bundle[start..start + region.range.size() as usize];
            let given = source.contents.iter().find(|c| c.kind == region.kind);
            let given = &given.unwrap().bytes;
            assert_eq!(&held[..given.len()], given.as_slice());
            assert!(held[given.len()..].iter().all(|byte| *byte == 0));
        }
    }
}

#[test]
fn what_several_vms_hold_is_in_the_bundle_once() {
    let alone = encode(&[payload("a")]).unwrap();
    let three = encode(&[payload("a"), payload("b"), payload("c")]).unwrap();
    assert_eq!(alone.len(), three.len());
    let offsets: HeapVec<_> = vms(&three).iter().map(|vm| vm.regions[0].offset).collect();
    assert_eq!(offsets, [4096, 4096, 4096]);
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let sources = [linux(), payload("small")];
    assert_eq!(encode(&sources).unwrap(), encode(&sources).unwrap());
}

#[test]
fn a_table_starts_as_deep_as_possible() {
    let shape = |bits| Geometry::deepest(bits).map(|g| (g.start_level(), g.tables()));
    assert_eq!(shape(31), None);
    assert_eq!(shape(32), Some((2, 4)));
    assert_eq!(shape(33), Some((2, 8)));
    assert_eq!(shape(34), Some((2, 16)));
    assert_eq!(shape(35), Some((1, 1)));
    assert_eq!(shape(40), Some((1, 2)));
    assert_eq!(shape(43), Some((1, 16)));
    assert_eq!(shape(44), Some((0, 1)));
    assert_eq!(shape(48), Some((0, 1)));
    assert_eq!(shape(49), None);
}

#[test]
fn a_start_level_is_refused_where_the_specification_has_no_table() {
    let shape = |bits, level| Geometry::at_level(bits, level).map(Geometry::tables);
    assert_eq!(shape(33, 1), Some(1));
    assert_eq!(shape(33, 0), None);
    assert_eq!(shape(40, 0), Some(1));
    assert_eq!(shape(39, 0), None);
    assert_eq!(shape(35, 2), None);
    assert_eq!(shape(44, 1), None);
    assert_eq!(shape(33, 3), None);
}

#[test]
fn the_shared_alias_has_the_top_address_bit() {
    let vm = linux().plan;
    assert_eq!(vm.shared_alias(map::UART_BASE), Ipa::new(0x1_0900_0000));
    assert_eq!(map::shared_bit(48), 1 << 47);
}
