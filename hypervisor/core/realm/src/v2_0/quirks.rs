//! What is particular about an RMM of RMI 2.0.

use core::fmt;
use rmi::v2_0::range::StateField;

/// Arguments of `PSCI_COMPLETE`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Arity {
    /// The caller and the status: the RMM knows the target.
    Two,
    /// The caller, the target and the status.
    Three,
}

/// What asking an RMM before its first Realm told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Quirks {
    /// How it wants PSCI calls completed.
    pub psci: Arity,
    /// Where its descriptors hold their state.
    pub field: StateField,
    /// Granules that one call delegates when asked for many.
    pub granules_per_call: u64,
}

impl Quirks {
    /// The early flavour: TF-RMM after its release 0.9.0.
    pub const EARLY: Self = Self {
        psci: Arity::Three,
        field: StateField::OneBit,
        granules_per_call: 0,
    };

    /// The late flavour: 2.0-bet3.
    pub const LATE: Self = Self {
        psci: Arity::Two,
        field: StateField::TwoBits,
        granules_per_call: 0,
    };
}

impl Quirks {
    /// Which flavour of RMI 2.0 it is.
    pub const fn flavour(&self) -> &'static str {
        match self.psci {
            Arity::Two => "bet3",
            Arity::Three => "tf-rmm",
        }
    }

    /// What is particular, in words for a report.
    pub fn words(&self) -> impl Iterator<Item = &'static str> {
        let psci = match self.psci {
            Arity::Two => "psci-complete-2-arguments",
            Arity::Three => "psci-complete-3-arguments",
        };
        let single = (self.granules_per_call == 1).then_some("one-granule-ranges");
        core::iter::once(psci).chain(single)
    }
}

impl fmt::Display for Quirks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.psci {
            Arity::Two => f.write_str("flavour bet3, PSCI_COMPLETE with 2 arguments")?,
            Arity::Three => f.write_str("flavour TF-RMM, PSCI_COMPLETE with 3 arguments")?,
        }
        match self.granules_per_call {
            0 => Ok(()),
            1 => f.write_str(", ranges one granule per call: slower than it could be"),
            count => write!(f, ", ranges {count} granules per call"),
        }
    }
}
