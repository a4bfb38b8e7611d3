//! What a Realm shall be: its parameters, memory and start, decided by its
//! owner and never copied from feature registers, since they are measured.

use addr::{GRANULE_SIZE, GranuleAddr, Ipa, IpaRange};
use core::fmt;
use rmi::client::Contents;
use rmi::features::Features0;
use rmi::rtt::{IpaSpace, LAST_LEVEL, entry_size};
use rmi::v1_0::HashAlgo;

/// Images a Realm can start with.
pub const MAX_IMAGES: usize = 16;
/// vCPUs a Realm can have.
pub const MAX_VCPUS: usize = 16;

/// Contents that are in a Realm's memory when it starts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Image {
    /// Where in the Realm.
    pub ipa: Ipa,
    /// The first of the host's pages that hold it.
    pub source: GranuleAddr,
    /// How many pages.
    pub pages: u32,
    /// Whether they are measured.
    pub contents: Contents,
}

impl Image {
    /// Where in the Realm it ends.
    fn top(&self) -> Option<Ipa> {
        self.ipa
            .checked_add(u64::from(self.pages).checked_mul(GRANULE_SIZE)?)
    }
}

/// How private memory is provided when the Realm first touches it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Populate {
    /// 2 MiB at a time, folded into a block where that is possible.
    Block,
    /// The page that was touched.
    Page,
}

/// What the host says when the Realm asks for more RAM within its memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RamRequests {
    /// Yes. Linux asks for all of its RAM as it starts.
    Accept,
    /// No.
    Reject,
}

/// The description of a Realm.
#[derive(Clone, Debug)]
pub struct RealmSpec {
    /// VMID in the Realm world; no two live Realms may have the same.
    pub vmid: u16,
    /// The IPA space.
    pub ipa: IpaSpace,
    /// Level of the start-level RTTs.
    pub start_level: i8,
    /// How many concatenated start-level RTTs.
    pub start_tables: u8,
    /// Hash of the measurements.
    pub hash: HashAlgo,
    /// Breakpoints minus one.
    pub num_bps: u8,
    /// Watchpoints minus one.
    pub num_wps: u8,
    /// Realm Personalization Value.
    pub rpv: [u8; 64],
    /// Private memory.
    pub ram: IpaRange,
    /// What is in it at the start, by ascending IPA.
    pub images: heapless::Vec<Image, MAX_IMAGES>,
    /// vCPUs; only the first runs at the start.
    pub vcpus: u32,
    /// Entry point of the first vCPU.
    pub pc: Ipa,
    /// x0 to x7 of the first vCPU.
    pub gprs: [u64; 8],
    /// How memory is provided on first touch.
    pub populate: Populate,
    /// What to say when the Realm asks for RAM.
    pub ram_requests: RamRequests,
}

/// A description that cannot become a Realm.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SpecError {
    /// RAM is not 4 KiB aligned or not inside the protected half.
    Ram(IpaRange),
    /// An image is empty, unaligned or not inside RAM.
    ImageOutside(Ipa),
    /// Images overlap or are not in ascending order.
    ImageOrder(Ipa),
    /// Start level and number of start-level RTTs do not give the IPA width.
    Geometry {
        /// The level.
        level: i8,
        /// The number.
        tables: u8,
        /// The IPA width.
        bits: u8,
    },
    /// No vCPU, or more than [`MAX_VCPUS`].
    Vcpus(u32),
    /// Breakpoints or watchpoints of zero, which RMI 1.0 reserves.
    DebugRegisters,
    /// The hypervisor gave fewer region slots than RAM has 2 MiB regions.
    Regions {
        /// Slots needed.
        needed: usize,
    },
    /// The RMM does not offer what the description asks for.
    Unsupported(Lacking),
}

/// A feature an RMM may lack.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lacking {
    /// An IPA space this wide.
    IpaBits(u8),
    /// The hash algorithm.
    Hash(HashAlgo),
    /// That many breakpoints or watchpoints.
    DebugRegisters,
    /// That many RECs.
    Recs(u32),
}

impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ram(range) => write!(
                f,
                "RAM {range} must be 4 KiB aligned and lie in the protected half: move or shrink it"
            ),
            Self::ImageOutside(ipa) => write!(
                f,
                "the image at {ipa} must be 4 KiB aligned and lie inside RAM: move it or add memory"
            ),
            Self::ImageOrder(ipa) => write!(
                f,
                "the image at {ipa} overlaps the one before it or stands out of order: move it"
            ),
            Self::Geometry {
                level,
                tables,
                bits,
            } => write!(
                f,
                "{tables} RTTs of level {level} do not span {bits} IPA bits: correct the geometry"
            ),
            Self::Vcpus(count) => write!(f, "{count} vCPUs asked for: give 1 to {MAX_VCPUS}"),
            Self::DebugRegisters => {
                f.write_str("breakpoints and watchpoints are minus-one encoded: give 1 to 63")
            }
            Self::Regions { needed } => write!(f, "RAM needs {needed} region slots: give as many"),
            Self::Unsupported(lacking) => match lacking {
                Lacking::IpaBits(bits) => {
                    write!(f, "the RMM has no IPA space of {bits} bits: ask for fewer")
                }
                Lacking::Hash(hash) => write!(f, "the RMM has no {hash:?}: choose another hash"),
                Lacking::DebugRegisters => {
                    f.write_str("the RMM has fewer breakpoints or watchpoints: ask for fewer")
                }
                Lacking::Recs(count) => {
                    write!(
                        f,
                        "the RMM allows fewer than {count} RECs: ask for fewer vCPUs"
                    )
                }
            },
        }
    }
}

impl core::error::Error for SpecError {}

impl RealmSpec {
    /// Checks everything that does not depend on an RMM.
    pub fn check(&self) -> Result<(), SpecError> {
        let protected_top = self.ipa.unprotected_base();
        if !self.ram.is_aligned(GRANULE_SIZE) || self.ram.top() > protected_top {
            return Err(SpecError::Ram(self.ram));
        }
        let mut free_from = self.ram.base();
        for image in &self.images {
            let top = image.top().ok_or(SpecError::ImageOutside(image.ipa))?;
            let inside = image.ipa >= self.ram.base() && top <= self.ram.top();
            if !inside || image.pages == 0 || !image.ipa.is_aligned(GRANULE_SIZE) {
                return Err(SpecError::ImageOutside(image.ipa));
            }
            if image.ipa < free_from {
                return Err(SpecError::ImageOrder(image.ipa));
            }
            free_from = top;
        }
        self.check_geometry()?;
        if self.vcpus == 0 || self.vcpus as usize > MAX_VCPUS {
            return Err(SpecError::Vcpus(self.vcpus));
        }
        let debug = 1..=63;
        if !debug.contains(&self.num_bps) || !debug.contains(&self.num_wps) {
            return Err(SpecError::DebugRegisters);
        }
        Ok(())
    }

    /// Start tables must span the space exactly, without concatenating more
    /// than 16 (DEN0137 A5.2.3).
    fn check_geometry(&self) -> Result<(), SpecError> {
        let wrong = SpecError::Geometry {
            level: self.start_level,
            tables: self.start_tables,
            bits: self.ipa.bits(),
        };
        if !(0..LAST_LEVEL).contains(&self.start_level) {
            return Err(wrong);
        }
        // The start level must have work to do: at least two entries in use.
        let least = 9 * (LAST_LEVEL - self.start_level) + 13;
        if i16::from(self.ipa.bits()) < i16::from(least) {
            return Err(wrong);
        }
        let one_table = entry_size(self.start_level) << 9;
        let space = self.ipa.top().raw();
        let tables = space.div_ceil(one_table);
        if tables > 16 || tables != u64::from(self.start_tables) {
            return Err(wrong);
        }
        Ok(())
    }

    /// Checks that an RMM offers what is asked for.
    pub fn fits(&self, features: Features0) -> Result<(), SpecError> {
        let offer = features.fields();
        let lacking = if self.ipa.bits() > offer.s2sz {
            Lacking::IpaBits(self.ipa.bits())
        } else if !match self.hash {
            HashAlgo::Sha256 => offer.hash_sha_256,
            HashAlgo::Sha512 => offer.hash_sha_512,
        } {
            Lacking::Hash(self.hash)
        } else if self.num_bps > offer.num_bps || self.num_wps > offer.num_wps {
            Lacking::DebugRegisters
        } else if self.vcpus >= 1 << offer.max_recs_order {
            Lacking::Recs(self.vcpus)
        } else {
            return Ok(());
        };
        Err(SpecError::Unsupported(lacking))
    }

    /// Pages of all images.
    pub fn image_pages(&self) -> u64 {
        self.images.iter().map(|image| u64::from(image.pages)).sum()
    }
}
