//! Why a device asks for a reset.

use addr::Ipa;
use core::fmt;

use crate::Inaccessible;

/// What a driver did that no driver may.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Broken {
    /// It turned a queue on with a size that is no power of two up to the maximum.
    QueueSize {
        /// The size it gave.
        size: u16,
    },
    /// It turned a queue on whose parts are misaligned or wrap around.
    QueueAddress {
        /// Where a part lies.
        ipa: Ipa,
    },
    /// Its available index ran ahead by more than the queue holds.
    AvailableIndex {
        /// The index it wrote.
        index: u16,
        /// The index up to which the device has taken buffers.
        taken: u16,
    },
    /// It named a descriptor past the end of its table.
    DescriptorIndex {
        /// The index it gave.
        index: u16,
        /// Descriptors in the table.
        count: u16,
    },
    /// A chain has more descriptors than the queue, so it may have no end.
    ChainLength,
    /// A buffer the device reads follows one that it writes.
    ChainOrder,
    /// A table of indirect descriptors was not agreed on, is inside another one,
    /// is followed by more, or has no size it can have.
    Indirect {
        /// Bytes of the table.
        length: u32,
    },
    /// A buffer ends past the end of the address space.
    BufferAddress {
        /// Where it starts.
        ipa: Ipa,
    },
    /// A buffer or a part of a queue lies where the device may not reach.
    Inaccessible {
        /// The address.
        ipa: Ipa,
    },
    /// A chain is too short for what the device must find or leave in it.
    ShortChain,
}

impl From<Inaccessible> for Broken {
    fn from(error: Inaccessible) -> Self {
        Self::Inaccessible { ipa: error.ipa }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::QueueSize { size } => write!(
                f,
                "its driver made a queue of {size} entries: use a power of two up to {}",
                crate::queue::MAX_SIZE
            ),
            Self::QueueAddress { ipa } => write!(
                f,
                "its driver put a part of a queue at {ipa}, where it cannot be: align it"
            ),
            Self::AvailableIndex { index, taken } => write!(
                f,
                "its driver offers buffers up to {index} where {taken} are taken: that is more than the queue holds"
            ),
            Self::DescriptorIndex { index, count } => write!(
                f,
                "its driver named descriptor {index} of a table of {count}"
            ),
            Self::ChainLength => {
                f.write_str("its driver made a chain longer than the queue, perhaps a loop")
            }
            Self::ChainOrder => f.write_str(
                "its driver put a buffer to read behind one to write: readable ones come first",
            ),
            Self::Indirect { length } => write!(
                f,
                "its driver made an indirect table of {length} bytes that cannot be: it was not agreed on, is nested, is not the last of its chain, or has no fitting size"
            ),
            Self::BufferAddress { ipa } => write!(
                f,
                "its driver gave a buffer at {ipa} that ends past the end of the address space"
            ),
            Self::Inaccessible { ipa } => write!(
                f,
                "its driver gave the address {ipa}, which is not RAM, or not shared with the host"
            ),
            Self::ShortChain => {
                f.write_str("its driver made a chain too short for the header or the status")
            }
        }
    }
}

impl core::error::Error for Broken {}
