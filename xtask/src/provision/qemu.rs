//! QEMU: one that is there and good enough, else Debian's 10.0 series.

use std::ffi::OsString;
use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde::Serialize;

use super::apt::{Apt, unpack};
use super::{Package, lock, place, remember};
use crate::{board, os, paths};

/// The Debian suite whose main archive has QEMU 10.0.
pub const SUITE: &str = "trixie";
const RECORD: &str = "qemu.json";
const PROGRAM: &str = "qemu-system-aarch64";

/// A QEMU version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// Major number.
    pub major: u32,
    /// Minor number.
    pub minor: u32,
    /// Patch level.
    pub patch: u32,
}

impl Version {
    /// The oldest with a usable RME.
    pub const OLDEST: Self = Self {
        major: 9,
        minor: 0,
        patch: 0,
    };

    /// Whether it is of the series everything here was tested with.
    pub const fn is_tested(self) -> bool {
        self.major == 10 && self.minor == 0
    }

    /// Reads `QEMU emulator version 10.0.2 (Debian …)`.
    fn parse(text: &str) -> Option<Self> {
        let word = text.split("version ").nth(1)?;
        let end = word
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(word.len());
        let mut numbers = word[..end].split('.').map(|number| number.parse().ok());
        Some(Self {
            major: numbers.next()??,
            minor: numbers.next().flatten().unwrap_or(0),
            patch: numbers.next().flatten().unwrap_or(0),
        })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// Where a QEMU comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Named by `SUZERAIN_QEMU`.
    Named,
    /// Found on PATH.
    Path,
    /// Provisioned.
    Provisioned,
}

/// A QEMU that starts.
#[derive(Clone, Debug)]
pub struct Qemu {
    /// Program and leading arguments.
    prefix: Vec<OsString>,
    /// Its version.
    pub version: Version,
    /// Whether its `max` CPU can have RME.
    pub rme: bool,
    /// Where it comes from.
    pub origin: Origin,
}

impl Qemu {
    /// A command that starts it and cannot outlive this process.
    pub fn command(&self) -> Command {
        command(&self.prefix)
    }

    /// Whether this project runs on it.
    pub fn is_usable(&self) -> bool {
        self.rme && self.version >= Version::OLDEST
    }

    fn probe(prefix: Vec<OsString>, origin: Origin) -> Option<Self> {
        let output = command(&prefix)
            .arg("--version")
            .stdin(Stdio::null())
            .output()
            .ok()?;
        let version = Version::parse(&String::from_utf8_lossy(&output.stdout))?;
        Some(Self {
            rme: has_rme(&prefix),
            prefix,
            version,
            origin,
        })
    }
}

impl fmt::Display for Qemu {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origin = match self.origin {
            Origin::Named => "named by SUZERAIN_QEMU",
            Origin::Path => "on PATH",
            Origin::Provisioned => "provisioned",
        };
        write!(out, "QEMU {} ({origin})", self.version)
    }
}

fn command(prefix: &[OsString]) -> Command {
    let mut command = Command::new(prefix.first().map_or(PROGRAM.as_ref(), OsString::as_os_str));
    command.args(prefix.iter().skip(1));
    os::die_with_parent(&mut command);
    command
}

fn has_rme(prefix: &[OsString]) -> bool {
    let started = command(prefix)
        .args(board::rme_probe())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut child) = started else {
        return false;
    };
    if let Some(mut stdin) = child.stdin.take() {
        // A QEMU that refuses the CPU is gone before it can read this.
        let _ = stdin.write_all(b"quit\n");
    }
    child.wait().is_ok_and(|status| status.success())
}

#[derive(Serialize)]
struct Record {
    suite: String,
    version: String,
    packages: Vec<Package>,
}

/// A QEMU this project runs on without fetching anything, or the best there is.
///
/// `SUZERAIN_QEMU` decides alone where it is set.
pub fn installed() -> Option<Qemu> {
    if let Some(named) = std::env::var_os("SUZERAIN_QEMU") {
        return Qemu::probe(vec![named], Origin::Named);
    }
    let on_path = Qemu::probe(vec![PROGRAM.into()], Origin::Path);
    if on_path.as_ref().is_some_and(Qemu::is_usable) {
        return on_path;
    }
    provisioned().or(on_path)
}

