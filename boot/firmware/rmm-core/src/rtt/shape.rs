//! The shape of a Realm's IPA space: width, start level, start tables, and the
//! registers that tell the hardware (DEN0137 A5.2, DDI0487 `VTCR_EL2`).

use ::rmi::rtt::{IpaHalf, IpaSpace, LAST_LEVEL, entry_size};
use addr::{GranuleAddr, Ipa};
use core::fmt;

/// The IPA space of a Realm and where its tables begin.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RealmSpace {
    /// Width and halves.
    pub space: IpaSpace,
    /// Level of the start tables.
    pub start_level: i8,
    /// The first of the start tables, which are contiguous.
    pub base: GranuleAddr,
    /// Their number, a power of two up to 16.
    pub tables: u64,
}

/// Parameters that describe no IPA space.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ShapeError {
    /// The width is outside 32 to 48 bits, or more than the CPU has.
    Width,
    /// The start level cannot begin a space of this width on this CPU.
    Level,
    /// A space of this width and level has another number of start tables.
    Tables,
    /// The start tables are not aligned to their total size.
    Base,
}

impl fmt::Display for ShapeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Width => "s2sz must be 32 to 48 and no more than feature register 0 says",
            Self::Level => "rtt_level_start does not fit s2sz",
            Self::Tables => "rtt_num_start does not fit s2sz and rtt_level_start",
            Self::Base => "rtt_base must be aligned to the size of all start-level RTTs",
        })
    }
}

impl core::error::Error for ShapeError {}

impl RealmSpace {
    /// Checks a Realm's parameters for a CPU with `pa_bits` of address.
    pub fn new(
        s2sz: u64,
        start_level: i64,
        base: u64,
        tables: u64,
        pa_bits: u8,
    ) -> Result<Self, ShapeError> {
        let bits = u8::try_from(s2sz).map_err(|_| ShapeError::Width)?;
        let space = IpaSpace::new(bits)
            .filter(|_| bits <= pa_bits)
            .ok_or(ShapeError::Width)?;
        // The levels below decide how many bits one start table resolves.
        let below = match start_level {
            0 if pa_bits >= 44 => 3,
            1 => 2,
            2 => 1,
            _ => return Err(ShapeError::Level),
        };
        let one_table = 9 * below + 21;
        let concatenated = if start_level > 0 { 4 } else { 0 };
        if s2sz < 9 * below + 13 || s2sz > one_table + concatenated {
            return Err(ShapeError::Level);
        }
        if tables != 1 << s2sz.saturating_sub(one_table) {
            return Err(ShapeError::Tables);
        }
        let base = GranuleAddr::from_raw(base)
            .ok()
            .filter(|base| base.is_aligned(tables * addr::GRANULE_SIZE))
            .ok_or(ShapeError::Base)?;
        Ok(Self {
            space,
            start_level: start_level as i8,
            base,
            tables,
        })
    }

    /// The half `ipa` lies in, or `None` past the end of the space.
    pub fn half(&self, ipa: Ipa) -> Option<IpaHalf> {
        self.space.half(ipa)
    }

    /// Whether `ipa` lies in the protected half.
    pub fn is_protected(&self, ipa: Ipa) -> bool {
        self.half(ipa) == Some(IpaHalf::Protected)
    }

    /// Whether `base..top` is a range of whole granules in the protected half.
    pub fn is_protected_range(&self, base: Ipa, top: Ipa) -> bool {
        base < top
            && base.is_aligned(addr::GRANULE_SIZE)
            && top.is_aligned(addr::GRANULE_SIZE)
            && top <= self.space.unprotected_base()
    }

    /// Whether `ipa` can name an entry of a table at `level`: inside the space
    /// and aligned to what the entry maps.
    pub fn is_entry(&self, ipa: Ipa, level: i8) -> bool {
        let size = entry_size(level);
        size != 0 && ipa.is_aligned(size) && self.half(ipa).is_some()
    }

    /// Whether tables exist at `level` below the start tables.
    pub fn is_below_start(&self, level: i8) -> bool {
        self.start_level < level && level <= LAST_LEVEL
    }
}

/// `VTCR_EL2` for a space on a CPU with `pa_bits` of address and 16-bit VMIDs
/// if `vmid16`.
pub fn vtcr(space: &RealmSpace, pa_bits: u8, vmid_bits: u8) -> u64 {
    const RES1: u64 = 1 << 31;
    const WALKS_WRITE_BACK: u64 = 0b01 << 8 | 0b01 << 10;
    const WALKS_INNER_SHAREABLE: u64 = 0b11 << 12;
    let t0sz = 64 - u64::from(space.space.bits());
    let sl0 = match space.start_level {
        0 => 2,
        1 => 1,
        _ => 0,
    };
    let ps = match pa_bits {
        0..=35 => 0,
        36..=39 => 1,
        40..=41 => 2,
        42..=43 => 3,
        44..=47 => 4,
        _ => 5,
    };
    let vs = u64::from(vmid_bits == 16);
    RES1 | t0sz | sl0 << 6 | WALKS_WRITE_BACK | WALKS_INNER_SHAREABLE | ps << 16 | vs << 19
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(s2sz: u64, level: i64, base: u64, tables: u64) -> Result<RealmSpace, ShapeError> {
        RealmSpace::new(s2sz, level, base, tables, 48)
    }

    #[test]
    fn the_usual_spaces_are_accepted() {
        assert!(shape(33, 2, 0x8000, 8).is_ok());
        assert!(shape(34, 2, 0x10000, 16).is_ok());
        assert!(shape(32, 1, 0x1000, 1).is_ok());
        assert!(shape(39, 1, 0x1000, 1).is_ok());
        assert!(shape(43, 1, 0x10000, 16).is_ok());
        assert!(shape(48, 0, 0x1000, 1).is_ok());
    }

    #[test]
    fn spaces_that_cannot_be_walked_are_refused() {
        assert_eq!(shape(31, 1, 0x1000, 1), Err(ShapeError::Width));
        assert_eq!(shape(49, 0, 0x1000, 2), Err(ShapeError::Width));
        assert_eq!(
            RealmSpace::new(41, 1, 0x4000, 4, 40),
            Err(ShapeError::Width)
        );
        assert_eq!(shape(33, 3, 0x1000, 8), Err(ShapeError::Level));
        assert_eq!(shape(33, -1, 0x1000, 8), Err(ShapeError::Level));
        assert_eq!(shape(35, 2, 0x20000, 32), Err(ShapeError::Level));
        assert_eq!(shape(39, 0, 0x1000, 1), Err(ShapeError::Level));
        assert_eq!(
            RealmSpace::new(42, 0, 0x1000, 1, 42),
            Err(ShapeError::Level)
        );
        assert_eq!(shape(33, 2, 0x8000, 4), Err(ShapeError::Tables));
        assert_eq!(shape(33, 2, 0x1000, 8), Err(ShapeError::Base));
        assert_eq!(shape(33, 2, 0x8001, 8), Err(ShapeError::Base));
    }

    #[test]
    fn the_control_register_says_what_the_space_is() {
        let space = shape(33, 2, 0x8000, 8).unwrap();
        // T0SZ 31, SL0 0, write-back inner shareable walks, PS 48 bits, VS.
        assert_eq!(vtcr(&space, 48, 16), 0x800d_351f);
        let space = shape(48, 0, 0x8000, 1).unwrap();
        assert_eq!(vtcr(&space, 48, 8), 0x8005_3590);
    }
}
