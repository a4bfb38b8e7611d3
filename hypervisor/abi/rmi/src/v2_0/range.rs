//! Physical memory as RMI 2.0 speaks of it: descriptors of ranges of blocks,
//! lists of them in a page, requests for memory, and the flags of the commands
//! that map and unmap. All for an RMM that accounts in 4 KiB granules.

use addr::{GRANULE_SIZE, GranuleAddr};
use core::fmt;

/// Descriptors that fit in a list page.
pub const LIST_ENTRIES: usize = (GRANULE_SIZE / 8) as usize;
/// Blocks that one descriptor can count.
pub const MAX_BLOCKS: u64 = 0x3ff;

const PA_MASK: u64 = 0x000f_ffff_ffff_f000;

/// The size of a block, as a level of translation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
#[repr(u8)]
pub enum BlockSize {
    /// Level 3.
    Size4K = 0,
    /// Level 2.
    Size2M = 1,
    /// Level 1.
    Size1G = 2,
    /// Level 0.
    Size512G = 3,
}

impl BlockSize {
    /// Decodes the lowest two bits of `raw`.
    pub const fn from_raw(raw: u64) -> Self {
        match raw & 0b11 {
            0 => Self::Size4K,
            1 => Self::Size2M,
            2 => Self::Size1G,
            _ => Self::Size512G,
        }
    }

    /// The size of a block that an RTT entry at `level` maps.
    pub const fn at_level(level: i8) -> Option<Self> {
        Some(match level {
            3 => Self::Size4K,
            2 => Self::Size2M,
            1 => Self::Size1G,
            0 => Self::Size512G,
            _ => return None,
        })
    }

    /// The level of an RTT entry that maps such a block.
    pub const fn level(self) -> i8 {
        3 - self as i8
    }

    /// Granules in a block.
    pub const fn granules(self) -> u64 {
        1 << (9 * self as u32)
    }

    /// Bytes in a block.
    pub const fn bytes(self) -> u64 {
        self.granules() * GRANULE_SIZE
    }
}

/// Whose memory is, as a descriptor or a request says it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[repr(u8)]
pub enum MemState {
    /// In the Realm PAS.
    Delegated = 0,
    /// In the Non-secure PAS.
    Undelegated = 1,
    /// One or the other; ask before use (late flavour).
    Conditional = 2,
}

impl MemState {
    const fn from_raw(raw: u64) -> Option<Self> {
        match raw & 0b11 {
            0 => Some(Self::Delegated),
            1 => Some(Self::Undelegated),
            2 => Some(Self::Conditional),
            _ => None,
        }
    }
}

/// Where a descriptor holds its state. The flavours differ: what is
/// undelegated to one is conditional to the other.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Default)]
pub enum StateField {
    /// Bit 63 (early flavour).
    #[default]
    OneBit,
    /// Bits 63:62 (late flavour).
    TwoBits,
}

impl StateField {
    const fn encode(self, state: MemState) -> Option<u64> {
        match (self, state) {
            (_, MemState::Delegated) => Some(0),
            (Self::OneBit, MemState::Undelegated) => Some(1 << 63),
            (Self::OneBit, MemState::Conditional) => None,
            (Self::TwoBits, state) => Some((state as u64) << 62),
        }
    }

    const fn decode(self, raw: u64) -> Option<MemState> {
        match (self, raw >> 62) {
            (_, 0) => Some(MemState::Delegated),
            (Self::OneBit, 0b10) => Some(MemState::Undelegated),
            (Self::OneBit, _) => None,
            (Self::TwoBits, state) => MemState::from_raw(state),
        }
    }
}

/// `count` blocks of one size from `base`: an address range descriptor.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct RangeDesc {
    base: GranuleAddr,
    size: BlockSize,
    count: u16,
    state: MemState,
}

/// Why something is no address range descriptor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BadDesc {
    /// It counts no block, or more than its field holds.
    Count {
        /// The count asked for.
        count: u64,
    },
    /// Its address is not a multiple of its block size.
    Misaligned {
        /// The address.
        base: GranuleAddr,
        /// The block size.
        size: BlockSize,
    },
    /// It reaches past the 52-bit physical space.
    TooHigh {
        /// Its first address.
        base: GranuleAddr,
    },
    /// Reserved bits are set, or its state is none this flavour has.
    Reserved {
        /// The descriptor as it came.
        raw: u64,
    },
}

