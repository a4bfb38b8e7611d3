//! Devices and the CPUs a VM is given.

use super::refusals::with_property_of;
use super::*;

/// A Realm with every device there is.
pub fn equipped(name: &str) -> VmSource {
    let mut vm = linux();
    vm.plan.name = Name::try_from(name).unwrap();
    vm.plan.devices.console = true;
    vm.plan.devices.entropy = true;
    vm.plan.devices.net = Some(Mac([2, 1, 2, 3, 4, name.len() as u8]));
    vm.disks = vec![
        DiskImage {
            contents: DiskContents::Bytes(vec![0xd1; 5_000]),
            readonly: true,
        },
        DiskImage {
            contents: DiskContents::Zeros(1 << 20),
            readonly: false,
        },
    ];
    vm
}

fn refusal(vms: &[VmSource]) -> alloc::string::String {
    encode(vms).expect_err("they are refused").to_string()
}

fn pinned(name: &str, cpus: &[u8]) -> VmSource {
    let mut vm = payload(name);
    vm.plan.vcpus = cpus.len() as u32;
    vm.plan.cpus = Pins::from_slice(cpus).unwrap();
    vm
}

#[test]
fn devices_come_out_of_the_bundle_as_they_went_in() {
    let bundle = encode(&[payload("small"), equipped("linux")]).unwrap();
    let vms = vms(&bundle);
    assert_eq!(vms[0].devices, Devices::default());
    assert_eq!(vms[0].devices.slots().count(), 0);
    let devices = &vms[1].devices;
    assert!(devices.console && devices.entropy);
    assert_eq!(devices.net, Some(Mac([2, 1, 2, 3, 4, 5])));
    assert_eq!(devices.slots().collect::<HeapVec<_>>(), [0, 1, 2, 3, 4]);
    let (image, empty) = (devices.disks[0], devices.disks[1]);
    // The file is padded to whole sectors, not to whole pages.
    assert_eq!((image.size, image.readonly), (5_120, true));
    let start = image.offset.unwrap() as usize;
    assert_eq!(bundle[start..start + 5_000], [0xd1; 5_000]);
    assert_eq!(bundle[start + 5_000..start + 5_120], [0; 120]);
    assert_eq!(
        (empty.size, empty.offset, empty.readonly),
        (1 << 20, None, false)
    );
}

#[test]
fn a_disk_that_nobody_can_use_is_refused() {
    let with = |contents, readonly| {
        let mut vm = linux();
        vm.disks = vec![DiskImage { contents, readonly }];
        refusal(&[vm])
    };
    let sectors = "VM linux: its disk 0 is not one or more whole sectors of 512 bytes";
    assert_eq!(with(DiskContents::Zeros(0), false), sectors);
    assert_eq!(with(DiskContents::Zeros(513), false), sectors);
    assert_eq!(with(DiskContents::Bytes(vec![]), true), sectors);
    assert_eq!(
        with(DiskContents::Zeros(512), true),
        "VM linux: its disk 0 is empty and can only be read"
    );
    let mut many = equipped("linux");
    many.disks.push(many.disks[0].clone());
    assert_eq!(refusal(&[many]), "VM linux: there are more than 2 disks");
}

#[test]
fn a_disk_that_points_out_of_the_bundle_or_into_the_description_is_refused() {
    let at = |offset: u64| {
        let changed = Some(&offset.to_be_bytes()[..]);
        let result = with_property_of(equipped("linux"), "/vm@0/disk@0", "offset", changed);
        result.unwrap_err().to_string()
    };
    for offset in [0, 8, 1 << 40, u64::MAX - 511] {
        assert_eq!(
            at(offset),
            "VM linux: its disk 0 does not lie inside the bundle"
        );
    }
    assert_eq!(
        at(4_096 + 512),
        "VM linux: its disk 0 does not start at a page of the bundle"
    );
}

#[test]
fn a_network_address_is_one_interface_s_and_of_one_vm_only() {
    let with = |mac: &[u8]| {
        let result = with_property_of(equipped("linux"), "/vm@0", "mac", Some(mac));
        result.unwrap_err().to_string()
    };
    assert_eq!(
        with(&[3, 0, 0, 0, 0, 1]),
        "VM linux: 03:00:00:00:00:01 is no address of a network interface"
    );
    assert_eq!(
        with(&[0; 6]),
        "VM linux: 00:00:00:00:00:00 is no address of a network interface"
    );
    assert_eq!(
        with(&[2; 5]),
        "VM linux: mac is absent or of the wrong form"
    );
    let (mut first, second) = (equipped("first"), equipped("other"));
    first.plan.cpus.clear();
    assert_eq!(
        refusal(&[first, second]),
        "VM other: its network address 02:01:02:03:04:05 is that of first too; give it another name"
    );
}

#[test]
fn a_cpu_is_dedicated_to_one_vcpu_of_one_vm() {
    assert!(encode(&[pinned("a", &[0, 2]), payload("b"), pinned("c", &[255, 1])]).is_ok());
    assert_eq!(
        refusal(&[pinned("a", &[0, 2]), payload("b"), pinned("c", &[1, 2])]),
        "VM c: CPU 2 is dedicated to a already"
    );
    assert_eq!(
        refusal(&[pinned("a", &[4, 2, 4])]),
        "VM a: CPU 4 is given to two of its vCPUs"
    );
    let mut short = pinned("a", &[0, 1]);
    short.plan.vcpus = 3;
    assert_eq!(
        refusal(&[short]),
        "VM a: 2 CPUs for 3 vCPUs, where each vCPU needs its own"
    );
}

#[test]
fn the_host_keeps_a_cpu() {
    let limits = |cpus, dedicated| Limits {
        memory: 1 << 30,
        ipa_bits: 40,
        cpus,
        dedicated,
    };
    let bundle = encode(&[pinned("a", &[0, 2]), payload("b"), pinned("c", &[1, 3])]).unwrap();
    let plan = Plan::decode(&bundle).unwrap();
    let [first, shared, second] = &plan.vms().collect::<std::vec::Vec<_>>()[..] else {
        panic!("three VMs");
    };
    assert_eq!(first.check_fits(&limits(4, 0)), Ok(()));
    assert_eq!(shared.check_fits(&limits(4, 2)), Ok(()));
    assert_eq!(second.check_fits(&limits(5, 2)), Ok(()));
    assert_eq!(
        second.check_fits(&limits(4, 2)).unwrap_err().to_string(),
        "VM c: all 4 CPUs of this machine are dedicated to VMs, where the host needs one; \
         take one out of a list of cpus"
    );
}

#[test]
fn more_cpus_than_vcpus_can_be_are_refused() {
    let list = [9; 65];
    let result = with_property_of(linux(), "/vm@0", "cpus", Some(&list));
    assert_eq!(
        result.unwrap_err().to_string(),
        "VM linux: cpus is absent or of the wrong form"
    );
}
