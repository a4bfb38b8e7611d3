//! Machines and firmware that lack something.

use std::path::{Path, PathBuf};

use qemu_tests::Run;
use tempfile::TempDir;
use xtask::exit::Exit;

/// The device tree of the machine without RME, as QEMU makes it.
fn device_tree(dir: &Path) -> Vec<u8> {
    let file = dir.join("machine.dtb");
    let machine = format!(
        "virt,virtualization=on,gic-version=3,dumpdtb={}",
        file.display()
    );
    let status = xtask::provision::qemu()
        .unwrap()
        .command()
        .args(["-machine", &machine, "-cpu", "max", "-m", "3072M"])
        .args(["-display", "none", "-nic", "none"])
        .status()
        .unwrap();
    assert!(status.success(), "QEMU wrote no device tree: {status}");
    let mut blob = std::fs::read(file).unwrap();
    // QEMU pads it to 1 MiB and doubles that when it loads it, which is more
    // than the 2 MiB that Linux's booting document allows.
    let word = |at: usize| u32::from_be_bytes(blob[at..at + 4].try_into().unwrap());
    let (structure, strings) = (word(8) + word(36), word(12) + word(32));
    let size = structure.max(strings);
    blob.truncate(size as usize);
    blob[4..8].copy_from_slice(&size.to_be_bytes());
    blob
}

/// Writes `blob` with every `from` replaced by `to` of the same length.
fn altered(dir: &TempDir, mut blob: Vec<u8>, from: &[u8], to: &[u8]) -> PathBuf {
    assert_eq!(from.len(), to.len());
    let places: Vec<_> = (0..=blob.len() - from.len())
        .filter(|at| blob[*at..].starts_with(from))
        .collect();
    assert!(!places.is_empty(), "nothing to replace");
    for at in places {
        blob[at..at + to.len()].copy_from_slice(to);
    }
    let file = dir.path().join("altered.bin");
    std::fs::write(&file, blob).unwrap();
    file
}

#[test]
fn a_machine_without_gicv3_is_refused_by_the_name_of_what_is_missing() {
    let dir = tempfile::tempdir().unwrap();
    let blob = device_tree(dir.path());
    let file = altered(&dir, blob, b"arm,gic-v3\0", b"arm,gic-v9\0");
    Run::guest("hello")
        .device_tree(file)
        .go()
        .expect_exit(Exit::Failed)
        .expect("arm,gic-v3");
}

#[test]
fn firmware_without_an_rmm_means_no_realms_and_a_reason() {
    let dir = tempfile::tempdir().unwrap();
    let flash = std::fs::read(xtask::cmd::run::embedded_firmware().unwrap()).unwrap();
    let file = altered(&dir, flash, b"!SUZRMM1", b"!NOTHING");
    let machine = Run::guest("hello").firmware(file).go();
    machine
        .expect_exit(Exit::Failed)
        .expect_outcome("skipped")
        .expect_no_granule_lost();
    assert_eq!(machine.field("/rmi_version"), &serde_json::Value::Null);
}
