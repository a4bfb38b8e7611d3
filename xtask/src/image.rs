//! Images: ELF to flat, the flash of the embedded firmware, and the one flat
//! file of hypervisor and bundle.
//!
//! Layouts: the hypervisor starts with the 64-byte arm64 Image header of
//! Linux's booting document, followed by three words (magic, bundle offset,
//! bundle size). The flash has the monitor at 0 and, one page before the RMM at
//! 1 MiB, a header of three words (magic, RMM size, RMM-EL3 interface).

use anyhow::{Context, Result, bail, ensure};
use object::elf::{FileHeader64, PT_LOAD};
use object::read::elf::{FileHeader, ProgramHeader};

/// Granule of every alignment here.
const PAGE: u64 = 4096;
/// "!SUZNDB1": marks the words that say where the bundle is.
const BUNDLE_MAGIC: u64 = 0x3142_444E_5A55_5321;
/// "!SUZRMM1": marks the RMM in the flash.
const RMM_MAGIC: u64 = 0x314D_4D52_5A55_5321;
/// "!SUZBHV1": in the RMM's image, the word before the behaviour's number.
const BEHAVIOUR_MAGIC: u64 = 0x3156_4842_5A55_5321;
const RMM_HEADER: usize = 0xF_F000;
const RMM_OFFSET: usize = 0x10_0000;
const FLASH_SIZE: usize = 64 << 20;
/// Offset of `image_size` in the arm64 Image header.
const IMAGE_SIZE: usize = 0x10;
const BUNDLE_WORDS: usize = 0x40;
/// "ARM\x64" at 0x38 of the arm64 Image header.
const IMAGE_MAGIC: u32 = 0x644d_5241;
/// No image of ours comes near it; a larger one is a broken linker script.
const FLAT_LIMIT: u64 = 256 << 20;

/// A program as it lies in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flat {
    /// What is loaded, from the lowest address on.
    pub bytes: Vec<u8>,
    /// Memory it occupies, zero-initialised data included.
    pub memory: u64,
}

impl Flat {
    /// Lays the loadable segments of an ELF file out by physical address.
    pub fn from_elf(data: &[u8]) -> Result<Self> {
        let header =
            FileHeader64::<object::Endianness>::parse(data).context("not an ELF64 file")?;
        let endian = header.endian().context("not an ELF64 file")?;
        let segments: Vec<_> = header
            .program_headers(endian, data)
            .context("its program headers are damaged")?
            .iter()
            .filter(|segment| segment.p_type(endian) == PT_LOAD && segment.p_memsz(endian) > 0)
            .collect();
        let base = segments
            .iter()
            .map(|segment| segment.p_paddr(endian))
            .min()
            .context("it has nothing to load")?;
        let mut flat = Self {
            bytes: Vec::new(),
            memory: 0,
        };
        for segment in segments {
            let start = segment.p_paddr(endian) - base;
            let end = start.saturating_add(segment.p_memsz(endian));
            ensure!(
                end <= FLAT_LIMIT,
                "its segments span {end:#x} bytes; the linker script must keep them together"
            );
            flat.memory = flat.memory.max(end);
            let Ok(content) = segment.data(endian, data) else {
                bail!("a segment lies outside the file");
            };
            let start = usize::try_from(start)?;
            if flat.bytes.len() < start + content.len() {
                flat.bytes.resize(start + content.len(), 0);
            }
            flat.bytes[start..start + content.len()].copy_from_slice(content);
        }
        Ok(flat)
    }
}

/// Which dialect of RMI the embedded firmware speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Dialect {
    /// RMI 1.0.
    #[value(name = "1.0")]
    V1_0,
    /// RMI 2.0.
    #[default]
    #[value(name = "2.0")]
    V2_0,
}

impl Dialect {
    /// The word in the flash's header: the RMM follows the RMM-EL3 interface
    /// that the monitor offers.
    const fn word(self) -> u64 {
        match self {
            Self::V1_0 => 0,
            Self::V2_0 => 2,
        }
    }
}

/// Which known RMM of RMI 2.0 the embedded one behaves like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Behaviour {
    /// Itself.
    #[default]
    Own = 0,
    /// TF-RMM's head: one granule per range call, no operation called off.
    TfRmmHead = 1,
    /// 2.0-bet3: PSCI_COMPLETE with two arguments.
    Bet3 = 2,
    /// None that is known: few granules per call, operations that pause.
    Slow = 3,
}

/// Makes the RMM's image behave like a known RMM.
pub fn behave(rmm: &mut Flat, behaviour: Behaviour) -> Result<()> {
    let mut places = (0..rmm.bytes.len().saturating_sub(15))
        .step_by(8)
        .filter(|at| word(&rmm.bytes, *at) == BEHAVIOUR_MAGIC);
    let (Some(at), None) = (places.next(), places.next()) else {
        bail!("the RMM's image has no place for its behaviour, or more than one");
    };
    put(&mut rmm.bytes, at + 8, behaviour as u64);
    Ok(())
}

/// The flash image: monitor at 0, RMM behind its header at 1 MiB.
pub fn flash(monitor: &Flat, rmm: &Flat, dialect: Dialect) -> Result<Vec<u8>> {
    ensure!(
        monitor.bytes.len() <= RMM_HEADER,
        "the monitor has {} bytes, its part of the flash {RMM_HEADER}",
        monitor.bytes.len()
    );
    ensure!(
        rmm.bytes.len() <= FLASH_SIZE - RMM_OFFSET,
        "the RMM does not fit the flash"
    );
    let mut flash = monitor.bytes.clone();
    flash.resize(RMM_HEADER, 0);
    flash.extend_from_slice(&RMM_MAGIC.to_le_bytes());
    flash.extend_from_slice(&(rmm.bytes.len() as u64).to_le_bytes());
    flash.extend_from_slice(&dialect.word().to_le_bytes());
    flash.resize(RMM_OFFSET, 0);
    flash.extend_from_slice(&rmm.bytes);
    Ok(flash)
}

/// The one flat file: hypervisor, then its bundle (none if empty).
pub fn compose(hypervisor: &Flat, bundle: &[u8]) -> Result<Vec<u8>> {
    let mut image = hypervisor.bytes.clone();
    ensure!(
        image.len() >= BUNDLE_WORDS + 24,
        "the hypervisor image is too short for its header"
    );
    ensure!(
        word(&image, 0x38) & 0xFFFF_FFFF == u64::from(IMAGE_MAGIC),
        "the hypervisor image does not start with an arm64 Image header"
    );
    ensure!(
        word(&image, BUNDLE_WORDS) == BUNDLE_MAGIC,
        "the hypervisor image has no bundle header at {BUNDLE_WORDS:#x}"
    );
    let memory = hypervisor
        .memory
        .max(word(&image, IMAGE_SIZE))
        .next_multiple_of(PAGE);
    let (offset, size) = match bundle.len() as u64 {
        0 => (0, 0),
        size => (memory, size),
    };
    put(&mut image, BUNDLE_WORDS + 8, offset);
    put(&mut image, BUNDLE_WORDS + 16, size);
    put(
        &mut image,
        IMAGE_SIZE,
        (memory + size).next_multiple_of(PAGE),
    );
    if size > 0 {
        image.resize(usize::try_from(offset)?, 0);
        image.extend_from_slice(bundle);
    }
    Ok(image)
}

fn word(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(word)
}

fn put(bytes: &mut [u8], at: usize, value: u64) {
    bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
}

#[cfg(test)]
mod tests;
