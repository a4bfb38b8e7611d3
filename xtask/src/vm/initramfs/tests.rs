//! Which modules a guest is given, and in which order; programs.

use super::modules::{drivers, load, read};
use object::{Object, ObjectSegment};
use std::fs;

/// An object file with a section `.modinfo` that says what a module needs.
fn module(needs: &str) -> Vec<u8> {
    const HEADER: usize = 64;
    let info = format!("license=GPL\0depends={needs}\0name=x\0");
    let names = b"\0.modinfo\0.shstrtab\0";
    let sections = (HEADER + info.len() + names.len()).next_multiple_of(8);
    let mut file = vec![0; HEADER];
    file[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
    file[16..18].copy_from_slice(&1u16.to_le_bytes());
    file[18..20].copy_from_slice(&183u16.to_le_bytes());
    file[20] = 1;
    file[40..48].copy_from_slice(&(sections as u64).to_le_bytes());
    for (at, value) in [(52, 64u16), (58, 64), (60, 3), (62, 2)] {
        file[at..at + 2].copy_from_slice(&value.to_le_bytes());
    }
    file.extend_from_slice(info.as_bytes());
    file.extend_from_slice(names);
    file.resize(sections + 64, 0);
    for (name, kind, offset, size) in [
        (1u32, 1u32, HEADER, info.len()),
        (10, 3, HEADER + info.len(), names.len()),
    ] {
        let mut section = [0; 64];
        section[..4].copy_from_slice(&name.to_le_bytes());
        section[4..8].copy_from_slice(&kind.to_le_bytes());
        section[24..32].copy_from_slice(&(offset as u64).to_le_bytes());
        section[32..40].copy_from_slice(&(size as u64).to_le_bytes());
        section[48] = 1;
        file.extend_from_slice(&section);
    }
    file
}

#[test]
fn a_module_comes_behind_what_it_needs_and_once() {
    let folder = tempfile::tempdir().unwrap();
    let place = |path: &str, needs: &str| {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, module(needs)).unwrap();
    };
    place("drivers/net/virtio_net.ko", "net_failover,virtio");
    place("drivers/net/net_failover.ko", "failover");
    place("net/core/failover.ko", "");
    place("drivers/char/virtio-rng.ko", "virtio");
    place("drivers/virtio/virtio.ko", "");
    place("drivers/unwanted.ko", "virtio");
    let names = |wanted: &[&str]| -> Vec<String> {
        let modules = load(folder.path(), wanted).unwrap();
        modules.into_iter().map(|module| module.name).collect()
    };
    // The driver of the slots has no file here: it is built into this kernel.
    assert_eq!(
        names(&["virtio_net", "virtio_rng", "virtio_mmio"]),
        [
            "failover",
            "net_failover",
            "virtio",
            "virtio_net",
            "virtio_rng"
        ]
    );
    place("net/core/failover.ko", "net-failover");
    assert_eq!(names(&["failover"]), ["net_failover", "failover"]);
}

#[test]
fn a_file_that_is_no_module_is_named() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("virtio_blk.ko"), b"not one").unwrap();
    let error = load(folder.path(), &["virtio_blk"]).unwrap_err();
    assert!(format!("{error:#}").starts_with("kernel module virtio_blk: "));
}

#[test]
fn packed_modules_are_unpacked() {
    // `printf unpacked | xz --check=crc32`
    const PACKED: [u8; 60] = [
        0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00, 0x00, 0x01, 0x69, 0x22, 0xde, 0x36, 0x02, 0x00, 0x21,
        0x01, 0x16, 0x00, 0x00, 0x00, 0x74, 0x2f, 0xe5, 0xa3, 0x01, 0x00, 0x07, 0x75, 0x6e, 0x70,
        0x61, 0x63, 0x6b, 0x65, 0x64, 0x00, 0x96, 0x62, 0x2f, 0xca, 0x00, 0x01, 0x1c, 0x08, 0x44,
        0x60, 0x2a, 0xc8, 0x90, 0x42, 0x99, 0x0d, 0x01, 0x00, 0x00, 0x00, 0x00, 0x01, 0x59, 0x5a,
    ];
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.ko.xz");
    fs::write(&file, PACKED).unwrap();
    assert_eq!(read(&file).unwrap(), b"unpacked");
    fs::write(&file, &PACKED[..40]).unwrap();
    assert!(read(&file).is_err());
}

#[test]
fn each_device_has_its_driver_and_none_has_none() {
    assert_eq!(
        drivers(&[0, 1, 2, 3, 4]),
        [
            "virtio_console",
            "virtio_rng",
            "virtio_net",
            "virtio_blk",
            "virtio_mmio"
        ]
    );
    assert!(drivers(&[]).is_empty());
}

#[test]
fn a_program_of_code_is_an_executable_that_begins_with_its_code() {
    let code = [0xd503_201f, 0xd400_0001];
    let bytes = super::program(&code);
    let file = object::File::parse(&*bytes).unwrap();
    assert_eq!(file.architecture(), object::Architecture::Aarch64);
    assert_eq!(file.kind(), object::ObjectKind::Executable);
    let segment = file.segments().next().unwrap();
    assert_eq!(segment.data().unwrap(), bytes);
    let at = (file.entry() - segment.address()) as usize;
    assert_eq!(bytes[at..at + 4], code[0].to_le_bytes());
    assert_eq!(segment.address() % 4096, 0);
}
