//! From what is written to what is meant: defaults, words, and what the command
//! line overrides.

use super::Overrides;
use super::document::{Document, PlaceTable, RealmTable};
use super::file::Guest;
use super::layout::Fixed;
use super::text::{Origins, parse_size};
use addr::{Ipa, IpaRange};
use anyhow::{Result, bail};
use std::path::{Path, PathBuf};
use toml::Spanned;
use vm_config::{
    CpuOn, Geometry, Hash, Name, Pins, Populate, Problem, RamRequests, RealmSettings, RegionKind,
    VmKind, VmPlan, map,
};

/// What reading a document needs at hand.
pub(super) struct Reader<'a> {
    pub(super) path: &'a Path,
    pub(super) text: &'a str,
    pub(super) overrides: &'a Overrides,
    pub(super) origins: Origins,
}

impl Reader<'_> {
    /// The value of a key, with a note where it stands.
    pub(super) fn take<'v, T>(
        &mut self,
        key: &'static str,
        value: &'v Option<Spanned<T>>,
    ) -> Option<&'v T> {
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

    pub(super) fn plan(&mut self, document: &Document) -> Result<VmPlan> {
        let stem = self.path.file_stem().unwrap_or_default().to_string_lossy();
        let name = self
            .take("name", &document.name)
            .map_or(&*stem, String::as_str);
        let name =
            Name::try_from(name).map_err(|_| self.origins.error("name", Problem::BadName))?;
        let devices = self.devices(&document.devices, &name);
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
            cpus: self.pins(document)?,
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
            devices,
            realm: self.realm(realm, ipa_bits)?,
            regions: Default::default(),
        })
    }

    fn pins(&mut self, document: &Document) -> Result<Pins> {
        let Some(cpus) = self.take("cpus", &document.cpus) else {
            return Ok(Pins::new());
        };
        Pins::from_slice(cpus).map_err(|_| {
            let vcpus = document.vcpus.as_ref().map_or(1, |vcpus| *vcpus.get_ref());
            let pins = cpus.len();
            self.origins.error("cpus", Problem::BadPins { pins, vcpus })
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
        realm.cpu_on = self.word(
            "cpu_on",
            &table.cpu_on,
            CpuOn::from_word,
            CpuOn::WORDS,
            realm.cpu_on,
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

    /// A path of the file, which is meant from the file's folder.
    pub(super) fn relative(&self, path: &str) -> PathBuf {
        let folder = self.path.parent().unwrap_or(Path::new(""));
        folder.join(path)
    }

    pub(super) fn measured(&mut self, document: &Document) -> Result<Vec<RegionKind>> {
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

    pub(super) fn fixed(&mut self, table: &PlaceTable, guest: &Guest) -> Fixed {
        // See `Guest::UBoot`: the device tree first, then room for its stack.
        let (image, dtb) = match guest {
            Guest::UBoot => (
                map::RAM_BASE.checked_add(2 * map::BLOCK_SIZE),
                Some(map::RAM_BASE),
            ),
            _ => (None, None),
        };
        let mut place = |key, value: &Option<Spanned<u64>>| {
            let value = self.take(key, value).copied();
            value.map(Ipa::new)
        };
        Fixed {
            image: place("place.image", &table.image).or(image),
            dtb: place("place.dtb", &table.dtb).or(dtb),
            initrd: place("place.initrd", &table.initrd),
        }
    }
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
