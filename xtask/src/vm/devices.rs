//! The devices a VM file asks for.

use super::document::{DevicesTable, DiskTable};
use super::reader::Reader;
use super::text::parse_size;
use anyhow::Result;
use sha2::{Digest, Sha256};
use std::path::PathBuf;
use toml::Spanned;
use vm_config::{Devices, MAX_DISKS, Mac, Problem};

/// A disk, as the VM file describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskSource {
    /// What it holds at first.
    pub holds: DiskHolds,
    /// Whether the guest can only read it.
    pub readonly: bool,
}

/// What a disk holds at first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DiskHolds {
    /// So many zeros.
    Zeros(u64),
    /// What this file holds.
    File(PathBuf),
}

/// The name of a disk's place in messages.
pub const fn disk_key(number: usize) -> &'static str {
    match number {
        0 => "disk 0",
        1 => "disk 1",
        _ => "disk 2",
    }
}

/// The address of the network interface of the VM called `name`: locally
/// administered, one interface's, and the same in every run.
pub fn mac_of(name: &str) -> Mac {
    let digest = Sha256::digest(name.as_bytes());
    let mut mac = [0; 6];
    mac.copy_from_slice(&digest[..6]);
    mac[0] = mac[0] & 0xfc | 0x02;
    Mac(mac)
}

impl Reader<'_> {
    /// The devices of a VM without its disks, which are read later.
    pub(super) fn devices(&self, table: &DevicesTable, name: &str) -> Devices {
        Devices {
            console: table.console,
            entropy: table.entropy,
            net: table.network.then(|| mac_of(name)),
            disks: Default::default(),
        }
    }

    pub(super) fn disks(&mut self, table: &DevicesTable) -> Result<Vec<DiskSource>> {
        let mut disks = Vec::new();
        for (number, disk) in table.disk.iter().enumerate() {
            let key = disk_key(number);
            self.origins.note(key, self.text, &disk.span());
            if number >= MAX_DISKS {
                return Err(self.origins.error(key, Problem::TooManyDisks));
            }
            disks.push(self.disk(key, disk.get_ref())?);
        }
        Ok(disks)
    }

    fn disk(&mut self, key: &'static str, table: &DiskTable) -> Result<DiskSource> {
        let holds = match (&table.image, &table.size) {
            (Some(image), None) => DiskHolds::File(self.relative(image)),
            (None, Some(size)) => DiskHolds::Zeros(self.disk_size(key, size)?),
            _ => {
                let problem = "a disk has either image = \"<file>\" or size = \"<bytes>\"";
                return Err(self.origins.error(key, problem));
            }
        };
        Ok(DiskSource {
            holds,
            readonly: table.readonly,
        })
    }

    fn disk_size(&mut self, key: &'static str, size: &Spanned<String>) -> Result<u64> {
        self.origins.note(key, self.text, &size.span());
        parse_size(size.get_ref()).map_err(|problem| self.origins.error(key, problem))
    }
}
