//! Kernel modules for the built-in initial file system.
//!
//! Packages hold no list of what needs what, since installing makes it; each
//! module says it itself, in its section `.modinfo`.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use object::{Object, ObjectSection};
use vm_config::map;

/// How deep folders of modules are nested at most.
const DEPTH: usize = 8;
/// Modules a guest is given at most.
const MOST: usize = 32;

/// A kernel module, unpacked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    /// Its name, with underscores.
    pub name: String,
    /// The file the kernel loads.
    pub bytes: Vec<u8>,
}

/// The drivers of the devices in these virtio-mmio slots. That of the slots
/// comes last, so that a device that shows up finds its driver.
pub fn drivers(slots: &[usize]) -> Vec<&'static str> {
    let mut drivers = Vec::new();
    for slot in slots {
        drivers.push(match *slot {
            map::VIRTIO_CONSOLE => "virtio_console",
            map::VIRTIO_ENTROPY => "virtio_rng",
            map::VIRTIO_NET => "virtio_net",
            _ => "virtio_blk",
        });
    }
    drivers.dedup();
    if !drivers.is_empty() {
        drivers.push("virtio_mmio");
    }
    drivers
}

/// The modules called `wanted` below `folder`, each behind those it needs. What
/// has no file there is taken to be built into the kernel.
pub fn load(folder: &Path, wanted: &[&str]) -> Result<Vec<Module>> {
    let mut files = BTreeMap::new();
    find(folder, DEPTH, &mut files)
        .with_context(|| format!("cannot read the modules in {}", folder.display()))?;
    let mut loaded = Vec::new();
    for name in wanted {
        add(name, &files, &mut loaded)?;
    }
    Ok(loaded)
}

fn find(folder: &Path, depth: usize, files: &mut BTreeMap<String, PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            if depth > 0 {
                find(&path, depth - 1, files)?;
            }
            continue;
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let stem = name.strip_suffix(".xz").unwrap_or(&name);
        if let Some(stem) = stem.strip_suffix(".ko") {
            files.insert(stem.replace('-', "_"), path);
        }
    }
    Ok(())
}

fn add(name: &str, files: &BTreeMap<String, PathBuf>, loaded: &mut Vec<Module>) -> Result<()> {
    let Some(file) = files.get(name) else {
        return Ok(());
    };
    if loaded.iter().any(|module| module.name == name) {
        return Ok(());
    }
    let module = Module {
        name: name.to_owned(),
        bytes: read(file).with_context(|| format!("kernel module {}", file.display()))?,
    };
    let needed = needs(&module.bytes).with_context(|| format!("kernel module {name}"))?;
    ensure!(
        loaded.len() < MOST,
        "kernel module {name} is one of more than {MOST}"
    );
    // Taken before what it needs is looked at, two that need each other end here.
    let at = loaded.len();
    loaded.push(module);
    for other in needed {
        add(&other, files, loaded)?;
    }
    loaded[at..].rotate_left(1);
    Ok(())
}

/// The modules that one names.
fn needs(module: &[u8]) -> Result<Vec<String>> {
    let file = object::File::parse(module)?;
    let section = file
        .section_by_name(".modinfo")
        .context("it has no section .modinfo")?;
    let text = String::from_utf8_lossy(section.data()?).into_owned();
    let lists = text
        .split('\0')
        .filter_map(|line| line.strip_prefix("depends="));
    let names = lists.flat_map(|list| list.split(','));
    let names = names.filter(|name| !name.is_empty());
    Ok(names.map(|name| name.replace('-', "_")).collect())
}

/// A module's file, unpacked if it is packed.
pub(super) fn read(file: &Path) -> Result<Vec<u8>> {
    let bytes = fs::read(file)?;
    if file.extension().is_none_or(|extension| extension != "xz") {
        return Ok(bytes);
    }
    let mut unpacked = Vec::new();
    lzma_rust2::XzReader::new(bytes.as_slice(), true).read_to_end(&mut unpacked)?;
    Ok(unpacked)
}
