//! U-Boot for QEMU's virt, as Debian ships it: a guest that is no Linux.

use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::apt::{Apt, unpack};
use super::{Package, install, lock, place, recall, sha256};

const SUITES: [&str; 1] = ["trixie"];
const PACKAGE: &str = "u-boot-qemu";
const IMAGE: &str = "usr/lib/u-boot/qemu_arm64/u-boot.bin";
const FOLDER: &str = "guest-u-boot";

#[derive(Serialize, Deserialize)]
struct Record {
    version: String,
    sha256: String,
    packages: Vec<Package>,
}

/// U-Boot's flat image if it is there.
fn present() -> Option<PathBuf> {
    recall::<Record>(&format!("{FOLDER}.json"))?;
    let image = place(FOLDER).join(IMAGE);
    image.is_file().then_some(image)
}

/// U-Boot's flat image; fetched if it is not there.
pub fn u_boot() -> Result<PathBuf> {
    if let Some(image) = present() {
        return Ok(image);
    }
    let _lock = lock()?;
    if let Some(image) = present() {
        return Ok(image);
    }
    let apt = Apt::open(FOLDER, &SUITES, Some("arm64"))?;
    let version = apt.version(PACKAGE)?;
    let packages = apt.fetch_only(&[PACKAGE])?;
    install(FOLDER, |fresh| {
        let packages = unpack(&packages, fresh, "U-Boot")?;
        let sha256 =
            sha256(&fresh.join(IMAGE)).with_context(|| format!("{PACKAGE} has no {IMAGE}"))?;
        Ok(Record {
            version,
            sha256,
            packages,
        })
    })?;
    apt.clean();
    Ok(place(FOLDER).join(IMAGE))
}
