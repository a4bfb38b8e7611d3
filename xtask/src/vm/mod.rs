//! From a VM file (`vms/*.toml`) to the bundle that travels with the hypervisor.

use std::path::{Path, PathBuf};

use crate::provision::LinuxKit;

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

/// Where a VM file's symbolic files come from.
pub trait Sources {
    /// The provisioned Linux guest.
    fn linux(&self) -> anyhow::Result<LinuxKit>;
    /// A payload of `tests/guests`, built and flattened.
    fn payload(&self, bin: &str) -> anyhow::Result<PathBuf>;
}

/// The bundle for one VM file.
pub fn bundle(
    _file: &Path,
    _overrides: &Overrides,
    _sources: &dyn Sources,
) -> anyhow::Result<Vec<u8>> {
    Ok(Vec::new())
}