impl fmt::Display for BadDesc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count { count } => write!(f, "a range of {count} blocks; 1 to 1023 can be said"),
            Self::Misaligned { base, size } => {
                write!(f, "{base} is not a multiple of {:#x}", size.bytes())
            }
            Self::TooHigh { base } => write!(f, "a range from {base} past 52 bits"),
            Self::Reserved { raw } => write!(f, "{raw:#x} is no address range descriptor"),
        }
    }
}

impl core::error::Error for BadDesc {}

impl RangeDesc {
    /// `count` blocks of `size` from `base`.
    pub const fn new(
        base: GranuleAddr,
        size: BlockSize,
        count: u64,
        state: MemState,
    ) -> Result<Self, BadDesc> {
        if count == 0 || count > MAX_BLOCKS {
            return Err(BadDesc::Count { count });
        }
        if !base.is_aligned(size.bytes()) {
            return Err(BadDesc::Misaligned { base, size });
        }
        // 1023 blocks of 2^39 bytes and an address of 64 bits: the sum may wrap.
        match base.raw().checked_add(count * size.bytes()) {
            Some(top) if top <= 1 << 52 => Ok(Self {
                base,
                size,
                count: count as u16,
                state,
            }),
            _ => Err(BadDesc::TooHigh { base }),
        }
    }

    /// Decodes a descriptor.
    pub const fn decode(raw: u64, field: StateField) -> Result<Self, BadDesc> {
        let state = match field.decode(raw) {
            Some(state) if raw & (0x3ff << 52) == 0 => state,
            _ => return Err(BadDesc::Reserved { raw }),
        };
        let base = match GranuleAddr::from_raw(raw & PA_MASK) {
            Ok(base) => base,
            Err(_) => return Err(BadDesc::Reserved { raw }),
        };
        Self::new(
            base,
            BlockSize::from_raw(raw),
            (raw >> 2) & MAX_BLOCKS,
            state,
        )
    }

    /// Encodes the descriptor. A flavour that cannot say "conditional" is told
    /// "undelegated".
    pub const fn encode(self, field: StateField) -> u64 {
        let state = match field.encode(self.state) {
            Some(bits) => bits,
            None => 1 << 63,
        };
        self.base.raw() | (self.count as u64) << 2 | self.size as u64 | state
    }

    /// The first granule.
    pub const fn base(self) -> GranuleAddr {
        self.base
    }

    /// The size of each block.
    pub const fn size(self) -> BlockSize {
        self.size
    }

    /// The number of blocks.
    pub const fn count(self) -> u64 {
        self.count as u64
    }

    /// Whose memory it is.
    pub const fn state(self) -> MemState {
        self.state
    }

    /// Granules in the range.
    pub const fn granules(self) -> u64 {
        self.count as u64 * self.size.granules()
    }

    /// Bytes in the range.
    pub const fn bytes(self) -> u64 {
        self.granules() * GRANULE_SIZE
    }
}

/// What an operation asks for (`RmiOpMemDonateReq`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct DonateRequest {
    /// Size of a block.
    pub size: BlockSize,
    /// Blocks wanted.
    pub count: u16,
    /// Whether all must be one self-aligned range in one descriptor.
    pub contiguous: bool,
    /// What the memory must be when it is given.
    pub state: MemState,
}

impl DonateRequest {
    /// Decodes x2; `None` if it asks for nothing, for a contiguous range that
    /// is no power of two, or has bits nobody defined.
    pub const fn decode(raw: u64) -> Option<Self> {
        let count = ((raw >> 2) & 0x3fff) as u16;
        let contiguous = raw & (1 << 16) != 0;
        if raw >> 19 != 0 || count == 0 || (contiguous && !count.is_power_of_two()) {
            return None;
        }
        match MemState::from_raw(raw >> 17) {
            Some(state) => Some(Self {
                size: BlockSize::from_raw(raw),
                count,
                contiguous,
                state,
            }),
            None => None,
        }
    }

