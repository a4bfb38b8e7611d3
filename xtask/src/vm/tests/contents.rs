//! What a guest finds in its memory.

use super::*;
use crate::vm::fdt::Machine;
use crate::vm::layout::{Fixed, Sizes};
use addr::{Ipa, IpaRange};
use dtoolkit::fdt::{Fdt, FdtNode};
use dtoolkit::standard::NodeStandard;
use dtoolkit::{Node, Property};
use std::io::Read;

fn memory(size: u64) -> IpaRange {
    IpaRange::with_size(Ipa::new(0x4000_0000), size).unwrap()
}

/// The bytes of a region, as the bundle holds them.
fn region<'a>(vms: &[VmPlan], bundle: &'a [u8], kind: RegionKind) -> (u64, &'a [u8]) {
    let region = vms[0].regions.iter().find(|r| r.kind == kind).unwrap();
    let start = region.offset as usize;
    let bytes = &bundle[start..start + region.range.size() as usize];
    (region.range.base().raw(), bytes)
}

/// The device tree in a region, without the padding of the page.
fn tree(bytes: &[u8]) -> Fdt<'_> {
    let size = u32::from_be_bytes(bytes[4..8].try_into().unwrap()) as usize;
    Fdt::new(&bytes[..size]).unwrap()
}

#[test]
fn the_same_input_gives_the_same_bundle() {
    let fake = Fake::new();
    let (_, first) = fake.bundle(LINUX, &Overrides::default()).unwrap();
    let (_, second) = fake.bundle(LINUX, &Overrides::default()).unwrap();
    assert!(first == second);
    let (_, third) = Fake::new().bundle(LINUX, &Overrides::default()).unwrap();
    assert!(first == third);
}

#[test]
fn kernel_tree_and_file_system_lie_apart_in_their_order() {
    let (vms, bundle) = Fake::new().bundle(LINUX, &Overrides::default()).unwrap();
    let (kernel_at, kernel) = region(&vms, &bundle, RegionKind::Kernel);
    let (dtb_at, _) = region(&vms, &bundle, RegionKind::Dtb);
    let (initrd_at, _) = region(&vms, &bundle, RegionKind::Initrd);
    // The kernel takes 3 MiB with its BSS; the rest starts at a block.
    assert_eq!(
        (kernel_at, dtb_at, initrd_at),
        (0x4000_0000, 0x4040_0000, 0x4041_0000)
    );
    assert_eq!(kernel[..0x1_2345], image(0x1_2345, 0x30_0000));
    assert_eq!(vms[0].entry.raw(), kernel_at);
    assert_eq!(vms[0].x0, dtb_at);
}

#[test]
fn a_payload_finds_its_device_tree_at_x0() {
    let (vms, bundle) = Fake::new().bundle(HELLO, &Overrides::default()).unwrap();
    let (at, bytes) = region(&vms, &bundle, RegionKind::Dtb);
    assert_eq!((vms[0].entry.raw(), vms[0].x0), (0x4000_0000, at));
    assert!(tree(bytes).find_node("/memory@40000000").is_some());
}

#[test]
fn the_kernel_is_told_where_its_file_system_lies() {
    let (vms, bundle) = Fake::new().bundle(LINUX, &Overrides::default()).unwrap();
    let (at, archive) = region(&vms, &bundle, RegionKind::Initrd);
    let (_, dtb) = region(&vms, &bundle, RegionKind::Dtb);
    let tree = tree(dtb);
    let chosen = tree.find_node("/chosen").unwrap();
    let number = |name: &str| chosen.property(name).unwrap().value_as::<u64>().unwrap();
    assert_eq!(number("linux,initrd-start"), at);
    let length = (number("linux,initrd-end") - at) as usize;
    assert!(length <= archive.len() && archive.len() - length < 4096);
    assert_eq!(
        archive[..length],
        initramfs::build(&program(5000), &[]).unwrap()
    );
}

