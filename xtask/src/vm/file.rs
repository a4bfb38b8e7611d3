//! The VM file: its schema, its defaults, and what the command line overrides.

use super::layout::Fixed;
use super::text::{Origins, parse_size, schema_error};
use super::{CHECKS_WORD, Overrides};
use addr::{Ipa, IpaRange};
use anyhow::{Context, Result, bail};
use serde::Deserialize;
use std::fs;
use std::path::{Path, PathBuf};
use toml::Spanned;
use vm_config::{
    Geometry, Hash, Name, Populate, Problem, RamRequests, RealmSettings, RegionKind, VmKind,
    VmPlan, map,
};

/// A VM file as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    name: Option<Spanned<String>>,
    kind: Option<Spanned<String>>,
    vcpus: Option<Spanned<u32>>,
    memory: Option<Spanned<String>>,
    payload: Option<Spanned<String>>,
    kernel: Option<Spanned<String>>,
    initrd: Option<Spanned<String>>,
    cmdline: Option<Spanned<String>>,
    restarts: Option<Spanned<u32>>,
    populate: Option<Spanned<String>>,
    measured: Option<Spanned<Vec<String>>>,
    #[serde(default)]
    realm: RealmTable,
    #[serde(default)]
    place: PlaceTable,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RealmTable {
    ipa_bits: Option<Spanned<u8>>,
    rtt_start_level: Option<Spanned<u8>>,
    hash: Option<Spanned<String>>,
    breakpoints: Option<Spanned<u8>>,
    watchpoints: Option<Spanned<u8>>,
    rpv: Option<Spanned<String>>,
    ram_requests: Option<Spanned<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct PlaceTable {
    image: Option<Spanned<u64>>,
    dtb: Option<Spanned<u64>>,
    initrd: Option<Spanned<u64>>,
}

/// A VM file, read and resolved.
#[derive(Clone, Debug)]
pub struct VmFile {
    /// The VM without its regions, entry point and x0.
    pub(super) plan: VmPlan,
    /// What runs in it.
    pub(super) guest: Guest,
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
    /// Debian's, provisioned.
    Debian,
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
        let measured = reader.measured(&document)?;
        let fixed = reader.fixed(&document.place);
        Ok(Self {
            plan,
            guest,
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

    /// A refusal of the encoder, as an error at the key to mend.
    pub fn refusal(&self, problem: Problem) -> anyhow::Error {
        let key = match problem {
            Problem::BadName | Problem::DuplicateName => "name",
            Problem::BadVcpus(_) => "vcpus",
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

/// What reading a document needs at hand.
struct Reader<'a> {
    path: &'a Path,
    text: &'a str,
    overrides: &'a Overrides,
    origins: Origins,
}

impl Reader<'_> {
    /// The value of a key, with a note where it stands.
    fn take<'v, T>(&mut self, key: &'static str, value: &'v Option<Spanned<T>>) -> Option<&'v T> {
        let value = value.as_ref()?;
        self.origins.note(key, self.text, &value.span());
        Some(value.get_ref())
    }

    /// The value of a key whose words stand for something.
    fn word<T>(
        &mut self,
        key: &'static str,
        value: &Option<Spanned<String>>,
        parse: impl Fn(&str) -> Option<T>,
        words: &[&str],
        default: T,
    ) -> Result<T> {
        let Some(word) = self.take(key, value) else {
            return Ok(default);
        };
        parse(word).ok_or_else(|| {
            let words = words.join("\", \"");
            self.origins
                .error(key, format_args!("\"{word}\" is not one of \"{words}\""))
        })
    }

    fn plan(&mut self, document: &Document) -> Result<VmPlan> {
        let stem = self.path.file_stem().unwrap_or_default().to_string_lossy();
        let name = self
            .take("name", &document.name)
            .map_or(&*stem, String::as_str);
        let name =
            Name::try_from(name).map_err(|_| self.origins.error("name", Problem::BadName))?;
        let realm = &document.realm;
        let ipa_bits = self
            .take("ipa_bits", &realm.ipa_bits)
            .copied()
            .unwrap_or(map::DEFAULT_IPA_BITS);
        Ok(VmPlan {
            name,
            kind: self.word(
                "kind",
                &document.kind,
                VmKind::from_word,
                VmKind::WORDS,
                VmKind::Realm,
            )?,
            vcpus: self.take("vcpus", &document.vcpus).copied().unwrap_or(1),
            cpus: Default::default(),
            memory: self.memory(document)?,
            ipa_bits,
            entry: map::RAM_BASE,
            x0: 0,
            restarts: self
                .take("restarts", &document.restarts)
                .copied()
                .unwrap_or(0),
            populate: self.word(
                "populate",
                &document.populate,
                Populate::from_word,
                Populate::WORDS,
                Populate::Blocks,
            )?,
            devices: Default::default(),
            realm: self.realm(realm, ipa_bits)?,
            regions: Default::default(),
        })
    }

    fn memory(&mut self, document: &Document) -> Result<IpaRange> {
        let in_file = self.take("memory", &document.memory);
        let text = match (&self.overrides.memory, in_file) {
            (Some(option), _) => {
                let place = format!("--memory {option}");
                self.origins.note_option("memory", &place);
                option
            }
            (None, Some(text)) => text,
            (None, None) => bail!(
                "{}: memory is missing; add for example memory = \"512M\"",
                self.path.display()
            ),
        };
        let size = parse_size(text).map_err(|problem| self.origins.error("memory", problem))?;
        let base = map::RAM_BASE;
        IpaRange::with_size(base, size).map_err(|_| {
            let base = base.raw();
            self.origins
                .error("memory", Problem::BadMemory { base, size })
        })
    }

    fn realm(&mut self, table: &RealmTable, ipa_bits: u8) -> Result<RealmSettings> {
        let mut realm = RealmSettings::new(ipa_bits).ok_or_else(|| {
            self.origins
                .error("ipa_bits", Problem::BadIpaBits(ipa_bits.into()))
        })?;
        if let Some(level) = self.take("rtt_start_level", &table.rtt_start_level) {
            realm.geometry = Geometry::at_level(ipa_bits, *level).ok_or_else(|| {
                let start_level = u32::from(*level);
                self.origins.error(
                    "rtt_start_level",
                    Problem::BadGeometry {
                        ipa_bits,
                        start_level,
                    },
                )
            })?;
        }
        realm.hash = self.word(
            "hash",
            &table.hash,
            Hash::from_word,
            Hash::WORDS,
            realm.hash,
        )?;
        realm.ram_requests = self.word(
            "ram_requests",
            &table.ram_requests,
            RamRequests::from_word,
            RamRequests::WORDS,
            realm.ram_requests,
        )?;
        // Files count breakpoints, the RMM's parameters hold the number minus one.
        if let Some(number) = self.take("breakpoints", &table.breakpoints) {
            realm.num_bps = number.saturating_sub(1);
        }
        if let Some(number) = self.take("watchpoints", &table.watchpoints) {
            realm.num_wps = number.saturating_sub(1);
        }
        if let Some(hex) = self.take("rpv", &table.rpv) {
            realm.rpv = parse_rpv(hex).ok_or_else(|| {
                self.origins
                    .error("rpv", "it is not up to 128 hexadecimal digits in pairs")
            })?;
        }
        Ok(realm)
    }

    fn guest(&mut self, document: &Document, plan: &VmPlan) -> Result<Guest> {
        let payload = self.take("payload", &document.payload).cloned();
        let kernel = self.take("kernel", &document.kernel).cloned();
        match (payload, kernel) {
            (Some(payload), None) => {
                self.refuse_linux_keys(document)?;
                Ok(Guest::Payload(payload))
            }
            (None, Some(kernel)) => Ok(self.linux(document, plan, &kernel)),
            (Some(_), Some(_)) => Err(self
                .origins
                .error("kernel", "a VM runs a kernel or a payload, not both")),
            (None, None) => bail!(
                "{}: nothing to run; add kernel = \"debian\", kernel = \"<file>\" or payload = \"<name>\"",
                self.path.display()
            ),
        }
    }

    /// A payload has none of the things only a kernel takes.
    fn refuse_linux_keys(&mut self, document: &Document) -> Result<()> {
        for (key, value) in [("initrd", &document.initrd), ("cmdline", &document.cmdline)] {
            if self.take(key, value).is_some() {
                return Err(self.origins.error(key, "a payload has none"));
            }
        }
        let options = [
            ("--kernel", self.overrides.kernel.is_some()),
            ("--initrd", self.overrides.initrd.is_some()),
            ("--cmdline", self.overrides.cmdline.is_some()),
        ];
        match options.iter().find(|(_, given)| *given) {
            Some((option, _)) => bail!(
                "{option}: {} runs a payload; use it with a VM that runs a kernel, as --guest linux",
                self.path.display()
            ),
            None => Ok(()),
        }
    }

    fn linux(&mut self, document: &Document, plan: &VmPlan, kernel: &str) -> Guest {
        let kernel = match (&self.overrides.kernel, kernel) {
            (Some(path), _) => {
                self.origins.note_option("kernel", "--kernel");
                Kernel::File(path.clone())
            }
            (None, "debian") => Kernel::Debian,
            (None, path) => Kernel::File(self.relative(path)),
        };
        let initrd = self.take("initrd", &document.initrd).map(String::as_str);
        let initrd = match (&self.overrides.initrd, initrd) {
            (Some(path), _) => {
                self.origins.note_option("initrd", "--initrd");
                Initrd::File(path.clone())
            }
            (None, Some("builtin")) => Initrd::BuiltIn,
            (None, Some(path)) => Initrd::File(self.relative(path)),
            (None, None) => Initrd::None,
        };
        let cmdline = self.take("cmdline", &document.cmdline).cloned();
        let cmdline = self.overrides.cmdline.clone().or(cmdline);
        let mut cmdline = cmdline.unwrap_or_else(|| default_cmdline(plan));
        if self.overrides.headless {
            cmdline = format!("{cmdline} {CHECKS_WORD}");
        }
        Guest::Linux {
            kernel,
            initrd,
            cmdline: cmdline.trim().to_owned(),
        }
    }

    /// A path of the file, which is meant from the file's folder.
    fn relative(&self, path: &str) -> PathBuf {
        let folder = self.path.parent().unwrap_or(Path::new(""));
        folder.join(path)
    }

    fn measured(&mut self, document: &Document) -> Result<Vec<RegionKind>> {
        let all = [
            RegionKind::Kernel,
            RegionKind::Payload,
            RegionKind::Dtb,
            RegionKind::Initrd,
        ];
        let Some(words) = self.take("measured", &document.measured) else {
            return Ok(all.to_vec());
        };
        let mut measured = Vec::new();
        for word in words {
            measured.push(RegionKind::from_word(word).ok_or_else(|| {
                let known = RegionKind::WORDS.join("\", \"");
                self.origins.error(
                    "measured",
                    format_args!("\"{word}\" is not one of \"{known}\""),
                )
            })?);
        }
        Ok(measured)
    }

    fn fixed(&mut self, table: &PlaceTable) -> Fixed {
        let mut place = |key, value: &Option<Spanned<u64>>| {
            let value = self.take(key, value).copied();
            value.map(Ipa::new)
        };
        Fixed {
            image: place("place.image", &table.image),
            dtb: place("place.dtb", &table.dtb),
            initrd: place("place.initrd", &table.initrd),
        }
    }
}

/// The command line of a kernel whose VM file has none.
///
/// - The early console is set up before a Realm's kernel knows that devices are
///   at their shared alias, so its address must say so.
/// - No device here does DMA; left alone, Linux fills 64 MiB of private memory
///   for bounce buffers and at once gives them up as private memory.
/// - A panic restarts the guest, which the host sees, rather than hang it.
/// - The self-tests of ciphers take half of the time to boot.
fn default_cmdline(plan: &VmPlan) -> String {
    let uart = match plan.kind {
        VmKind::Realm => plan.shared_alias(map::UART_BASE),
        VmKind::Normal => map::UART_BASE,
    };
    let console = format!("earlycon=pl011,mmio32,{:#x} console=ttyAMA0", uart.raw());
    format!("{console} swiotlb=512 panic=-1 cryptomgr.notests")
}

/// A personalization value of up to 64 bytes, filled up with zeros.
fn parse_rpv(hex: &str) -> Option<[u8; 64]> {
    let mut rpv = [0; 64];
    if !hex.is_ascii() || !hex.len().is_multiple_of(2) || hex.len() > 128 {
        return None;
    }
    for (byte, pair) in rpv.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
        let digits = std::str::from_utf8(pair).ok()?;
        if digits.starts_with('+') {
            return None;
        }
        *byte = u8::from_str_radix(digits, 16).ok()?;
    }
    Some(rpv)
}
