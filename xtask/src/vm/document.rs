//! The schema of a VM file.

use serde::Deserialize;
use toml::Spanned;

/// A VM file as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    pub(super) name: Option<Spanned<String>>,
    pub(super) kind: Option<Spanned<String>>,
    pub(super) vcpus: Option<Spanned<u32>>,
    pub(super) cpus: Option<Spanned<Vec<u8>>>,
    pub(super) memory: Option<Spanned<String>>,
    pub(super) payload: Option<Spanned<String>>,
    pub(super) kernel: Option<Spanned<String>>,
    pub(super) initrd: Option<Spanned<String>>,
    pub(super) cmdline: Option<Spanned<String>>,
    pub(super) append: Option<Spanned<String>>,
    pub(super) restarts: Option<Spanned<u32>>,
    pub(super) populate: Option<Spanned<String>>,
    pub(super) measured: Option<Spanned<Vec<String>>>,
    #[serde(default)]
    pub(super) devices: DevicesTable,
    #[serde(default)]
    pub(super) realm: RealmTable,
    #[serde(default)]
    pub(super) place: PlaceTable,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RealmTable {
    pub(super) ipa_bits: Option<Spanned<u8>>,
    pub(super) rtt_start_level: Option<Spanned<u8>>,
    pub(super) hash: Option<Spanned<String>>,
    pub(super) breakpoints: Option<Spanned<u8>>,
    pub(super) watchpoints: Option<Spanned<u8>>,
    pub(super) rpv: Option<Spanned<String>>,
    pub(super) ram_requests: Option<Spanned<String>>,
    pub(super) cpu_on: Option<Spanned<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct DevicesTable {
    pub(super) console: bool,
    pub(super) entropy: bool,
    pub(super) network: bool,
    pub(super) disk: Vec<Spanned<DiskTable>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct DiskTable {
    pub(super) image: Option<String>,
    pub(super) size: Option<Spanned<String>>,
    pub(super) readonly: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PlaceTable {
    pub(super) image: Option<Spanned<u64>>,
    pub(super) dtb: Option<Spanned<u64>>,
    pub(super) initrd: Option<Spanned<u64>>,
}
