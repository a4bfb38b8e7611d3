//! What is to run: each VM owned, without pointers into the bundle.

use crate::devices::Devices;
use crate::geometry::Geometry;
use crate::map;
use addr::{Ipa, IpaRange};
use heapless::{String, Vec};

/// VMs at most.
pub const MAX_VMS: usize = 128;
/// Regions of a VM at most.
pub const MAX_REGIONS: usize = 8;
/// Bytes of a name at most.
pub const MAX_NAME: usize = 31;
/// vCPUs of a VM at most.
pub const MAX_VCPUS: u32 = 64;

/// A VM's name: letters, digits, `-`, `_` and `.`.
pub type Name = String<MAX_NAME, u8>;

/// The physical CPUs that a VM's vCPUs are dedicated to.
pub type Pins = Vec<u8, { MAX_VCPUS as usize }, u8>;

/// One VM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VmPlan {
    /// Its name.
    pub name: Name,
    /// What protects it from its host.
    pub kind: VmKind,
    /// Number of vCPUs.
    pub vcpus: u32,
    /// The physical CPU of each vCPU, which then runs nothing else; empty if
    /// its vCPUs share what CPUs nobody is dedicated to.
    pub cpus: Pins,
    /// Its RAM: whole 2 MiB blocks inside the protected half.
    pub memory: IpaRange,
    /// Width of its IPA space.
    pub ipa_bits: u8,
    /// Where vCPU 0 starts.
    pub entry: Ipa,
    /// What vCPU 0 finds in x0: the address of its device tree, or zero.
    pub x0: u64,
    /// How often a reset starts it again.
    pub restarts: u32,
    /// In which steps its RAM is populated on fault.
    pub populate: Populate,
    /// What it has beside the fixed devices of [`map`].
    pub devices: Devices,
    /// What only a Realm has.
    pub realm: RealmSettings,
    /// What its RAM holds at first, ascending and apart, in whole granules.
    pub regions: Vec<Region, MAX_REGIONS>,
}

/// What protects a VM from its host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VmKind {
    /// A Realm.
    Realm,
    /// Nothing: a plain VM.
    Normal,
}

/// The steps in which RAM is populated on fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Populate {
    /// 2 MiB at a time, folded into blocks.
    Blocks,
    /// 4 KiB at a time, for counting.
    Granules,
}

/// What the host answers when a Realm asks to have memory as RAM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RamRequests {
    /// It agrees.
    Accept,
    /// It rejects the change.
    Reject,
}

/// What the host answers when a vCPU of a Realm turns another one on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CpuOn {
    /// It lets it run.
    Accept,
    /// PSCI's DENIED.
    Deny,
}

/// A measurement algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hash {
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
}

/// The parameters of a Realm that its measurement covers, and its policies.
///
/// They have fixed defaults and never follow the machine, or the measurement
/// would differ from one RMM to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RealmSettings {
    /// Shape of the start of its translation table.
    pub geometry: Geometry,
    /// Algorithm of its measurements.
    pub hash: Hash,
    /// Breakpoints as `RmiRealmParams` has them: their number minus one.
    pub num_bps: u8,
    /// Watchpoints as `RmiRealmParams` has them: their number minus one.
    pub num_wps: u8,
    /// Realm Personalization Value.
    pub rpv: [u8; 64],
    /// The answer to requests for RAM.
    pub ram_requests: RamRequests,
    /// The answer to PSCI `CPU_ON`.
    pub cpu_on: CpuOn,
}

impl RealmSettings {
    /// The defaults for a width, if there is a table for it.
    pub const fn new(ipa_bits: u8) -> Option<Self> {
        match Geometry::deepest(ipa_bits) {
            Some(geometry) => Some(Self {
                geometry,
                hash: Hash::Sha256,
                num_bps: 1,
                num_wps: 1,
                rpv: [0; 64],
                ram_requests: RamRequests::Accept,
                cpu_on: CpuOn::Accept,
            }),
            None => None,
        }
    }
}

/// What a region holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegionKind {
    /// A Linux kernel.
    Kernel,
    /// An initial file system.
    Initrd,
    /// A device tree.
    Dtb,
    /// A flat binary.
    Payload,
}

/// A piece of a VM's first memory contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// What it holds.
    pub kind: RegionKind,
    /// Where the guest has it, in whole granules.
    pub range: IpaRange,
    /// Where the bytes start in the bundle: a multiple of 4 KiB. They lie there
    /// in full, zero padding included.
    pub offset: u64,
    /// Whether its contents are part of the measurement.
    pub measured: bool,
}

impl VmPlan {
    /// The shared alias of an address of this VM.
    pub fn shared_alias(&self, ipa: Ipa) -> Ipa {
        Ipa::new(ipa.raw() | map::shared_bit(self.ipa_bits))
    }
}

macro_rules! words {
    ($type:ident { $($variant:ident = $word:literal),+ $(,)? }) => {
        impl $type {
            /// Every word of the description and of VM files for it.
            pub const WORDS: &'static [&'static str] = &[$($word),+];

            /// The word for it.
            pub const fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word),+
                }
            }

            /// What a word stands for.
            pub fn from_word(word: &str) -> Option<Self> {
                match word {
                    $($word => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }
    };
}

words!(VmKind { Realm = "realm", Normal = "normal" });
words!(Populate { Blocks = "2m", Granules = "4k" });
words!(RamRequests { Accept = "accept", Reject = "reject" });
words!(CpuOn { Accept = "accept", Deny = "deny" });
words!(Hash { Sha256 = "sha-256", Sha512 = "sha-512" });
words!(RegionKind {
    Kernel = "kernel",
    Initrd = "initrd",
    Dtb = "dtb",
    Payload = "payload",
});