#[test]
fn a_realm_kernel_finds_all_it_needs_in_its_tree() {
    let machine = Machine {
        kind: VmKind::Realm,
        slots: vec![],
        memory: memory(256 << 20),
        vcpus: 18,
        bootargs: "console=ttyAMA0".to_owned(),
        initrd: None,
    };
    let blob = machine.to_dtb();
    let fdt = Fdt::new(&blob).unwrap();
    let psci = fdt.find_node("/psci").unwrap();
    assert!(psci.is_compatible("arm,psci-1.0"));
    assert_eq!(psci.property("method").unwrap().value(), b"smc\0");
    // REC 16 is Aff1 1, Aff0 0.
    let cpu = fdt.find_node("/cpus/cpu@100").unwrap();
    assert_eq!(cpu.property("reg").unwrap().value_as::<u32>(), Ok(0x100));
    assert_eq!(fdt.find_node("/cpus").unwrap().children().count(), 18);
    let intc = fdt.find_node("/intc@8000000").unwrap();
    let registers: Vec<_> = intc
        .reg()
        .unwrap()
        .unwrap()
        .map(|r| (r.address::<u64>().unwrap(), r.size::<u64>().unwrap()))
        .collect();
    assert_eq!(
        registers,
        [(0x800_0000, 0x1_0000), (0x80a_0000, 18 * 0x2_0000)]
    );
    let timer = fdt.find_node("/timer").unwrap();
    assert_eq!(
        timer
            .property("interrupts")
            .unwrap()
            .value_as::<[u32; 12]>(),
        Ok([1, 13, 4, 1, 14, 4, 1, 11, 4, 1, 10, 4])
    );
    let uart = fdt.find_node("/pl011@9000000").unwrap();
    assert_eq!(
        uart.property("interrupts").unwrap().value_as::<[u32; 3]>(),
        Ok([0, 1, 4])
    );
    let chosen = fdt.find_node("/chosen").unwrap();
    assert!(chosen.property("linux,initrd-start").is_none());
    assert!(chosen.property("kaslr-seed").is_none() && chosen.property("rng-seed").is_none());
}

#[test]
fn every_guest_finds_its_power_key() {
    let fake = Fake::new();
    for text in [LINUX.to_owned(), format!("{HELLO}kind = \"normal\"\n")] {
        let (vms, bundle) = fake.bundle(&text, &Overrides::default()).unwrap();
        let (_, dtb) = region(&vms, &bundle, RegionKind::Dtb);
        let tree = tree(dtb);
        let gpio = tree.find_node("/pl061@9030000").unwrap();
        let cells = |node: &FdtNode<'_>, name: &str| -> Vec<u32> {
            let property = node.property(name).unwrap();
            let cells = property.value().as_chunks().0.iter();
            cells.map(|cell| u32::from_be_bytes(*cell)).collect()
        };
        assert!(cells(&gpio, "gpio-controller").is_empty());
        assert_eq!(cells(&gpio, "interrupts"), [0, 7, 4]);
        let [phandle] = cells(&gpio, "phandle")[..] else {
            panic!("one phandle");
        };
        let key = tree.find_node("/gpio-keys/poweroff").unwrap();
        assert_eq!(cells(&key, "linux,code"), [116]);
        assert_eq!(cells(&key, "gpios"), [phandle, 3, 0]);
    }
}

#[test]
fn a_plain_vm_s_kernel_calls_the_hypervisor_and_not_the_firmware() {
    let fake = Fake::new();
    let method = |kind: &str| {
        let text = format!("{HELLO}kind = \"{kind}\"\n");
        let (vms, bundle) = fake.bundle(&text, &Overrides::default()).unwrap();
        let (_, dtb) = region(&vms, &bundle, RegionKind::Dtb);
        let tree = tree(dtb);
        let psci = tree.find_node("/psci").unwrap();
        psci.property("method").unwrap().value().to_vec()
    };
    assert_eq!(method("normal"), b"hvc\0");
    assert_eq!(method("realm"), b"smc\0");
}

