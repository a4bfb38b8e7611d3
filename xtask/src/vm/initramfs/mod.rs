//! The built-in initial file system: busybox, an `/init`, and the kernel modules
//! that the guest's devices need.
//!
//! It is an archive in cpio's `newc` format, not compressed, since unpacking
//! costs a guest more than reading. All times are zero and inode numbers count
//! up, so the same busybox gives the same bytes.

use anyhow::{Context, Result, ensure};
use cpio::newc::{Builder, ModeFileType, trailer};
use std::io::Write;

mod modules;

pub use modules::{Module, drivers, load};

/// What runs first: see the script.
const INIT: &str = include_str!("init.sh");
/// Its checks.
const CHECKS: &str = include_str!("checks.sh");
/// Its dealings with devices.
const DEVICES: &str = include_str!("devices.sh");
/// Its ear for the power key.
const POWER: &str = include_str!("power.sh");

/// `/bin/ticks`: writes the virtual counter, eight bytes, to stdout.
const TICKS: [u32; 10] = [
    0xd53b_e049, // mrs x9, cntvct_el0
    0xf81f_0fe9, // str x9, [sp, #-16]!
    0xd280_0020, // mov x0, #1
    0x9100_03e1, // mov x1, sp
    0xd280_0102, // mov x2, #8
    0xd280_0808, // mov x8, #64, write
    0xd400_0001, // svc #0
    0xd280_0000, // mov x0, #0
    0xd280_0ba8, // mov x8, #93, exit
    0xd400_0001, // svc #0
];

/// A shell, and the end of the run when it ends.
const CONSOLE: &str = "#!/bin/busybox sh
export HOME=/root TERM=vt100 PS1='guest:\\w# '
cd /root
/bin/busybox sh
exec /bin/busybox poweroff
";

const EXECUTABLE: u32 = 0o755;

/// A thing in the archive.
enum Entry<'a> {
    Directory,
    File(&'a [u8]),
    Link(&'static str),
    /// A character device: major and minor number.
    Device(u32, u32),
}

/// The archive around `busybox`, a statically linked arm64 program, with kernel
/// modules that are loaded in their order.
pub fn build(busybox: &[u8], modules: &[Module]) -> Result<Vec<u8>> {
    check_program(busybox)?;
    let names: String = modules
        .iter()
        .map(|module| format!("{}\n", module.name))
        .collect();
    let paths: Vec<_> = modules
        .iter()
        .map(|module| format!("lib/modules/{}.ko", module.name))
        .collect();
    let ticks = program(&TICKS);
    let mut entries = vec![
        ("bin", Entry::Directory),
        ("dev", Entry::Directory),
        ("etc", Entry::Directory),
        ("lib", Entry::Directory),
        ("mnt", Entry::Directory),
        ("proc", Entry::Directory),
        ("root", Entry::Directory),
        ("sys", Entry::Directory),
        ("tmp", Entry::Directory),
        // The kernel opens the console before anything is mounted on /dev.
        ("dev/console", Entry::Device(5, 1)),
        ("bin/busybox", Entry::File(busybox)),
        ("bin/sh", Entry::Link("busybox")),
        ("bin/ticks", Entry::File(&ticks)),
        ("bin/console", Entry::File(CONSOLE.as_bytes())),
        ("init", Entry::File(INIT.as_bytes())),
        ("lib/checks.sh", Entry::File(CHECKS.as_bytes())),
        ("lib/devices.sh", Entry::File(DEVICES.as_bytes())),
        ("lib/power.sh", Entry::File(POWER.as_bytes())),
    ];
    if !modules.is_empty() {
        entries.push(("etc/modules", Entry::File(names.as_bytes())));
        entries.push(("lib/modules", Entry::Directory));
    }
    let files = modules
        .iter()
        .map(|module| Entry::File(module.bytes.as_slice()));
    entries.extend(paths.iter().map(String::as_str).zip(files));
    let mut archive = Vec::new();
    for (number, (name, entry)) in (1..).zip(&entries) {
        add(&mut archive, number, name, entry).with_context(|| format!("packing /{name}"))?;
    }
    Ok(trailer(archive)?)
}

fn add(archive: &mut Vec<u8>, number: u32, name: &str, entry: &Entry<'_>) -> Result<()> {
    let header = Builder::new(name).ino(number).mtime(0).uid(0).gid(0);
    let (header, bytes): (Builder, &[u8]) = match entry {
        Entry::Directory => (
            header
                .mode(EXECUTABLE)
                .nlink(2)
                .set_mode_file_type(ModeFileType::Directory),
            &[],
        ),
        Entry::File(bytes) => (
            header
                .mode(EXECUTABLE)
                .set_mode_file_type(ModeFileType::Regular),
            bytes,
        ),
        Entry::Link(target) => (
            header.mode(0o777).set_mode_file_type(ModeFileType::Symlink),
            target.as_bytes(),
        ),
        Entry::Device(major, minor) => (
            header
                .mode(0o600)
                .rdev_major(*major)
                .rdev_minor(*minor)
                .set_mode_file_type(ModeFileType::Char),
            &[],
        ),
    };
    let mut writer = header.write(archive, u32::try_from(bytes.len())?);
    writer.write_all(bytes)?;
    writer.finish()?;
    Ok(())
}

/// A program of nothing but code, as an ELF file.
fn program(code: &[u32]) -> Vec<u8> {
    const HEADERS: u64 = 64 + 56;
    const BASE: u64 = 0x40_0000;
    const READ_EXECUTE: u32 = 5;
    let size = HEADERS + 4 * code.len() as u64;
    let mut file = b"\x7fELF\x02\x01\x01".to_vec();
    file.resize(16, 0);
    let mut put = |bytes: &[u8]| file.extend_from_slice(bytes);
    // An executable for arm64, of version 1.
    put(&2u16.to_le_bytes());
    put(&183u16.to_le_bytes());
    put(&1u32.to_le_bytes());
    // Its entry point; where program headers are; no section headers; no flags.
    for word in [BASE + HEADERS, 64, 0] {
        put(&word.to_le_bytes());
    }
    put(&0u32.to_le_bytes());
    // Sizes and numbers of headers: own, program, section.
    for half in [64u16, 56, 1, 64, 0, 0] {
        put(&half.to_le_bytes());
    }
    // One segment, PT_LOAD: all of the file.
    put(&1u32.to_le_bytes());
    put(&READ_EXECUTE.to_le_bytes());
    for word in [0, BASE, BASE, size, size, 0x1_0000] {
        put(&word.to_le_bytes());
    }
    for word in code {
        put(&word.to_le_bytes());
    }
    file
}

/// Refuses what a guest could not run.
fn check_program(busybox: &[u8]) -> Result<()> {
    let machine = busybox.get(18..20);
    ensure!(
        busybox.starts_with(b"\x7fELF") && machine == Some(&[183, 0]),
        "busybox is no arm64 program"
    );
    Ok(())
}

#[cfg(test)]
mod tests;
