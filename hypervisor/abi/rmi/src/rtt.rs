//! Realm translation tables as both sides speak of them (DEN0137 A5).

use addr::{Ipa, PhysAddr};

/// RIPAS: what a Realm may expect at a protected IPA.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[repr(u8)]
pub enum Ripas {
    /// Nothing: accesses abort inside the Realm.
    Empty = 0,
    /// Private memory.
    Ram = 1,
    /// Was RAM until the host took the memory away.
    Destroyed = 2,
}

impl Ripas {
    /// Decodes a register or a field of `RecExit`.
    pub const fn from_raw(raw: u64) -> Option<Self> {
        match raw {
            0 => Some(Self::Empty),
            1 => Some(Self::Ram),
            2 => Some(Self::Destroyed),
            _ => None,
        }
    }
}

/// HIPAS as `RTT_READ_ENTRY` reports it: what the host has put at an IPA.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[repr(u8)]
pub enum EntryState {
    /// Nothing is mapped.
    Unassigned = 0,
    /// A page or a block is mapped.
    Assigned = 1,
    /// A table of the next level.
    Table = 2,
}

impl EntryState {
    /// Decodes a register.
    pub const fn from_raw(raw: u64) -> Option<Self> {
        match raw {
            0 => Some(Self::Unassigned),
            1 => Some(Self::Assigned),
            2 => Some(Self::Table),
            _ => None,
        }
    }
}

/// The last level of an RTT, whose entries map 4 KiB pages.
pub const LAST_LEVEL: i8 = 3;
/// Entries in one RTT.
pub const ENTRIES: u64 = 512;

/// Bytes that one entry of an RTT at `level` (-1 to 3) maps; 0 elsewhere.
pub const fn entry_size(level: i8) -> u64 {
    match level {
        -1..=3 => 1 << (12 + 9 * (3 - level) as u32),
        _ => 0,
    }
}

/// The half of a Realm's IPA space that an address lies in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum IpaHalf {
    /// Private memory, measured and encrypted.
    Protected,
    /// Shared with the host.
    Unprotected,
}

/// A Realm's IPA space: its width decides where the shared half begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct IpaSpace {
    bits: u8,
}

impl IpaSpace {
    /// A space of `bits` bits, if RMI 1.0 without LPA2 allows it (32 to 48).
    pub const fn new(bits: u8) -> Option<Self> {
        match bits {
            32..=48 => Some(Self { bits }),
            _ => None,
        }
    }

    /// Its width in bits, `s2sz`.
    pub const fn bits(self) -> u8 {
        self.bits
    }

    /// The bit that tells the shared half from the protected one.
    pub const fn shared_bit(self) -> u64 {
        1 << (self.bits - 1)
    }

    /// The first address past the space.
    pub const fn top(self) -> Ipa {
        Ipa::new(1 << self.bits)
    }

    /// The first address of the shared half.
    pub const fn unprotected_base(self) -> Ipa {
        Ipa::new(self.shared_bit())
    }

    /// The half `ipa` lies in, or `None` past the end.
    pub const fn half(self, ipa: Ipa) -> Option<IpaHalf> {
        if ipa.raw() >> self.bits != 0 {
            None
        } else if ipa.raw() & self.shared_bit() == 0 {
            Some(IpaHalf::Protected)
        } else {
            Some(IpaHalf::Unprotected)
        }
    }

    /// The address without the bit that says shared.
    pub const fn strip(self, ipa: Ipa) -> Ipa {
        Ipa::new(ipa.raw() & !self.shared_bit())
    }

    /// The same place in the shared half.
    pub const fn shared(self, ipa: Ipa) -> Ipa {
        Ipa::new(ipa.raw() | self.shared_bit())
    }
}

/// Memory attributes of an unprotected mapping, as FEAT_S2FWB encodes them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum UnprotectedAttr {
    /// Device-nGnRE.
    Device = 0b001,
    /// Normal, non-cacheable.
    NonCacheable = 0b101,
    /// Normal, write-back.
    WriteBack = 0b110,
}

/// The descriptor `RTT_MAP_UNPROTECTED` takes: output address, attributes,
/// access. Everything else must be zero.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UnprotectedDesc(u64);

impl UnprotectedDesc {
    /// Read and write access to `pa`, which must be aligned for the level used.
    pub const fn read_write(pa: PhysAddr, attr: UnprotectedAttr) -> Self {
        Self((pa.raw() & 0x0000_ffff_ffff_f000) | (attr as u64) << 2 | 0b11 << 6)
    }

    /// The register value.
    pub const fn raw(self) -> u64 {
        self.0
    }
}
