//! The VM file, read and resolved.

use super::Overrides;
use super::devices::{DiskSource, disk_key, mac_of};
use super::document::Document;
use super::layout::Fixed;
use super::reader::Reader;
use super::text::{Origins, schema_error};
use crate::provision::Debian;
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};
use vm_config::{Name, Problem, RegionKind, VmPlan};

/// A VM file, read and resolved.
#[derive(Clone, Debug)]
pub struct VmFile {
    /// The VM without its regions, disks, entry point and x0.
    pub(super) plan: VmPlan,
    /// What runs in it.
    pub(super) guest: Guest,
    pub(super) disks: Vec<DiskSource>,
    /// The regions that are measured.
    pub(super) measured: Vec<RegionKind>,
    pub(super) fixed: Fixed,
    pub(super) origins: Origins,
}

/// What runs in a VM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Guest {
    /// A payload of `tests/guests`.
    Payload(String),
    /// U-Boot, provisioned.
    UBoot,
    /// A Linux kernel.
    Linux {
        /// Its image.
        kernel: Kernel,
        /// Its initial file system.
        initrd: Initrd,
        /// Its command line.
        cmdline: String,
    },
}

/// Where a kernel comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kernel {
    /// One of Debian's, provisioned.
    Debian(Debian),
    /// A file.
    File(PathBuf),
}

/// Where an initial file system comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Initrd {
    /// There is none.
    None,
    /// The one this project brings.
    BuiltIn,
    /// A file.
    File(PathBuf),
}

impl VmFile {
    /// Reads the VM file at `path`.
    pub fn load(path: &Path, overrides: &Overrides) -> Result<Self> {
        let text = fs::read_to_string(path)
            .with_context(|| format!("{}: cannot read the VM file", path.display()))?;
        Self::parse(path, &text, overrides)
    }

    /// Reads `text` as the VM file at `path`.
    pub fn parse(path: &Path, text: &str, overrides: &Overrides) -> Result<Self> {
        let document: Document =
            toml::from_str(text).map_err(|error| schema_error(path, text, &error))?;
        let mut reader = Reader {
            path,
            text,
            overrides,
            origins: Origins::new(path),
        };
        let plan = reader.plan(&document)?;
        let guest = reader.guest(&document, &plan)?;
        let disks = reader.disks(&document.devices)?;
        let measured = reader.measured(&document)?;
        let fixed = reader.fixed(&document.place, &guest);
        Ok(Self {
            plan,
            guest,
            disks,
            measured,
            fixed,
            origins: reader.origins,
        })
    }

    /// The VM's name.
    pub fn name(&self) -> &str {
        &self.plan.name
    }

    /// What runs in it.
    pub fn guest(&self) -> &Guest {
        &self.guest
    }

    /// The VM so many times, with numbers from 1 behind its name.
    pub fn copies(&self, count: usize) -> Result<Vec<Self>> {
        let copy = |number| -> Result<Self> {
            let mut copy = self.clone();
            copy.plan.name = Name::try_from(&*format!("{}-{number}", self.name()))
                .map_err(|_| self.origins.error("name", Problem::BadName))?;
            let net = &mut copy.plan.devices.net;
            *net = net.map(|_| mac_of(&copy.plan.name));
            Ok(copy)
        };
        (1..=count).map(copy).collect()
    }

    /// A refusal of the encoder, as an error at the key to mend.
    pub fn refusal(&self, problem: Problem) -> anyhow::Error {
        let key = match problem {
            Problem::BadName | Problem::DuplicateName => "name",
            Problem::BadVcpus(_) => "vcpus",
            Problem::BadPins { .. } | Problem::PinnedTwice(_) => "cpus",
            Problem::BadDisk(number, _) => disk_key(number),
            Problem::BadIpaBits(_) => "ipa_bits",
            Problem::BadGeometry { .. } => "rtt_start_level",
            Problem::BadDebug(which) => which,
            Problem::Overlap { second, .. } => place_key(second),
            Problem::BadRegion(kind) => place_key(kind),
            Problem::OutsideMemory { region, .. } if self.is_placed(region) => place_key(region),
            _ => "memory",
        };
        self.origins.error(key, problem)
    }

    fn is_placed(&self, kind: RegionKind) -> bool {
        let fixed = match kind {
            RegionKind::Kernel | RegionKind::Payload => self.fixed.image,
            RegionKind::Dtb => self.fixed.dtb,
            RegionKind::Initrd => self.fixed.initrd,
        };
        fixed.is_some()
    }
}

/// The key of `[place]` for a region.
const fn place_key(kind: RegionKind) -> &'static str {
    match kind {
        RegionKind::Kernel | RegionKind::Payload => "place.image",
        RegionKind::Dtb => "place.dtb",
        RegionKind::Initrd => "place.initrd",
    }
}
