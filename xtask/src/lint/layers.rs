//! Who may depend on whom. A package's layer is where it lies.

use std::path::Path;

use cargo_metadata::{DependencyKind, Metadata};

use super::Finding;

/// A layer of the workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layer {
    /// Types and encodings that all images share.
    Abi,
    /// What decides, and is tested on the host.
    Core,
    /// What runs before the hypervisor's `main`.
    Entry,
    /// The embedded firmware.
    Firmware,
    /// The hypervisor.
    Hypervisor,
    /// Payloads.
    Guests,
    /// Where host side and RMM side meet.
    Contract,
    /// What runs on the developer's machine.
    Tools,
}

/// A package, reduced to what the rule needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// Name.
    pub name: String,
    /// Its manifest, relative to the checkout.
    pub manifest: String,
    /// Packages of the workspace it is built with, not those of its tests.
    pub dependencies: Vec<String>,
}

/// Single dependencies that cross the layers, and why.
const CROSSINGS: [(&str, &str); 1] = [
    // The guest machine's memory map is one set of constants.
    ("guests", "vm-config"),
];

impl Layer {
    fn of(manifest: &str) -> Option<Self> {
        Some(match manifest.strip_suffix("/Cargo.toml")? {
            "hypervisor" => Self::Hypervisor,
            "boot/entry" => Self::Entry,
            "tests/guests" => Self::Guests,
            "tests/contract" | "tests/contract/payload" => Self::Contract,
            "tests/qemu" | "xtask" => Self::Tools,
            dir if dir.starts_with("hypervisor/abi/") => Self::Abi,
            dir if dir.starts_with("hypervisor/core/") => Self::Core,
            dir if dir.starts_with("boot/firmware/") => Self::Firmware,
            _ => return None,
        })
    }

    fn may_use(self, other: Self) -> bool {
        match self {
            Self::Abi | Self::Entry | Self::Guests => other == Self::Abi,
            Self::Core => matches!(other, Self::Abi | Self::Core),
            Self::Firmware => matches!(other, Self::Abi | Self::Firmware),
            Self::Hypervisor => matches!(other, Self::Abi | Self::Core | Self::Entry),
            Self::Contract => matches!(
                other,
                Self::Abi | Self::Core | Self::Entry | Self::Firmware | Self::Contract
            ),
            Self::Tools => matches!(other, Self::Abi | Self::Core | Self::Tools),
        }
    }
}

/// The workspace's packages.
pub fn packages(metadata: &Metadata, root: &Path) -> Vec<Package> {
    let members = metadata.workspace_packages();
    members
        .iter()
        .map(|package| Package {
            name: package.name.to_string(),
            manifest: package
                .manifest_path
                .strip_prefix(root)
                .map_or_else(|_| package.manifest_path.to_string(), ToString::to_string),
            dependencies: package
                .dependencies
                .iter()
                .filter(|dependency| dependency.kind != DependencyKind::Development)
                .filter(|dependency| dependency.path.is_some())
                .map(|dependency| dependency.name.clone())
                .collect(),
        })
        .collect()
}

/// Judges the workspace.
pub fn judge(packages: &[Package]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in packages {
        let mut find = |what: String, remedy: &str| {
            findings.push(Finding {
                file: package.manifest.clone(),
                line: 0,
                what,
                remedy: remedy.to_owned(),
            });
        };
        let Some(layer) = Layer::of(&package.manifest) else {
            find(
                format!("package {} lies in no layer", package.name),
                "put it under hypervisor/abi, hypervisor/core, boot/firmware or tests",
            );
            continue;
        };
        for name in &package.dependencies {
            let other = packages.iter().find(|other| other.name == *name);
            let Some(other) = other.and_then(|other| Layer::of(&other.manifest)) else {
                continue;
            };
            let crossing = CROSSINGS.contains(&(package.name.as_str(), name.as_str()));
            if !layer.may_use(other) && !crossing {
                find(
                    format!("{} ({layer:?}) depends on {name} ({other:?})", package.name),
                    "move what both need into hypervisor/abi, or pass it in as a value",
                );
            }
        }
    }
    findings
}