/// A QEMU this project runs on; fetched if there is none.
pub fn qemu() -> Result<Qemu> {
    if let Some(named) = std::env::var_os("SUZERAIN_QEMU") {
        let found = Qemu::probe(vec![named.clone()], Origin::Named);
        return found.with_context(|| {
            format!(
                "SUZERAIN_QEMU names {}, which does not run as a QEMU",
                named.display()
            )
        });
    }
    if let Some(qemu) = installed().filter(Qemu::is_usable) {
        return Ok(qemu);
    }
    let _lock = lock()?;
    if let Some(qemu) = provisioned().filter(Qemu::is_usable) {
        return Ok(qemu);
    }
    fetch()
}

fn fetch() -> Result<Qemu> {
    let apt = Apt::open("qemu", &[SUITE], None)?;
    let packages = apt.fetch_closure("qemu-system-arm")?;
    let dir = place("qemu");
    let fresh = place("qemu.partial");
    for old in [&fresh, &dir] {
        if old.exists() {
            std::fs::remove_dir_all(old)
                .with_context(|| format!("cannot remove {}", paths::shown(old)))?;
        }
    }
    let packages = unpack(&packages, &fresh, "QEMU")?;
    std::fs::rename(&fresh, &dir)
        .with_context(|| format!("cannot create {}", paths::shown(&dir)))?;
    let qemu = provisioned().context("the provisioned QEMU does not start on this machine")?;
    ensure!(
        qemu.is_usable(),
        "the provisioned QEMU {} has no x-rme",
        qemu.version
    );
    remember(
        RECORD,
        &Record {
            suite: SUITE.to_owned(),
            version: qemu.version.to_string(),
            packages,
        },
    )?;
    apt.clean();
    Ok(qemu)
}

/// The provisioned QEMU, through its own loader and libraries so that it runs
/// on a machine with any libc.
fn provisioned() -> Option<Qemu> {
    let root = place("qemu");
    let program = root.join("usr/bin").join(PROGRAM);
    if !program.exists() {
        return None;
    }
    let (loader, libraries) = loader(&root)?;
    let mut path = OsString::from(&libraries);
    if let Some(triplet) = libraries.file_name() {
        path.push(":");
        path.push(root.join("lib").join(triplet));
    }
    let prefix = vec![
        loader.into(),
        "--library-path".into(),
        path,
        program.into(),
        "-L".into(),
        root.join("usr/share/qemu").into(),
    ];
    Qemu::probe(prefix, Origin::Provisioned)
}

/// The loader and the directory of libraries it lies in.
fn loader(root: &Path) -> Option<(PathBuf, PathBuf)> {
    let triplets = std::fs::read_dir(root.join("usr/lib")).ok()?;
    triplets
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find_map(|dir| {
            let inside = std::fs::read_dir(&dir).ok()?;
            let loader = inside
                .filter_map(|entry| Some(entry.ok()?.path()))
                .find(|file| {
                    file.file_name()
                        .is_some_and(|name| name.to_string_lossy().starts_with("ld-linux"))
                })?;
            Some((loader, dir))
        })
}

#[cfg(test)]
mod tests {
    use super::Version;

    #[test]
    fn versions_are_read_from_what_qemu_prints() {
        let read = |text| Version::parse(text).map(|version| version.to_string());
        assert_eq!(
            read("QEMU emulator version 10.0.2 (Debian 1:10.0.2+ds-2~bpo12+1)\nCopyright"),
            Some("10.0.2".to_owned())
        );
        assert_eq!(
            read("QEMU emulator version 9.0\n"),
            Some("9.0.0".to_owned())
        );
        assert_eq!(read("something else"), None);
    }

    #[test]
    fn versions_order_by_number() {
        let read = |text: &str| Version::parse(&format!("version {text}")).unwrap();
        assert!(read("8.2.9") < Version::OLDEST);
        assert!(read("11.0.0") > read("9.0.0"));
        assert!(read("10.0.13").is_tested());
        assert!(!read("10.1.0").is_tested());
    }
}
