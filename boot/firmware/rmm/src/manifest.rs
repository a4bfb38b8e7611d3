//! The boot manifest in the page that EL3 and the RMM share (RMM-EL3 interface, §4).
//!
//! Its arrays lie in the same page and are named by physical address. Version
//! 0.3 is the first that names consoles; later 0.x versions only append. A
//! memory bank the RMM cannot use is an error rather than skipped: a granule
//! table with silent holes would refuse memory the host was promised.

use addr::{PhysAddr, PhysRange};
use core::fmt;

/// Bytes in the shared page.
pub const PAGE_SIZE: usize = 4096;
/// Memory banks that are understood.
pub const MAX_BANKS: usize = 8;
/// One past the highest physical address the RMM maps.
pub const PA_LIMIT: u64 = 1 << 46;

const VERSION_MAJOR: u32 = 0;
const VERSION_MINOR_MIN: u32 = 3;
const OFFSET_DRAM: usize = 0x10;
const OFFSET_CONSOLES: usize = 0x28;
const BANK_SIZE: usize = 16;
const CONSOLE_SIZE: usize = 48;
/// Words of an entry that its list's checksum covers, as bits. A console's name
/// and flags are outside it in firmware of interface 0.x, inside it since 2.0:
/// either sum will do.
const BANK_SUMMED: u64 = 0b11;
const CONSOLE_SUMMED: u64 = 0b01_1011;
const PL011: [u8; 8] = *b"pl011\0\0\0";

/// What the monitor told the RMM.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Manifest {
    banks: [Option<PhysRange>; MAX_BANKS],
    /// The first PL011 among the consoles.
    pub console: Option<PhysAddr>,
}

/// Why a manifest is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ManifestError {
    /// Its version is not 0.3 or a later 0.x.
    Version(u32),
    /// A list is not wholly inside the shared page, or not 8-byte aligned.
    OutsidePage(u64),
    /// The words of a list that count do not add up to zero.
    Checksum(&'static str),
    /// More memory banks than [`MAX_BANKS`], or none.
    BankCount(u64),
    /// A bank is empty, unaligned, out of order or past [`PA_LIMIT`].
    Bank {
        /// Its base as given.
        base: u64,
        /// Its size as given.
        size: u64,
    },
}

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(version) => write!(
                f,
                "boot manifest version {}.{} is not served: EL3 must pass 0.3 or a later 0.x",
                version >> 16 & 0x7fff,
                version & 0xffff
            ),
            Self::OutsidePage(address) => write!(
                f,
                "boot manifest names a list at {address:#x}: lists must lie in the shared page, 8-byte aligned"
            ),
            Self::Checksum(list) => write!(
                f,
                "boot manifest's {list} list has a wrong checksum: its words must add up to zero"
            ),
            Self::BankCount(count) => write!(
                f,
                "boot manifest names {count} memory banks: 1 to {MAX_BANKS} are understood"
            ),
            Self::Bank { base, size } => write!(
                f,
                "boot manifest's memory bank {base:#x} size {size:#x} is unusable: banks must be 4 KiB aligned, ascending and below {PA_LIMIT:#x}"
            ),
        }
    }
}

impl core::error::Error for ManifestError {}

impl Manifest {
    /// Reads the manifest in `page`, which lies at `page_address`.
    pub fn parse(page: &[u8; PAGE_SIZE], page_address: PhysAddr) -> Result<Self, ManifestError> {
        let page = Page {
            bytes: page,
            address: page_address.raw(),
        };
        let version = page.u64_at(0)? as u32;
        if version >> 16 != VERSION_MAJOR || version & 0xffff < VERSION_MINOR_MIN {
            return Err(ManifestError::Version(version));
        }
        Ok(Self {
            banks: page.banks()?,
            console: page.console()?,
        })
    }

    /// The memory banks, ascending.
    pub fn banks(&self) -> impl Iterator<Item = PhysRange> + '_ {
        self.banks.iter().flatten().copied()
    }
}

/// A counted list elsewhere in the page.
struct List {
    count: u64,
    offset: usize,
}

struct Page<'a> {
    bytes: &'a [u8; PAGE_SIZE],
    address: u64,
}

impl Page<'_> {
    fn u64_at(&self, offset: usize) -> Result<u64, ManifestError> {
        offset
            .checked_add(8)
            .and_then(|end| self.bytes.get(offset..end))
            .and_then(|bytes| bytes.try_into().ok())
            .map(u64::from_le_bytes)
            .ok_or(ManifestError::OutsidePage(
                self.address.wrapping_add(offset as u64),
            ))
    }

    /// The list whose header is at `header`, with its checksum verified.
    fn list(
        &self,
        header: usize,
        entry_size: usize,
        summed: u64,
        name: &'static str,
    ) -> Result<List, ManifestError> {
        let count = self.u64_at(header)?;
        let pointer = self.u64_at(header + 8)?;
        let mut sum = count
            .wrapping_add(pointer)
            .wrapping_add(self.u64_at(header + 16)?);
        let mut sum_of_all = sum;
        let outside = ManifestError::OutsidePage(pointer);
        let mut offset = 0;
        if count != 0 {
            let delta = pointer.checked_sub(self.address).ok_or(outside)?;
            let bytes = count.checked_mul(entry_size as u64).ok_or(outside)?;
            let end = delta.checked_add(bytes).ok_or(outside)?;
            if delta % 8 != 0 || end > PAGE_SIZE as u64 {
                return Err(outside);
            }
            offset = delta as usize;
            for (index, word) in (offset..end as usize).step_by(8).enumerate() {
                let value = self.u64_at(word)?;
                sum_of_all = sum_of_all.wrapping_add(value);
                if summed >> (index % (entry_size / 8)) & 1 != 0 {
                    sum = sum.wrapping_add(value);
                }
            }
        }
        if sum != 0 && sum_of_all != 0 {
            return Err(ManifestError::Checksum(name));
        }
        Ok(List { count, offset })
    }

    fn banks(&self) -> Result<[Option<PhysRange>; MAX_BANKS], ManifestError> {
        let list = self.list(OFFSET_DRAM, BANK_SIZE, BANK_SUMMED, "memory")?;
        if list.count == 0 || list.count > MAX_BANKS as u64 {
            return Err(ManifestError::BankCount(list.count));
        }
        let mut banks = [None; MAX_BANKS];
        let mut floor = 1;
        for (slot, index) in banks.iter_mut().zip(0..list.count as usize) {
            let at = list.offset + index * BANK_SIZE;
            let (base, size) = (self.u64_at(at)?, self.u64_at(at + 8)?);
            let bad = ManifestError::Bank { base, size };
            let range = PhysRange::with_size(PhysAddr::new(base), size).map_err(|_| bad)?;
            if !range.is_aligned(PAGE_SIZE as u64) || base < floor || range.top().raw() > PA_LIMIT {
                return Err(bad);
            }
            floor = range.top().raw();
            *slot = Some(range);
        }
        Ok(banks)
    }

    fn console(&self) -> Result<Option<PhysAddr>, ManifestError> {
        let list = self.list(OFFSET_CONSOLES, CONSOLE_SIZE, CONSOLE_SUMMED, "console")?;
        for index in 0..list.count as usize {
            let at = list.offset + index * CONSOLE_SIZE;
            let base = self.u64_at(at)?;
            let usable = base != 0 && base % PAGE_SIZE as u64 == 0 && base < PA_LIMIT;
            if usable && self.u64_at(at + 16)?.to_le_bytes() == PL011 {
                return Ok(Some(PhysAddr::new(base)));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests;
