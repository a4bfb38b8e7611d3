//! The Linux guest: the newest Debian arm64 kernel that can be a Realm (6.13
//! or later, which a released suite has in its backports), and a busybox.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use super::apt::{Apt, unpack};
use super::{Package, lock, place, recall, remember, sha256};
use crate::paths;

/// The suite whose backports have the kernel, and whose main has busybox.
const SUITES: [&str; 2] = ["trixie", "trixie-backports"];
/// How package names of kernels begin and end, best first.
const KERNELS: [(&str, &str); 2] = [
    ("linux-binary-", "-cloud-arm64"),
    ("linux-image-", "-cloud-arm64"),
];
const BUSYBOX: &str = "busybox-static";
const RECORD: &str = "linux.json";

/// What the Linux guest is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinuxKit {
    /// Kernel Image, as Debian ships it.
    pub kernel: PathBuf,
    /// Statically linked busybox for arm64.
    pub busybox: PathBuf,
    /// Version of the kernel package.
    pub version: String,
    /// SHA-256 of the kernel Image.
    pub sha256: String,
}

#[derive(Serialize, Deserialize)]
struct Record {
    package: String,
    version: String,
    sha256: String,
    kernel: PathBuf,
    busybox: PathBuf,
    packages: Vec<Package>,
}

impl Record {
    fn kit(self) -> LinuxKit {
        let root = place("linux");
        LinuxKit {
            kernel: root.join(self.kernel),
            busybox: root.join(self.busybox),
            version: self.version,
            sha256: self.sha256,
        }
    }
}

/// The Linux guest's files if they are there.
pub fn present() -> Option<LinuxKit> {
    let kit = recall::<Record>(RECORD)?.kit();
    (kit.kernel.exists() && kit.busybox.exists()).then_some(kit)
}

/// The Linux guest's files; fetched if they are not there.
pub fn linux() -> Result<LinuxKit> {
    if let Some(kit) = present() {
        return Ok(kit);
    }
    let _lock = lock()?;
    match present() {
        Some(kit) => Ok(kit),
        None => fetch(),
    }
}

fn fetch() -> Result<LinuxKit> {
    let apt = Apt::open("linux", &SUITES, Some("arm64"))?;
    let (package, version) = newest(&apt)?;
    let exact = format!("{package}={version}");
    let packages = apt.fetch_only(&[&exact, BUSYBOX])?;
    let fresh = place("linux.partial");
    let dir = place("linux");
    for old in [&fresh, &dir] {
        if old.exists() {
            std::fs::remove_dir_all(old)
                .with_context(|| format!("cannot remove {}", paths::shown(old)))?;
        }
    }
    let packages = unpack(&packages, &fresh, "the Linux guest")?;
    let relative = |file: Option<PathBuf>, what: &str| -> Result<PathBuf> {
        let file = file.with_context(|| format!("{package} has no {what} where Debian puts it"))?;
        Ok(file.strip_prefix(&fresh)?.to_path_buf())
    };
    let kernel = relative(kernel_in(&fresh), "kernel")?;
    let busybox = ["usr/bin/busybox", "bin/busybox"]
        .iter()
        .map(|path| fresh.join(path))
        .find(|path| path.exists());
    let busybox = relative(busybox, "busybox")?;
    let record = Record {
        sha256: sha256(&fresh.join(&kernel))?,
        package,
        version,
        kernel,
        busybox,
        packages,
    };
    std::fs::rename(&fresh, &dir)
        .with_context(|| format!("cannot create {}", paths::shown(&dir)))?;
    remember(RECORD, &record)?;
    apt.clean();
    Ok(record.kit())
}

/// The newest kernel package and its version.
fn newest(apt: &Apt) -> Result<(String, String)> {
    for (prefix, suffix) in KERNELS {
        let mut names = apt.names(prefix, suffix)?;
        names.retain(|name| release(name, prefix).is_some());
        names.sort_by_key(|name| std::cmp::Reverse(release(name, prefix)));
        // apt also knows names that other packages only mention.
        for name in names {
            if let Ok(version) = apt.version(&name) {
                return Ok((name, version));
            }
        }
    }
    bail!(
        "the archive has no kernel package like {}*{}",
        KERNELS[0].0,
        KERNELS[0].1
    )
}

/// The kernel release in a package name, number by number. A metapackage and
/// an unsigned build have none there.
fn release(name: &str, prefix: &str) -> Option<Vec<u32>> {
    let release = name.strip_prefix(prefix)?.split(['+', '-']).next()?;
    release
        .split('.')
        .map(|number| number.parse().ok())
        .collect()
}

/// The kernel Image in an unpacked package: `usr/lib/modules/V/vmlinuz` since
/// 7.x, `boot/vmlinuz-V` before.
fn kernel_in(root: &Path) -> Option<PathBuf> {
    let children = |dir: PathBuf| {
        std::fs::read_dir(dir)
            .into_iter()
            .flatten()
            .filter_map(|entry| Some(entry.ok()?.path()))
    };
    children(root.join("usr/lib/modules"))
        .map(|dir| dir.join("vmlinuz"))
        .chain(children(root.join("boot")).filter(|file| {
            file.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with("vmlinuz"))
        }))
        .find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::release;

    #[test]
    fn kernels_order_by_number_and_others_are_no_kernels() {
        let read = |name| release(name, "linux-binary-");
        let newer = read("linux-binary-7.2.12+deb13-cloud-arm64");
        assert!(newer > read("linux-binary-7.2.9+deb13-cloud-arm64"));
        assert_eq!(newer, Some(vec![7, 2, 12]));
        assert_eq!(read("linux-binary-cloud-arm64"), None);
        assert_eq!(read("linux-binary-unsigned-7.3.4+deb13-cloud-arm64"), None);
    }
}