#[test]
fn each_device_has_its_slot_in_the_tree_and_others_have_none() {
    let fake = Fake::new();
    fake.write("disk.img", &[7; 700]);
    let text = format!(
        "{LINUX}[devices]\nnetwork = true\n\
         disk = [{{ size = \"1M\" }}, {{ image = \"disk.img\", readonly = true }}]\n"
    );
    let (vms, bundle) = fake.bundle(&text, &Overrides::default()).unwrap();
    let (_, dtb) = region(&vms, &bundle, RegionKind::Dtb);
    let tree = tree(dtb);
    let children = tree.root().children();
    let found: Vec<_> = children
        .filter(|node| node.is_compatible("virtio,mmio"))
        .map(|node| {
            let interrupts = node.property("interrupts").unwrap();
            assert!(node.property("dma-coherent").is_some());
            (node.name().to_owned(), interrupts.value_as::<[u32; 3]>())
        })
        .collect();
    let expected = |address: &str, spi| (format!("virtio_mmio@{address}"), Ok([0, spi, 4]));
    assert_eq!(
        found,
        [
            expected("a000400", 18),
            expected("a000600", 19),
            expected("a000800", 20)
        ]
    );
    let disks = &vms[0].devices.disks;
    assert_eq!((disks[0].size, disks[0].offset), (1 << 20, None));
    assert_eq!((disks[1].size, disks[1].readonly), (1024, true));
    let start = disks[1].offset.unwrap() as usize;
    assert_eq!(bundle[start..start + 700], [7; 700]);
}

#[test]
fn the_console_of_the_tree_is_its_uart() {
    let machine = Machine {
        kind: VmKind::Realm,
        slots: vec![],
        memory: memory(64 << 20),
        vcpus: 1,
        bootargs: String::new(),
        initrd: None,
    };
    let text = format!("{}", Fdt::new(&machine.to_dtb()).unwrap());
    assert!(text.contains("stdout-path = \"/pl011@9000000\""));
}

#[test]
fn places_follow_from_sizes_alone() {
    let sizes = Sizes {
        kind: RegionKind::Kernel,
        text_offset: 0x8_0000,
        image: 0x265_0000,
        initrd: 2 << 20,
    };
    let layout = memory_layout(memory(256 << 20), &sizes, &Fixed::default()).unwrap();
    assert_eq!(
        layout,
        Layout {
            image: Ipa::new(0x4008_0000),
            dtb: Ipa::new(0x4280_0000),
            initrd: Ipa::new(0x4281_0000),
        }
    );
}

#[test]
fn the_archive_holds_what_init_needs() {
    let busybox = program(5001);
    let archive = initramfs::build(&busybox, &[]).unwrap();
    let mut rest = archive.as_slice();
    let mut seen = Vec::new();
    loop {
        let mut reader = cpio::newc::Reader::new(rest).unwrap();
        let entry = reader.entry();
        if entry.is_trailer() {
            break;
        }
        assert_eq!((entry.mtime(), entry.uid(), entry.gid()), (0, 0, 0));
        assert_eq!(entry.ino() as usize, seen.len() + 1);
        let name = entry.name().to_owned();
        let (mode, device) = (entry.mode(), (entry.rdev_major(), entry.rdev_minor()));
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).unwrap();
        rest = reader.finish().unwrap();
        seen.push((name, mode, device, bytes));
    }
    let find = |name: &str| seen.iter().find(|entry| entry.0 == name).unwrap();
    assert_eq!(find("dev/console").1, 0o020_600);
    assert_eq!(find("dev/console").2, (5, 1));
    assert_eq!(find("bin/busybox").3, busybox);
    assert_eq!(find("bin/sh").3, b"busybox");
    assert_eq!(find("init").1, 0o100_755);
    let init = String::from_utf8(find("init").3.clone()).unwrap();
    assert!(init.starts_with("#!/bin/busybox sh\n"));
    // The word the command line carries is the word the script looks for.
    let word = CHECKS_WORD.strip_prefix("suzerain.").unwrap();
    assert!(init.contains(&format!("if word {word}; then run_checks")));
    let place = |name: &str| seen.iter().position(|entry| entry.0 == name).unwrap();
    assert!(place("bin") < place("bin/busybox") && place("dev") < place("dev/console"));
}

#[test]
fn a_program_for_another_machine_is_refused() {
    let mut other = program(100);
    other[18] = 62;
    assert!(initramfs::build(&other, &[]).is_err());
    assert!(initramfs::build(&[], &[]).is_err());
}
