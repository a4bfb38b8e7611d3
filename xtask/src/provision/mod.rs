//! What a fresh machine lacks, fetched once into `target/provision` without
//! root and without prompting, and used from there ever after.
//!
//! Everything comes from the Debian mirror this machine's own apt is set up
//! with, through a private apt state, verified by Debian's keyring.

mod apt;
mod linux;
mod qemu;
pub mod target;
mod u_boot;

pub use apt::Apt;
pub use linux::{Debian, LinuxKit, linux, present as linux_present};
pub use qemu::{Origin, Qemu, SUITE as QEMU_SUITE, Version, installed, qemu};
pub use u_boot::u_boot;

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::build::write_atomically;
use crate::paths;

/// A package file that was fetched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Package {
    /// File name: name, version and architecture.
    pub file: String,
    /// SHA-256 of the file.
    pub sha256: String,
}

/// Keeps two processes from provisioning at the same time.
fn lock() -> Result<File> {
    let dir = paths::provision();
    std::fs::create_dir_all(&dir)
        .with_context(|| format!("cannot create {}", paths::shown(&dir)))?;
    let path = dir.join("lock");
    let file =
        File::create(&path).with_context(|| format!("cannot create {}", paths::shown(&path)))?;
    file.lock()
        .with_context(|| format!("cannot lock {}", paths::shown(&path)))?;
    Ok(file)
}

/// What a provisioning step left behind, if it did.
fn recall<T: for<'a> Deserialize<'a>>(name: &str) -> Option<T> {
    let text = std::fs::read(paths::provision().join(name)).ok()?;
    serde_json::from_slice(&text).ok()
}

fn remember<T: Serialize>(name: &str, record: &T) -> Result<()> {
    let mut text = serde_json::to_vec_pretty(record)?;
    text.push(b'\n');
    write_atomically(&paths::provision().join(name), &text)
}

/// Fills a folder by `make` and writes down what that says of it. Who looks for
/// the folder sees nothing or all of it.
fn install<T: Serialize>(name: &str, make: impl FnOnce(&Path) -> Result<T>) -> Result<T> {
    let (fresh, folder) = (place(&format!("{name}.partial")), place(name));
    for old in [&fresh, &folder] {
        if old.exists() {
            std::fs::remove_dir_all(old)
                .with_context(|| format!("cannot remove {}", paths::shown(old)))?;
        }
    }
    let record = make(&fresh)?;
    std::fs::rename(&fresh, &folder)
        .with_context(|| format!("cannot create {}", paths::shown(&folder)))?;
    remember(&format!("{name}.json"), &record)?;
    Ok(record)
}

/// SHA-256 of a file, in hexadecimal.
pub fn sha256(file: &Path) -> Result<String> {
    let bytes =
        std::fs::read(file).with_context(|| format!("cannot read {}", paths::shown(file)))?;
    Ok(Sha256::digest(&bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}

/// Where one kind of provisioned file lies.
fn place(name: &str) -> PathBuf {
    paths::provision().join(name)
}
