//! Linux guests: a Debian arm64 kernel for virtual machines, its modules, and a
//! busybox.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use super::apt::{Apt, unpack};
use super::{Package, install, lock, place, recall, sha256};

/// How package names of kernels end.
const SUFFIX: &str = "-cloud-arm64";
const BUSYBOX: &str = "busybox-static";

/// A Debian whose kernel is a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Debian {
    /// The newest kernel that Debian 13 has in its backports: it can be a Realm,
    /// as Linux can since 6.13.
    Newest,
    /// Debian 12's 6.1, which cannot.
    V6_1,
}

impl Debian {
    /// The word for it in VM files.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Newest => "debian",
            Self::V6_1 => "debian-6.1",
        }
    }

    /// Where packages come from.
    const fn suites(self) -> &'static [&'static str] {
        match self {
            Self::Newest => &["trixie", "trixie-backports"],
            Self::V6_1 => &["bookworm"],
        }
    }

    /// How names of kernel packages begin, best first, and of the package of
    /// modules where the kernel's own has none.
    const fn packages(self) -> &'static [(&'static str, Option<&'static str>)] {
        match self {
            Self::Newest => &[
                ("linux-binary-", Some("linux-modules-")),
                ("linux-image-", None),
            ],
            Self::V6_1 => &[("linux-image-6.1.", None)],
        }
    }

    /// The name of its folder and of its record.
    fn folder(self) -> String {
        format!("guest-{}", self.word())
    }
}

/// What a Linux guest is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinuxKit {
    /// Kernel Image, as Debian ships it.
    pub kernel: PathBuf,
    /// The folder of the kernel's modules.
    pub modules: PathBuf,
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
    modules: PathBuf,
    busybox: PathBuf,
    packages: Vec<Package>,
}

impl Record {
    fn kit(self, root: &Path) -> LinuxKit {
        LinuxKit {
            kernel: root.join(self.kernel),
            modules: root.join(self.modules),
            busybox: root.join(self.busybox),
            version: self.version,
            sha256: self.sha256,
        }
    }
}

/// A Linux guest's files if they are there.
pub fn present(debian: Debian) -> Option<LinuxKit> {
    let folder = debian.folder();
    let kit = recall::<Record>(&format!("{folder}.json"))?.kit(&place(&folder));
    let parts = [&kit.kernel, &kit.modules, &kit.busybox];
    parts.iter().all(|part| part.exists()).then_some(kit)
}

/// A Linux guest's files; fetched if they are not there.
pub fn linux(debian: Debian) -> Result<LinuxKit> {
    if let Some(kit) = present(debian) {
        return Ok(kit);
    }
    let _lock = lock()?;
    match present(debian) {
        Some(kit) => Ok(kit),
        None => fetch(debian),
    }
}

fn fetch(debian: Debian) -> Result<LinuxKit> {
    let folder = debian.folder();
    let apt = Apt::open(&folder, debian.suites(), Some("arm64"))?;
    let found = newest(&apt, debian)?;
    let mut names = vec![format!("{}={}", found.package, found.version)];
    if let Some(modules) = &found.modules {
        names.push(format!("{modules}={}", found.version));
    }
    names.push(BUSYBOX.to_owned());
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let packages = apt.fetch_only(&names)?;
    let record = install(&folder, |fresh| {
        let packages = unpack(&packages, fresh, "the Linux guest")?;
        let find = |file: Option<PathBuf>, what: &str| -> Result<PathBuf> {
            let package = &found.package;
            file.with_context(|| format!("{package} has no {what} where Debian puts it"))
        };
        let kernel = find(kernel_in(fresh), "kernel")?;
        let modules = find(modules_in(fresh), "modules")?;
        let busybox = ["usr/bin/busybox", "bin/busybox"];
        let busybox = busybox.map(|path| fresh.join(path));
        let busybox = find(busybox.into_iter().find(|path| path.exists()), "busybox")?;
        Ok(Record {
            sha256: sha256(&kernel)?,
            kernel: kernel.strip_prefix(fresh)?.to_path_buf(),
            modules: modules.strip_prefix(fresh)?.to_path_buf(),
            busybox: busybox.strip_prefix(fresh)?.to_path_buf(),
            package: found.package.clone(),
            version: found.version.clone(),
            packages,
        })
    })?;
    apt.clean();
    Ok(record.kit(&place(&folder)))
}

/// The packages of a kernel.
struct Found {
    package: String,
    version: String,
    /// The package of its modules, if they have one of their own.
    modules: Option<String>,
}

/// The newest kernel there is.
fn newest(apt: &Apt, debian: Debian) -> Result<Found> {
    for (prefix, modules) in debian.packages() {
        let mut names = apt.names(prefix, SUFFIX)?;
        names.retain(|name| release(name, prefix).is_some());
        names.sort_by_key(|name| std::cmp::Reverse(release(name, prefix)));
        // apt also knows names that other packages only mention.
        for package in names {
            if let Ok(version) = apt.version(&package) {
                let rest = package.strip_prefix(prefix).unwrap_or_default();
                return Ok(Found {
                    modules: modules.map(|modules| format!("{modules}{rest}")),
                    package,
                    version,
                });
            }
        }
    }
    let (prefix, _) = debian.packages()[0];
    bail!("the archive has no kernel package like {prefix}*{SUFFIX}")
}

/// The kernel release in a package name, number by number. A metapackage and
/// an unsigned build have none there.
fn release(name: &str, prefix: &str) -> Option<Vec<u32>> {
    let release = name.strip_prefix(prefix)?.strip_suffix(SUFFIX)?;
    let numbers = release.split(['.', '-', '+']).map(str::parse);
    let numbers: Vec<u32> = numbers.map_while(Result::ok).collect();
    (!numbers.is_empty()).then_some(numbers)
}

/// The kernel Image in an unpacked package: `usr/lib/modules/V/vmlinuz` since
/// 7.x, `boot/vmlinuz-V` before.
fn kernel_in(root: &Path) -> Option<PathBuf> {
    let in_boot = children(&root.join("boot")).filter(|file| {
        file.file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with("vmlinuz"))
    });
    children(&root.join("usr/lib/modules"))
        .map(|dir| dir.join("vmlinuz"))
        .chain(in_boot)
        .find(|file| file.is_file())
}

/// The folder of modules in an unpacked package.
fn modules_in(root: &Path) -> Option<PathBuf> {
    ["usr/lib/modules", "lib/modules"]
        .iter()
        .flat_map(|dir| children(&root.join(dir)))
        .map(|dir| dir.join("kernel"))
        .find(|dir| dir.is_dir())
}

fn children(dir: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let entries = std::fs::read_dir(dir).into_iter().flatten();
    entries.filter_map(|entry| Some(entry.ok()?.path()))
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
        let old = |name| release(name, "linux-image-6.1.");
        let newer = old("linux-image-6.1.0-50-cloud-arm64");
        assert!(newer > old("linux-image-6.1.0-9-cloud-arm64"));
        assert_eq!(old("linux-image-6.1.0-50-cloud-arm64-unsigned"), None);
        assert_eq!(read("linux-binary-cloud-arm64"), None);
        assert_eq!(read("linux-binary-unsigned-7.3.4+deb13-cloud-arm64"), None);
    }
}
