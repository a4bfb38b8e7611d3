//! Everything a description may be refused for, as the sentence people read.

use super::*;
use dtoolkit::model::{DeviceTree, DeviceTreeNode, DeviceTreeProperty};

/// Why the bundle of a changed VM is refused.
fn refusal(change: impl FnOnce(&mut VmSource)) -> alloc::string::String {
    let mut vm = linux();
    change(&mut vm);
    encode(&[vm]).expect_err("the VM is refused").to_string()
}

#[test]
fn the_unchanged_vm_is_accepted() {
    assert!(encode(&[linux()]).is_ok());
}

#[test]
fn overlapping_regions_are_refused() {
    assert_eq!(
        refusal(|vm| vm.contents[1].ipa = Ipa::new(0x4000_2000)),
        "VM linux: its kernel and its initrd overlap at ipa:0x40002000..0x40003000"
    );
}

#[test]
fn a_kernel_larger_than_the_memory_is_refused() {
    let refusal = refusal(|vm| {
        vm.plan.memory = IpaRange::with_size(map::RAM_BASE, 2 * MIB).unwrap();
        vm.contents[0].bytes = vec![0; 3 * MIB as usize];
    });
    assert_eq!(
        refusal,
        "VM linux: its kernel takes 3 MiB, its memory is only 2 MiB"
    );
}

#[test]
fn a_region_outside_the_memory_is_refused() {
    assert_eq!(
        refusal(|vm| vm.contents[1].ipa = Ipa::new(0x43ff_f000)),
        "VM linux: its initrd at ipa:0x43fff000..0x44001000 lies outside its memory ipa:0x40000000..0x44000000"
    );
    assert_eq!(
        refusal(|vm| vm.contents[1].ipa = Ipa::new(0x4200_0800)),
        "VM linux: its initrd is not placed on whole 4 KiB pages"
    );
    assert_eq!(
        refusal(|vm| vm.contents[1].bytes.clear()),
        "VM linux: its initrd is not placed on whole 4 KiB pages"
    );
}

#[test]
fn memory_in_the_wrong_place_or_of_the_wrong_size_is_refused() {
    let memory = |base, size| {
        refusal(|vm| vm.plan.memory = IpaRange::with_size(Ipa::new(base), size).unwrap())
    };
    assert_eq!(
        memory(0x4000_0000, 64 * MIB + 4096),
        "VM linux: 65540 KiB of memory at 0x40000000: both must be multiples of 2 MiB and more than zero"
    );
    assert_eq!(
        memory(0x4000_0000, (3 << 30) + 2 * MIB),
        "VM linux: its memory ipa:0x40000000..0x100200000 must lie above the devices and below the shared half of the address space"
    );
    assert!(memory(0x3fe0_0000, 128 * MIB).contains("must lie above the devices"));
}

#[test]
fn cpu_parameters_out_of_range_are_refused() {
    assert_eq!(
        refusal(|vm| vm.plan.vcpus = 0),
        "VM linux: 0 vCPUs, where 1 to 64 are possible"
    );
    assert_eq!(
        refusal(|vm| vm.plan.ipa_bits = 31),
        "VM linux: ipa_bits is 31, where 32 to 48 are possible"
    );
    assert_eq!(
        refusal(|vm| vm.plan.ipa_bits = 40),
        "VM linux: a table for 40 address bits cannot start at level 2"
    );
    assert_eq!(
        refusal(|vm| vm.plan.realm.num_bps = 0),
        "VM linux: the number of breakpoints is not 2 to 64"
    );
    assert_eq!(
        refusal(|vm| vm.plan.realm.num_wps = 64),
        "VM linux: the number of watchpoints is not 2 to 64"
    );
}

#[test]
fn a_vm_that_cannot_start_is_refused() {
    assert_eq!(
        refusal(|vm| vm.plan.entry = Ipa::new(0x4200_0000)),
        "VM linux: its entry point 0x42000000 is not an instruction of a region"
    );
    assert_eq!(
        refusal(|vm| vm.plan.entry = Ipa::new(0x4000_0002)),
        "VM linux: its entry point 0x40000002 is not an instruction of a region"
    );
    assert_eq!(
        refusal(|vm| vm.plan.x0 = 0x10),
        "VM linux: its x0 is 0x10, which is no address of its memory"
    );
}

#[test]
fn names_must_be_printable_and_differ() {
    for name in ["", "a b", "\u{1b}[2J", "ä"] {
        assert_eq!(
            refusal(|vm| vm.plan.name = Name::try_from(name).unwrap()),
            alloc::format!(
                "VM {}: a name is 1 to 31 letters, digits, '-', '_' or '.'",
                name.escape_default()
            )
        );
    }
    assert_eq!(
        encode(&[payload("a"), linux(), payload("a")])
            .unwrap_err()
            .to_string(),
        "VM a: another VM has the same name"
    );
}

