//! `cargo xtask rim`: the initial measurement of a Realm before it boots.
//!
//! It comes from the bundle that `cargo xtask run` would pack with the same
//! options, by the code with which the hypervisor checks what the RMM says.

use std::path::PathBuf;

use addr::PhysAddr;
use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use realm::plan::Bundle;
use realm::rim::{self, Portable};
use realm::{RealmSpec, VmId};
use vm_config::{Plan, VmKind};

use crate::cmd::guests::{Provider, vm_file};
use crate::exit::Exit;
use crate::image::Dialect;
use crate::vm::{self, Overrides};

/// Where the bundle is taken to lie. Places of sources are not measured.
const BUNDLE_BASE: PhysAddr = PhysAddr::new(0);

/// Options of `rim`.
#[derive(Args, Clone, Debug, Default)]
pub struct Options {
    /// The VM to measure: `vms/NAME.toml`, or a path to a VM file.
    #[arg(long, value_name = "NAME", default_value = "hello")]
    pub guest: String,
    /// The RMI version it will be built by; they measure different steps.
    #[arg(long, value_name = "V", default_value = "2.0")]
    pub rmi: Dialect,
    /// Kernel file instead of the VM file's.
    #[arg(long, value_name = "F")]
    pub kernel: Option<PathBuf>,
    /// Initial RAM disk instead of the VM file's.
    #[arg(long, value_name = "F")]
    pub initrd: Option<PathBuf>,
    /// Kernel command line instead of the VM file's.
    #[arg(long, value_name = "S")]
    pub cmdline: Option<String>,
    /// Memory of the VM instead of the VM file's, for example 512M.
    #[arg(long, value_name = "SIZE")]
    pub memory: Option<String>,
    /// The Realm of `run --headless`, whose guest may be told to check itself.
    #[arg(long)]
    pub headless: bool,
}

/// Runs the command.
pub fn run(options: &Options) -> Result<Exit> {
    println!("{}", compute(options)?);
    Ok(Exit::Good)
}

/// The measurement in hexadecimal digits.
pub fn compute(options: &Options) -> Result<String> {
    let file = vm_file(&options.guest)?;
    let bytes = vm::bundle(&file, &options.overrides(), &Provider::default())?;
    let plan = Plan::decode(&bytes)?;
    let vm = plan.vms().next().context("the bundle has no VM")?;
    if vm.kind != VmKind::Realm {
        bail!(
            "{} describes a plain VM, and only a Realm is measured: set kind = \"realm\"",
            file.display()
        );
    }
    let id = VmId::new(0).context("there is no VM number 0")?;
    let spec = RealmSpec::of_plan(&vm, id, BUNDLE_BASE)
        .ok_or_else(|| anyhow!("{}: the plan does not fit a Realm", file.display()))?;
    spec.check()?;
    let bundle = Bundle {
        base: BUNDLE_BASE,
        bytes: &bytes,
    };
    let measured = match options.rmi {
        Dialect::V1_0 => realm::v1_0::MEASURED,
        Dialect::V2_0 => realm::v2_0::MEASURED,
    };
    let rim = rim::of(&spec, measured, &bundle, &Portable)?;
    Ok(rim.iter().map(|byte| format!("{byte:02x}")).collect())
}

impl Options {
    /// `rim --guest NAME --headless`.
    pub fn headless(guest: &str) -> Self {
        Self {
            guest: guest.to_owned(),
            headless: true,
            ..Self::default()
        }
    }

    fn overrides(&self) -> Overrides {
        Overrides {
            kernel: self.kernel.clone(),
            initrd: self.initrd.clone(),
            cmdline: self.cmdline.clone(),
            memory: self.memory.clone(),
            headless: self.headless,
        }
    }
}
