//! What x0 of a command says: a status in bits 7:0, and with some of them more.

use core::fmt;

/// The memory an unfinished operation waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[repr(u8)]
pub enum MemRequest {
    /// None: it only has to be continued.
    None = 0,
    /// It wants memory.
    Donate = 1,
    /// It wants to give memory back.
    Reclaim = 2,
}

/// A status of RMI 2.0. An RMM may answer others, so the type is open.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Status {
    /// The command did what it was asked.
    Success,
    /// A value, an alignment or a granule's state was wrong.
    ErrorInput,
    /// The Realm's state does not allow the command.
    ErrorRealm {
        /// Zero in the flavours known.
        index: u8,
    },
    /// The REC's state does not allow the command.
    ErrorRec,
    /// The walk of the RTT stopped early or at an entry in the wrong state.
    ErrorRtt {
        /// The level at which the walk stopped (two's complement).
        level: i8,
    },
    /// The command exists, but not in this configuration.
    ErrorNotSupported,
    /// A device's state does not allow the command.
    ErrorDevice,
    /// An entry of an auxiliary plane's tables is in the wrong state.
    ErrorRttAux {
        /// As the RMM gives it.
        index: u8,
    },
    /// The walk of a stream table stopped early.
    ErrorPsmmuSt,
    /// The walk of a device permission table stopped early.
    ErrorDpt,
    /// Nothing changed; the same call may succeed later.
    Busy,
    /// The RMM's own state does not allow the command.
    ErrorGlobal,
    /// A tracking region is in the wrong state.
    ErrorTracking,
    /// The operation has begun and needs further calls.
    Incomplete {
        /// What it waits for.
        request: MemRequest,
        /// Whether it can be cancelled now.
        can_cancel: bool,
    },
    /// Nothing changed; an unfinished operation is in the way.
    Blocked,
    /// The walk of the granule protection tables met an unexpected level.
    ErrorGpt,
    /// A granule's state is wrong.
    ErrorGranule,
    /// Nobody implements the function.
    NotImplemented,
    /// A value this host does not know.
    Unknown {
        /// x0 as it came.
        raw: u64,
    },
}

impl Status {
    /// Decodes x0.
    pub const fn from_raw(raw: u64) -> Self {
        if raw == u64::MAX {
            return Self::NotImplemented;
        }
        if raw >> 16 != 0 {
            return Self::Unknown { raw };
        }
        let index = (raw >> 8) as u8;
        match raw & 0xff {
            0 if index == 0 => Self::Success,
            1 => Self::ErrorInput,
            2 => Self::ErrorRealm { index },
            3 => Self::ErrorRec,
            4 => Self::ErrorRtt { level: index as i8 },
            5 => Self::ErrorNotSupported,
            6 => Self::ErrorDevice,
            7 => Self::ErrorRttAux { index },
            8 => Self::ErrorPsmmuSt,
            9 => Self::ErrorDpt,
            10 => Self::Busy,
            11 => Self::ErrorGlobal,
            12 => Self::ErrorTracking,
            13 => Self::incomplete(raw, index),
            14 => Self::Blocked,
            15 => Self::ErrorGpt,
            16 => Self::ErrorGranule,
            _ => Self::Unknown { raw },
        }
    }

    const fn incomplete(raw: u64, data: u8) -> Self {
        let request = match data & 0b11 {
            0 => MemRequest::None,
            1 => MemRequest::Donate,
            2 => MemRequest::Reclaim,
            _ => return Self::Unknown { raw },
        };
        if data & !0b111 != 0 {
            return Self::Unknown { raw };
        }
        Self::Incomplete {
            request,
            can_cancel: data & 0b100 != 0,
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
            Self::ErrorNotSupported => 5,
            Self::ErrorDevice => 6,
            Self::ErrorRttAux { index } => 7 | (index as u64) << 8,
            Self::ErrorPsmmuSt => 8,
            Self::ErrorDpt => 9,
            Self::Busy => 10,
            Self::ErrorGlobal => 11,
            Self::ErrorTracking => 12,
            Self::Incomplete {
                request,
                can_cancel,
            } => 13 | (request as u64) << 8 | (can_cancel as u64) << 10,
            Self::Blocked => 14,
            Self::ErrorGpt => 15,
            Self::ErrorGranule => 16,
            Self::NotImplemented => u64::MAX,
            Self::Unknown { raw } => raw,
        }
    }

    /// Whether the same call may succeed later, nothing having changed.
    pub const fn is_transient(self) -> bool {
        matches!(self, Self::Busy | Self::Blocked)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Success => "SUCCESS",
            Self::ErrorInput => "ERROR_INPUT",
            Self::ErrorRealm { index } => return write!(f, "ERROR_REALM({index})"),
            Self::ErrorRec => "ERROR_REC",
            Self::ErrorRtt { level } => return write!(f, "ERROR_RTT(level {level})"),
            Self::ErrorNotSupported => "ERROR_NOT_SUPPORTED",
            Self::ErrorDevice => "ERROR_DEVICE",
            Self::ErrorRttAux { index } => return write!(f, "ERROR_RTT_AUX({index})"),
            Self::ErrorPsmmuSt => "ERROR_PSMMU_ST",
            Self::ErrorDpt => "ERROR_DPT",
            Self::Busy => "BUSY",
            Self::ErrorGlobal => "ERROR_GLOBAL",
            Self::ErrorTracking => "ERROR_TRACKING",
            Self::Incomplete { request, .. } => match request {
                MemRequest::None => "INCOMPLETE",
                MemRequest::Donate => "INCOMPLETE(donate)",
                MemRequest::Reclaim => "INCOMPLETE(reclaim)",
            },
            Self::Blocked => "BLOCKED",
            Self::ErrorGpt => "ERROR_GPT",
            Self::ErrorGranule => "ERROR_GRANULE",
            Self::NotImplemented => "NOT_SUPPORTED",
            Self::Unknown { raw } => return write!(f, "unknown status {raw:#x}"),
        })
    }
}
