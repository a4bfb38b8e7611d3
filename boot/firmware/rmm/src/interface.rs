//! Versions of the RMM-EL3 interface that are understood (§1).
//!
//! EL3 of a version may serve an RMM of the same major version and a lower or
//! equal minor one. What the RMM needs of 0.x came with 0.3; of 2.x it needs
//! nothing that 2.0 has not.

/// A major version of the interface.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Interface {
    /// 0.3 and later: five answer registers, a GIC bank for each world.
    V0,
    /// 2.0 and later: eight answer registers, one GIC bank for both worlds.
    V2,
}

const V0_MINOR_MIN: u64 = 3;

impl Interface {
    /// The interface that a version word of the boot arguments means, if it is
    /// understood.
    pub const fn from_version(word: u64) -> Option<Self> {
        match (word >> 16, word & 0xffff) {
            (0, minor) if minor >= V0_MINOR_MIN => Some(Self::V0),
            (2, _) => Some(Self::V2),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_majors_are_understood_with_whatever_minor_was_added_to() {
        for (word, interface) in [
            (0x0_0003, Interface::V0),
            (0x0_0008, Interface::V0),
            (0x2_0000, Interface::V2),
            (0x2_0007, Interface::V2),
        ] {
            assert_eq!(Interface::from_version(word), Some(interface), "{word:#x}");
        }
    }

    #[test]
    fn older_minors_other_majors_and_words_with_high_bits_are_not() {
        for word in [0, 2, 0x1_0003, 0x3_0000, 0x8002_0000, 1 << 32 | 4] {
            assert_eq!(Interface::from_version(word), None, "{word:#x}");
        }
    }
}
