use super::*;
use addr::{Ipa, IpaRange};
use vm_config::{Name, RealmSettings, Region, RegionKind, VmKind};

const BUNDLE: PhysAddr = PhysAddr::new(0x6008_0000);

fn range(base: u64, size: u64) -> IpaRange {
    IpaRange::with_size(Ipa::new(base), size).unwrap()
}

fn plan() -> VmPlan {
    let mut regions = heapless::Vec::new();
    for (kind, base, size, offset, measured) in [
        (RegionKind::Kernel, 0x4000_0000, 0x3000, 0x1000, true),
        (RegionKind::Initrd, 0x4020_0000, 0x1000, 0x4000, false),
    ] {
        let region = Region {
            kind,
            range: range(base, size),
            offset,
            measured,
        };
        regions.push(region).unwrap();
    }
    VmPlan {
        name: Name::try_from("vm").unwrap(),
        kind: VmKind::Realm,
        vcpus: 1,
        cpus: Default::default(),
        memory: range(0x4000_0000, 64 << 20),
        ipa_bits: 33,
        entry: Ipa::new(0x4000_0000),
        x0: 0x4100_0000,
        restarts: 0,
        populate: vm_config::Populate::Granules,
        devices: Default::default(),
        realm: RealmSettings::new(33).unwrap(),
        regions,
    }
}

#[test]
fn a_checked_plan_becomes_a_description_that_is_right() {
    let vm = plan();
    vm.check().unwrap();
    let spec = RealmSpec::of_plan(&vm, VmId::new(3).unwrap(), BUNDLE).unwrap();
    assert_eq!(spec.check(), Ok(()));
    assert_eq!((spec.vmid, spec.start_level, spec.start_tables), (3, 2, 8));
    assert_eq!(spec.gprs, [0x4100_0000, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(spec.populate, Populate::Page);
    let images = spec
        .images
        .iter()
        .map(|i| (i.source.raw(), i.pages, i.contents));
    assert!(images.eq([
        (0x6008_1000, 3, Contents::Measured),
        (0x6008_4000, 1, Contents::Unmeasured),
    ]));
}

#[test]
fn a_bundle_off_a_page_boundary_gives_no_description() {
    let base = PhysAddr::new(0x6008_0800);
    assert!(RealmSpec::of_plan(&plan(), VmId::new(1).unwrap(), base).is_none());
}

#[test]
fn a_bundle_lends_only_pages_that_are_wholly_in_it() {
    let bytes = [7; 0x2800];
    let bundle = Bundle {
        base: BUNDLE,
        bytes: &bytes,
    };
    let at = |raw| bundle.page(GranuleAddr::from_raw(raw).unwrap());
    assert_eq!(at(0x6008_1000), Some(&[7; 0x1000]));
    assert_eq!(at(0x6008_2000), None);
    assert_eq!(at(0x6007_f000), None);
}
