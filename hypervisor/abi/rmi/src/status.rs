//! Return codes (DEN0137, `RmiCommandReturnCode`).

use core::fmt;

/// What x0 of an RMI command says: a status in bits 7:0, an index in 15:8.
///
/// RMI 1.0 defines five values. An RMM may answer others, so the type is open.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    /// The command did what it was asked.
    Success,
    /// A value, an alignment or a granule's state was wrong, or a page of
    /// parameters could not be read.
    ErrorInput,
    /// The Realm's state does not allow the command; the index says how.
    ErrorRealm {
        /// For `REC_ENTER`: 0 the Realm is new, 1 it is off.
        index: u8,
    },
    /// The REC's state does not allow the command.
    ErrorRec,
    /// The walk of the RTT stopped early or at an entry in the wrong state.
    ErrorRtt {
        /// The level at which the walk stopped (two's complement).
        level: i8,
    },
    /// The function is not implemented: no RMM, or an RMM without it.
    NotSupported,
    /// A value this host does not know.
    Unknown {
        /// x0 as it came.
        raw: u64,
    },
}

impl Status {
    /// Decodes x0 as RMI 1.0 defines it.
    pub const fn from_raw(raw: u64) -> Self {
        if raw == u64::MAX {
            return Self::NotSupported;
        }
        let index = (raw >> 8) as u8;
        match (raw >> 16, raw & 0xff) {
            (0, 0) if index == 0 => Self::Success,
            (0, 1) => Self::ErrorInput,
            (0, 2) => Self::ErrorRealm { index },
            (0, 3) => Self::ErrorRec,
            (0, 4) => Self::ErrorRtt { level: index as i8 },
            _ => Self::Unknown { raw },
        }
    }

    /// Encodes x0.
    pub const fn raw(self) -> u64 {
        match self {
            Self::Success => 0,
            Self::ErrorInput => 1,
            Self::ErrorRealm { index } => 2 | (index as u64) << 8,
            Self::ErrorRec => 3,
            Self::ErrorRtt { level } => 4 | (level as u8 as u64) << 8,
            Self::NotSupported => u64::MAX,
            Self::Unknown { raw } => raw,
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Success => f.write_str("SUCCESS"),
            Self::ErrorInput => f.write_str("ERROR_INPUT"),
            Self::ErrorRealm { index } => write!(f, "ERROR_REALM({index})"),
            Self::ErrorRec => f.write_str("ERROR_REC"),
            Self::ErrorRtt { level } => write!(f, "ERROR_RTT(level {level})"),
            Self::NotSupported => f.write_str("NOT_SUPPORTED"),
            Self::Unknown { raw } => write!(f, "unknown status {raw:#x}"),
        }
    }
}
