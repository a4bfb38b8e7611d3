//! The shape of the start of a Realm translation table (DEN0137 A5.2,
//! DDI0487 D8.2 on concatenated tables).

/// Widths of an IPA space that a description may ask for.
pub const IPA_BITS: core::ops::RangeInclusive<u8> = 32..=48;
/// Start-level tables at most.
const MAX_TABLES_LOG2: u8 = 4;

/// The start level of a translation table and how many tables it has there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    start_level: u8,
    tables: u8,
}

impl Geometry {
    /// The shape that starts as deep as possible, with as many concatenated
    /// tables as that takes: what verifiers of measurements assume.
    pub const fn deepest(ipa_bits: u8) -> Option<Self> {
        let mut level = 3;
        while level > 0 {
            level -= 1;
            if let Some(geometry) = Self::at_level(ipa_bits, level) {
                return Some(geometry);
            }
        }
        None
    }

    /// The shape that starts at `start_level`, if there is one.
    pub const fn at_level(ipa_bits: u8, start_level: u8) -> Option<Self> {
        if start_level > 2 || ipa_bits < *IPA_BITS.start() || ipa_bits > *IPA_BITS.end() {
            return None;
        }
        // Bits one table of this level resolves, with those of the levels below.
        let span = 9 * (3 - start_level) + 21;
        let extra = ipa_bits.saturating_sub(span);
        let limit = if start_level > 0 { MAX_TABLES_LOG2 } else { 0 };
        // A table of which less than two entries are used is refused.
        if extra > limit || ipa_bits + 8 < span {
            return None;
        }
        Some(Self {
            start_level,
            tables: 1 << extra,
        })
    }

    /// Level of the start-level tables.
    pub const fn start_level(self) -> u8 {
        self.start_level
    }

    /// Number of start-level tables, which lie together and are aligned to
    /// their sum.
    pub const fn tables(self) -> u8 {
        self.tables
    }
}
