//! What can be wrong with a description, as sentences.

use crate::devices::{MAX_DISKS, Mac};
use crate::plan::{MAX_NAME, MAX_REGIONS, MAX_VCPUS, MAX_VMS, Name, RegionKind};
use addr::IpaRange;
use core::fmt;

/// A description that cannot be used, and whose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The VM, unless the bundle as a whole is meant.
    pub vm: Option<Name>,
    /// What is wrong.
    pub problem: Problem,
}

/// What is wrong with a description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The bundle does not start with a sound description.
    Damaged(&'static str),
    /// More VMs than there is room for.
    TooManyVms,
    /// No VM at all.
    NoVm,
    /// Two VMs have this VM's name.
    DuplicateName,
    /// The name cannot be one.
    BadName,
    /// A property of the description is absent or of the wrong form.
    BadProperty(&'static str),
    /// A property has a word nobody knows.
    UnknownWord {
        /// The property.
        property: &'static str,
        /// The words there are.
        known: &'static [&'static str],
    },
    /// The number of vCPUs is outside 1 to [`MAX_VCPUS`].
    BadVcpus(u32),
    /// The list of CPUs has not one for each vCPU.
    BadPins {
        /// CPUs in the list.
        pins: usize,
        /// vCPUs there are.
        vcpus: u32,
    },
    /// A CPU is in the list twice.
    PinnedTwice(u8),
    /// A CPU is dedicated to another VM already.
    CpuTaken {
        /// The CPU.
        cpu: u8,
        /// The other VM.
        other: Name,
    },
    /// The address of the network interface is not that of one interface.
    BadMac(Mac),
    /// Another VM's network interface has the same address.
    SameMac {
        /// The address.
        mac: Mac,
        /// The other VM.
        other: Name,
    },
    /// More disks than there is room for.
    TooManyDisks,
    /// A disk, by its number, cannot be one, and why.
    BadDisk(usize, &'static str),
    /// No such width of an IPA space is supported.
    BadIpaBits(u32),
    /// No translation table of that width can start at that level.
    BadGeometry {
        /// The width.
        ipa_bits: u8,
        /// The level.
        start_level: u32,
    },
    /// Breakpoints or watchpoints outside 1 to 63, minus-one encoded.
    BadDebug(&'static str),
    /// RAM is not whole 2 MiB blocks, or is no range.
    BadMemory {
        /// Its first address.
        base: u64,
        /// Its size.
        size: u64,
    },
    /// RAM does not lie where RAM may be.
    MemoryOutOfPlace(IpaRange),
    /// More regions than there is room for.
    TooManyRegions,
    /// A region is not whole granules of guest memory, or is no range.
    BadRegion(RegionKind),
    /// A region's bytes are not all in the bundle, or not at a granule of it.
    OutsideBundle(RegionKind),
    /// A region is larger than the whole RAM.
    LargerThanMemory {
        /// Which.
        region: RegionKind,
        /// Its size.
        size: u64,
        /// Bytes of RAM.
        memory: u64,
    },
    /// A region lies outside the RAM.
    OutsideMemory {
        /// Which.
        region: RegionKind,
        /// Where it lies.
        range: IpaRange,
        /// The RAM.
        memory: IpaRange,
    },
    /// Two regions share memory.
    Overlap {
        /// One.
        first: RegionKind,
        /// The other.
        second: RegionKind,
        /// What they share.
        shared: IpaRange,
    },
    /// The entry point is not a word of some region.
    BadEntry(u64),
    /// x0 is not zero and not an address of RAM.
    BadX0(u64),
    /// The machine has too little RAM.
    MachineTooSmall {
        /// Bytes wanted.
        wanted: u64,
        /// Bytes there are.
        available: u64,
    },
    /// The machine supports only narrower IPA spaces.
    MachineTooNarrow {
        /// Bits wanted.
        wanted: u8,
        /// Bits there are.
        available: u8,
    },
    /// All of the machine's CPUs, so many, are dedicated to VMs.
    NoCpuLeft(usize),
    /// The machine has no such CPU.
    NoSuchCpu {
        /// Its number.
        wanted: u8,
        /// CPUs there are.
        available: usize,
    },
}

impl Problem {
    /// This problem, as one of the whole bundle.
    pub fn of_bundle(self) -> ConfigError {
        ConfigError {
            vm: None,
            problem: self,
        }
    }

    /// This problem, as one of a VM.
    pub fn of(self, vm: &Name) -> ConfigError {
        ConfigError {
            vm: Some(vm.clone()),
            problem: self,
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.vm {
            // A refused name may hold anything, terminal control included.
            Some(vm) => write!(f, "VM {}: {}", vm.escape_default(), self.problem),
            None => write!(f, "VM bundle: {}", self.problem),
        }
    }
}

impl core::error::Error for ConfigError {}

/// A size as a person would write it.
struct Size(u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(bytes) = *self;
        match bytes {
            0 => f.write_str("0 bytes"),
            _ if bytes.is_multiple_of(1 << 20) => write!(f, "{} MiB", bytes >> 20),
            _ if bytes.is_multiple_of(1 << 10) => write!(f, "{} KiB", bytes >> 10),
            _ => write!(f, "{bytes} bytes"),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Damaged(what) => write!(f, "its description is damaged: {what}"),
            Self::TooManyVms => write!(f, "there are more than {MAX_VMS} VMs"),
            Self::NoVm => f.write_str("it describes no VM"),
            Self::DuplicateName => f.write_str("another VM has the same name"),
            Self::BadName => write!(
                f,
                "a name is 1 to {MAX_NAME} letters, digits, '-', '_' or '.'"
            ),
            Self::BadProperty(name) => write!(f, "{name} is absent or of the wrong form"),
            Self::UnknownWord { property, known } => {
                write!(f, "{property} is not one of")?;
                known.iter().try_for_each(|word| write!(f, " \"{word}\""))
            }
            Self::BadVcpus(n) => write!(f, "{n} vCPUs, where 1 to {MAX_VCPUS} are possible"),
            Self::BadIpaBits(bits) => {
                write!(f, "ipa_bits is {bits}, where 32 to 48 are possible")
            }
            Self::BadGeometry {
                ipa_bits,
                start_level,
            } => write!(
                f,
                "a table for {ipa_bits} address bits cannot start at level {start_level}"
            ),
            Self::BadDebug(which) => write!(f, "the number of {which} is not 2 to 64"),
            _ => self.fmt_parts(f),
        }
    }
}

impl Problem {
    /// The sentences about CPUs and devices.
    fn fmt_parts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadPins { pins, vcpus } => write!(
                f,
                "{pins} CPUs for {vcpus} vCPUs, where each vCPU needs its own"
            ),
            Self::PinnedTwice(cpu) => write!(f, "CPU {cpu} is given to two of its vCPUs"),
            Self::CpuTaken { cpu, other } => {
                write!(
                    f,
                    "CPU {cpu} is dedicated to {} already",
                    other.escape_default()
                )
            }
            Self::BadMac(mac) => write!(f, "{mac} is no address of a network interface"),
            Self::SameMac { mac, other } => write!(
                f,
                "its network address {mac} is that of {} too; give it another name",
                other.escape_default()
            ),
            Self::TooManyDisks => write!(f, "there are more than {MAX_DISKS} disks"),
            Self::BadDisk(number, why) => write!(f, "its disk {number} {why}"),
            Self::NoCpuLeft(cpus) => write!(
                f,
                "all {cpus} CPUs of this machine are dedicated to VMs, where the host needs one; \
                 take one out of a list of cpus"
            ),
            Self::NoSuchCpu { wanted, available } => write!(
                f,
                "it wants CPU {wanted}, this machine has {available}, numbered from 0"
            ),
            _ => self.fmt_memory(f),
        }
    }

    /// The sentences about addresses and sizes.
    #[allow(clippy::too_many_lines, reason = "a table: one sentence per problem")]
    fn fmt_memory(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::BadMemory { base, size } => write!(
                f,
                "{} of memory at {base:#x}: both must be multiples of 2 MiB and more than zero",
                Size(size)
            ),
            Self::MemoryOutOfPlace(range) => write!(
                f,
                "its memory {range} must lie above the devices and below the shared half of the address space"
            ),
            Self::TooManyRegions => write!(f, "there are more than {MAX_REGIONS} regions"),
            Self::BadRegion(kind) => {
                write!(f, "its {} is not placed on whole 4 KiB pages", kind.word())
            }
            Self::OutsideBundle(kind) => {
                write!(f, "its {} does not lie inside the bundle", kind.word())
            }
            Self::LargerThanMemory {
                region,
                size,
                memory,
            } => write!(
                f,
                "its {} takes {}, its memory is only {}",
                region.word(),
                Size(size),
                Size(memory)
            ),
            Self::OutsideMemory {
                region,
                range,
                memory,
            } => write!(
                f,
                "its {} at {range} lies outside its memory {memory}",
                region.word()
            ),
            Self::Overlap {
                first,
                second,
                shared,
            } => write!(
                f,
                "its {} and its {} overlap at {shared}",
                first.word(),
                second.word()
            ),
            Self::BadEntry(entry) => {
                write!(
                    f,
                    "its entry point {entry:#x} is not an instruction of a region"
                )
            }
            Self::BadX0(x0) => write!(f, "its x0 is {x0:#x}, which is no address of its memory"),
            Self::MachineTooSmall { wanted, available } => write!(
                f,
                "it wants {}, this machine has {} left",
                Size(wanted),
                Size(available)
            ),
            Self::MachineTooNarrow { wanted, available } => write!(
                f,
                "it wants {wanted} address bits, this machine offers {available}"
            ),
            _ => Ok(()),
        }
    }
}
