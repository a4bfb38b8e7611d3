//! Why a call failed, as the host sees it.

use crate::rtt::LAST_LEVEL;
use crate::status::Status;
use crate::v2_0;
use core::fmt;

/// An output that no correct RMM gives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Absurd {
    /// A granule's address that is not 4 KiB aligned.
    Granule,
    /// The end of a range that does not lie where progress could have led.
    Progress,
    /// A level of an RTT that does not exist.
    Level,
    /// More auxiliary granules than parameters can name.
    AuxCount,
    /// A state or a RIPAS that is not defined.
    EntryState,
    /// A range of physical memory that cannot be.
    Range,
    /// More entries of a list than fit.
    Entries,
    /// A state of tracking that is not defined.
    Tracking,
    /// An operation that did not keep to its rules.
    Operation,
}

/// A call that did not do what it was asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RmiError {
    /// A value, an alignment or a granule's state was wrong.
    Input,
    /// The Realm's state does not allow the command. For `REC_ENTER` the index
    /// tells a Realm that is new (0) from one that is off (1).
    Realm(u8),
    /// The REC's state does not allow the command.
    Rec,
    /// The walk stopped at `level`, or at an entry in the wrong state.
    Rtt {
        /// -1 to 3.
        level: i8,
    },
    /// The command is not implemented, or there is no RMM.
    NotSupported,
    /// A status that only RMI 2.0 has.
    Status(v2_0::Status),
    /// A status this host does not know.
    Unknown {
        /// x0 as it came.
        raw: u64,
    },
    /// Success, with an output that cannot be.
    Absurd {
        /// What is wrong with it.
        what: Absurd,
        /// The output as it came.
        value: u64,
    },
}

impl RmiError {
    /// The result of a command that answered `x0`.
    pub(super) const fn check(x0: u64) -> Result<(), Self> {
        // The common case first: population is two calls for each page.
        if x0 == 0 {
            return Ok(());
        }
        Err(match Status::from_raw(x0) {
            Status::Success => return Ok(()),
            Status::ErrorInput => Self::Input,
            Status::ErrorRealm { index } => Self::Realm(index),
            Status::ErrorRec => Self::Rec,
            Status::ErrorRtt { level } => Self::walk(level, x0),
            Status::NotSupported => Self::NotSupported,
            Status::Unknown { raw } => Self::Unknown { raw },
        })
    }

    /// The result of a command of RMI 2.0 that ended with `status`.
    pub const fn check_v2_0(status: v2_0::Status) -> Result<(), Self> {
        use v2_0::Status as New;
        Err(match status {
            New::Success => return Ok(()),
            New::ErrorInput => Self::Input,
            New::ErrorRealm { index } => Self::Realm(index),
            New::ErrorRec => Self::Rec,
            New::ErrorRtt { level } => Self::walk(level, status.raw()),
            New::NotImplemented => Self::NotSupported,
            New::Unknown { raw } => Self::Unknown { raw },
            other => Self::Status(other),
        })
    }

    const fn walk(level: i8, x0: u64) -> Self {
        if level >= -1 && level <= LAST_LEVEL {
            Self::Rtt { level }
        } else {
            Self::Absurd {
                what: Absurd::Level,
                value: x0,
            }
        }
    }
}

impl fmt::Display for RmiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Input => f.write_str("ERROR_INPUT"),
            Self::Realm(index) => write!(f, "ERROR_REALM({index})"),
            Self::Rec => f.write_str("ERROR_REC"),
            Self::Rtt { level } => write!(f, "ERROR_RTT(level {level})"),
            Self::NotSupported => f.write_str("NOT_SUPPORTED"),
            Self::Status(status) => write!(f, "{status}"),
            Self::Unknown { raw } => write!(f, "unknown status {raw:#x}"),
            Self::Absurd { what, value } => {
                let what = match what {
                    Absurd::Granule => "an unaligned granule",
                    Absurd::Progress => "an impossible end of range",
                    Absurd::Level => "an impossible RTT level",
                    Absurd::AuxCount => "an impossible number of auxiliary granules",
                    Absurd::EntryState => "an undefined RTT entry state",
                    Absurd::Range => "an impossible range of memory",
                    Absurd::Entries => "more entries than fit a list",
                    Absurd::Tracking => "an undefined state of tracking",
                    Absurd::Operation => "an operation off its rules",
                };
                write!(f, "{what} ({value:#x}) in its answer")
            }
        }
    }
}

impl core::error::Error for RmiError {}
