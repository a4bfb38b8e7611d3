//! From a VM file (`vms/*.toml`) to the bundle that travels with the hypervisor.
//!
//! [`VmFile::load`] reads the file and what the command line says instead;
//! [`VmFile::source`] gathers the guest's memory contents: a kernel or payload,
//! the device tree made for it ([`fdt`]), an initial file system
//! ([`initramfs`]). [`vm_config::encode`] checks the whole and packs it.
//!
//! Everything that is measured is the same for the same input: trees and
//! archives hold no time, no host name and no order that could change.
//!
//! An error names the place that can be mended: file, line and key, or the
//! option of the command line.

mod devices;
mod document;
pub mod fdt;
mod file;
mod guest;
pub mod initramfs;
pub mod kernel;
mod layout;
mod reader;
mod source;
mod text;

pub use devices::{DiskHolds, DiskSource};
pub use file::{Guest, Initrd, Kernel, VmFile};
pub use layout::{Layout, memory_layout};

use std::path::{Path, PathBuf};

use crate::provision::{Debian, LinuxKit};

/// The word on a kernel's command line that makes the built-in initial file
/// system run its checks and power off.
pub const CHECKS_WORD: &str = "suzerain.checks";

/// What the command line says instead of the VM file.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// Kernel file.
    pub kernel: Option<PathBuf>,
    /// Initial RAM disk file.
    pub initrd: Option<PathBuf>,
    /// Kernel command line.
    pub cmdline: Option<String>,
    /// Memory size, as in the VM file.
    pub memory: Option<String>,
    /// The guest must run its checks and power off by itself.
    pub headless: bool,
}

impl Overrides {
    /// The option that says something instead of a VM file, if one does.
    pub fn named(&self) -> Option<&'static str> {
        [
            ("--kernel", self.kernel.is_some()),
            ("--initrd", self.initrd.is_some()),
            ("--cmdline", self.cmdline.is_some()),
            ("--memory", self.memory.is_some()),
        ]
        .into_iter()
        .find_map(|(option, given)| given.then_some(option))
    }
}

/// Where a VM file's symbolic files come from.
pub trait Sources {
    /// A provisioned Linux guest.
    fn linux(&self, debian: Debian) -> anyhow::Result<LinuxKit>;
    /// U-Boot, provisioned.
    fn u_boot(&self) -> anyhow::Result<PathBuf>;
    /// A payload of `tests/guests`, built and flattened.
    fn payload(&self, bin: &str) -> anyhow::Result<PathBuf>;
}

/// The bundle for one VM file.
pub fn bundle(
    file: &Path,
    overrides: &Overrides,
    sources: &dyn Sources,
) -> anyhow::Result<Vec<u8>> {
    bundle_all(&[VmFile::load(file, overrides)?], sources)
}

/// The bundle for several VM files, which will run in this order.
pub fn bundle_all(files: &[VmFile], sources: &dyn Sources) -> anyhow::Result<Vec<u8>> {
    let mut vms = Vec::new();
    for file in files {
        let source = file.source(sources)?;
        // Each alone first, so that a refusal can name the line to mend.
        vm_config::encode(std::slice::from_ref(&source))
            .map_err(|error| file.refusal(error.problem))?;
        vms.push(source);
    }
    Ok(vm_config::encode(&vms)?)
}

#[cfg(test)]
mod tests;