#[test]
fn too_many_vms_and_none_at_all_are_refused() {
    let many: HeapVec<_> = (0..129)
        .map(|i| payload(&alloc::format!("vm{i}")))
        .collect();
    assert!(encode(&many[..128]).is_ok());
    assert_eq!(
        encode(&many).unwrap_err().to_string(),
        "VM bundle: there are more than 128 VMs"
    );
    assert_eq!(
        encode(&[]).unwrap_err().to_string(),
        "VM bundle: it describes no VM"
    );
}

#[test]
fn what_the_machine_cannot_give_is_refused() {
    let vm = linux().plan;
    let enough = Limits {
        memory: 64 * MIB,
        ipa_bits: 33,
        cpus: 4,
        dedicated: 0,
    };
    assert_eq!(vm.check_fits(&enough), Ok(()));
    let small = Limits {
        memory: 32 * MIB,
        ..enough
    };
    assert_eq!(
        vm.check_fits(&small).unwrap_err().to_string(),
        "VM linux: it wants 64 MiB, this machine has 32 MiB left"
    );
    let narrow = Limits {
        ipa_bits: 32,
        ..enough
    };
    assert_eq!(
        vm.check_fits(&narrow).unwrap_err().to_string(),
        "VM linux: it wants 33 address bits, this machine offers 32"
    );
    let two = Limits { cpus: 2, ..enough };
    assert_eq!(
        vm.check_fits(&two).unwrap_err().to_string(),
        "VM linux: it wants CPU 3, this machine has 2, numbered from 0"
    );
}

/// Decodes the bundle of `linux` with one property of a node replaced, or
/// removed where there is no value.
fn with_property(path: &str, name: &str, value: Option<&[u8]>) -> Result<(), ConfigError> {
    with_property_of(linux(), path, name, value)
}

/// The same with another VM.
pub fn with_property_of(
    vm: VmSource,
    path: &str,
    name: &str,
    value: Option<&[u8]>,
) -> Result<(), ConfigError> {
    let bundle = encode(&[vm]).unwrap();
    let size = u32::from_be_bytes(bundle[4..8].try_into().unwrap()) as usize;
    let fdt = dtoolkit::fdt::Fdt::new(&bundle[..size]).unwrap();
    let mut tree = DeviceTree::from_fdt(&fdt);
    let node: &mut DeviceTreeNode = tree.find_node_mut(path).unwrap();
    match value {
        Some(value) => node.add_property(DeviceTreeProperty::new_unchecked(name, value)),
        None => drop(node.remove_property(name).unwrap()),
    }
    let mut changed = tree.to_dtb();
    changed.resize(4096, 0);
    changed.extend_from_slice(&bundle[4096..]);
    Plan::decode(&changed).map(drop)
}

#[test]
fn each_missing_property_is_named() {
    for name in [
        "kind",
        "vcpus",
        "memory-base",
        "memory-size",
        "ipa-bits",
        "entry",
        "x0",
        "restarts",
        "populate",
        "rtt-start-level",
        "hash",
        "num-bps",
        "num-wps",
        "rpv",
        "ram-requests",
        "cpu-on",
    ] {
        assert_eq!(
            with_property("/vm@0", name, None).unwrap_err().to_string(),
            alloc::format!("VM linux: {name} is absent or of the wrong form")
        );
    }
}

#[test]
fn a_word_nobody_knows_is_refused_with_those_there_are() {
    assert_eq!(
        with_property("/vm@0", "kind", Some(b"confidential\0"))
            .unwrap_err()
            .to_string(),
        "VM linux: kind is not one of \"realm\" \"normal\""
    );
    assert_eq!(
        with_property("/vm@0", "hash", Some(b"md5\0"))
            .unwrap_err()
            .to_string(),
        "VM linux: hash is not one of \"sha-256\" \"sha-512\""
    );
}

#[test]
fn a_region_that_points_out_of_the_bundle_or_into_the_description_is_refused() {
    for offset in [0u64, 8, 1 << 40, u64::MAX - 0xfff] {
        let changed = with_property("/vm@0/region@0", "offset", Some(&offset.to_be_bytes()));
        assert_eq!(
            changed.unwrap_err().to_string(),
            "VM linux: its kernel does not lie inside the bundle"
        );
    }
    let within = with_property("/vm@0/region@0", "offset", Some(&4097u64.to_be_bytes()));
    assert_eq!(
        within.unwrap_err().to_string(),
        "VM linux: its kernel does not lie inside the bundle"
    );
}

#[test]
fn another_format_is_refused() {
    let changed = with_property("/", "compatible", Some(b"suzerain,bundle-v9\0"));
    assert_eq!(
        changed.unwrap_err().to_string(),
        "VM bundle: its description is damaged: it is of another format"
    );
    assert_eq!(
        Plan::decode(&[0xff; 4096]).unwrap_err().to_string(),
        "VM bundle: its description is damaged: it does not start with a device tree"
    );
    assert!(Plan::decode(&[]).is_err());
}
