//! Versions of the RMM-EL3 interface, and what differs between them (§1, §5).
//!
//! An RMM accepts one major version only: 0.x pairs with RMI 1.0, 2.x with
//! RMI 2.0. So the flash, which holds the RMM, also says which one to offer.

/// The version that the monitor offers to the RMM in its flash.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Interface {
    /// 0.4: an answer has five registers, each world has its own `ICH_*_EL2`.
    #[default]
    V0_4,
    /// 2.0: an answer has eight registers, the worlds share `ICH_*_EL2` and
    /// `ICC_SRE_EL2`, and the RMM can ask for memory.
    V2_0,
}

impl Interface {
    /// The version that a word of the flash header chooses, if there is such.
    pub const fn chosen_by(word: u64) -> Option<Self> {
        match word {
            0 => Some(Self::V0_4),
            2 => Some(Self::V2_0),
            _ => None,
        }
    }

    /// The version word, as the RMM's boot arguments hold it.
    pub const fn version(self) -> u64 {
        match self {
            Self::V0_4 => 4,
            Self::V2_0 => 2 << 16,
        }
    }

    /// How many registers the RMM's answer fills, from x0.
    pub const fn answer_registers(self) -> usize {
        match self {
            Self::V0_4 => 5,
            Self::V2_0 => 8,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flash_that_says_nothing_gets_the_version_of_rmi_1_0() {
        assert_eq!(Interface::chosen_by(0), Some(Interface::V0_4));
        assert_eq!(Interface::default().version(), 0x0000_0004);
    }

    #[test]
    fn the_second_version_is_chosen_by_its_major_number_and_no_other_exists() {
        assert_eq!(Interface::chosen_by(2), Some(Interface::V2_0));
        assert_eq!(Interface::V2_0.version(), 0x0002_0000);
        for word in [1, 3, 4, u64::MAX] {
            assert_eq!(Interface::chosen_by(word), None, "{word:#x}");
        }
    }
}