    /// Encodes x2.
    pub const fn encode(self) -> u64 {
        self.size as u64
            | (self.count as u64 & 0x3fff) << 2
            | (self.contiguous as u64) << 16
            | (self.state as u64) << 17
    }

    /// Granules wanted.
    pub const fn granules(self) -> u64 {
        self.count as u64 * self.size.granules()
    }
}

impl fmt::Display for DonateRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {}{:?} blocks of {:#x} bytes",
            self.count,
            if self.contiguous { "contiguous " } else { "" },
            self.state,
            self.size.bytes()
        )
    }
}

/// The Non-secure page in which lists travel. The RMM writes it too: an entry
/// read twice may differ, so read each once.
pub trait ListPage {
    /// The page.
    fn page(&self) -> GranuleAddr;

    /// Writes entry `index`, below [`LIST_ENTRIES`].
    fn put(&mut self, index: usize, raw: u64);

    /// Reads entry `index`, below [`LIST_ENTRIES`].
    fn get(&self, index: usize) -> u64;
}

impl<T: ListPage + ?Sized> ListPage for &mut T {
    fn page(&self) -> GranuleAddr {
        (**self).page()
    }

    fn put(&mut self, index: usize, raw: u64) {
        (**self).put(index, raw);
    }

    fn get(&self, index: usize) -> u64 {
        (**self).get(index)
    }
}

/// Puts descriptors into a page, joining neighbours.
#[derive(Debug)]
pub struct ListWriter<P> {
    page: P,
    field: StateField,
    entries: usize,
    last: Option<RangeDesc>,
}

impl<P: ListPage> ListWriter<P> {
    /// An empty list in `page`.
    pub const fn new(page: P, field: StateField) -> Self {
        Self {
            page,
            field,
            entries: 0,
            last: None,
        }
    }

    /// Adds a range; `false`, and no change, if the page is full.
    pub fn push(&mut self, desc: RangeDesc) -> bool {
        if let Some(joined) = self.last.and_then(|last| join(last, desc)) {
            self.page
                .put(self.entries.saturating_sub(1), joined.encode(self.field));
            self.last = Some(joined);
            return true;
        }
        if self.entries >= LIST_ENTRIES {
            return false;
        }
        self.page.put(self.entries, desc.encode(self.field));
        self.entries += 1;
        self.last = Some(desc);
        true
    }

    /// Entries in the page.
    pub const fn entries(&self) -> usize {
        self.entries
    }
}

fn join(last: RangeDesc, next: RangeDesc) -> Option<RangeDesc> {
    let follows = last.base.checked_add(last.granules()) == Some(next.base);
    if !follows || last.size != next.size || last.state != next.state {
        return None;
    }
    RangeDesc::new(
        last.base,
        last.size,
        last.count() + next.count(),
        last.state,
    )
    .ok()
}

/// Which memory a mapping command means: `oaddr` and its bits of `flags`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Oaddr {
    /// None; what is unmapped is not reported.
    None,
    /// One range: given when mapping, answered when unmapping.
    Single(Option<RangeDesc>),
    /// A list in a Non-secure page.
    List {
        /// The page.
        page: GranuleAddr,
        /// Entries given, or entries that fit.
        entries: u16,
    },
}

impl Oaddr {
    /// The bits of `flags` that describe it.
    #[inline(always)]
    pub const fn flags(self) -> u64 {
        match self {
            Self::None => 0,
            Self::Single(_) => 1,
            Self::List { entries, .. } => 2 | (entries as u64 & 0x3fff) << 2,
        }
    }

    /// The argument `oaddr`.
    #[inline(always)]
    pub const fn raw(self, field: StateField) -> u64 {
        match self {
            Self::None | Self::Single(None) => 0,
            Self::Single(Some(desc)) => desc.encode(field),
            Self::List { page, .. } => page.raw(),
        }
    }
}

/// How a Realm may use shared memory (direct permissions).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[repr(u8)]
pub enum Access {
    /// Read only.
    Read = 0b10,
    /// Read and write.
    ReadWrite = 0b11,
}
