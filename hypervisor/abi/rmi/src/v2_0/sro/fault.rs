//! What can go wrong with a stateful operation, in sentences.

use crate::v2_0::range::{BadDesc, DonateRequest};
use crate::v2_0::{Command, Status};
use addr::GranuleAddr;
use core::fmt;

/// Why an operation was given up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// The RMM is busy without end.
    Busy {
        /// Answers in a row.
        tries: u32,
    },
    /// Another unfinished operation is in the way without end.
    Blocked {
        /// Answers in a row.
        tries: u32,
    },
    /// The operation goes on without memory changing hands.
    NoProgress {
        /// Answers in a row.
        rounds: u32,
    },
    /// The operation took too many calls.
    Endless {
        /// Calls made.
        calls: u32,
    },
    /// A request for memory that cannot be.
    BadRequest {
        /// x2 as it came.
        raw: u64,
    },
    /// A request for memory after the operation was cancelled.
    DonateAfterCancel,
    /// A request the reserve could not serve.
    ReserveTooSmall {
        /// The request.
        request: DonateRequest,
        /// Suitable granules there were.
        have: usize,
    },
    /// A request for memory, or a return, where the host provides for neither.
    Unprovided,
    /// The RMM says it took more than was offered, or part of what is one piece.
    Consumed {
        /// What it says.
        consumed: u64,
        /// What was offered.
        offered: u64,
    },
    /// The RMM says it listed more than the page holds.
    Entries {
        /// What it says.
        entries: u64,
    },
    /// An entry of a list is no descriptor.
    Entry {
        /// Its index.
        index: usize,
        /// What is wrong.
        error: BadDesc,
    },
    /// A list names memory the RMM was not given, or has given back already.
    NotGiven {
        /// Its first granule.
        granule: GranuleAddr,
    },
    /// A call on the operation was refused.
    Refused {
        /// The call.
        command: Command,
        /// The answer.
        status: Status,
    },
}

/// An operation that did not come to its end as it should.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Failure {
    /// The command that began it.
    pub command: Command,
    /// The first thing that went wrong.
    pub fault: Fault,
    /// The command's status, if cancelling brought it to an end.
    pub status: Option<Status>,
    /// The RMM's name for it, if it is still open there.
    pub handle: Option<u64>,
    /// Granules of the reserve that the RMM holds, or may hold.
    pub out: usize,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy { tries } => write!(f, "the RMM answered BUSY {tries} times in a row"),
            Self::Blocked { tries } => write!(
                f,
                "the RMM answered BLOCKED {tries} times in a row: another operation is unfinished"
            ),
            Self::NoProgress { rounds } => {
                write!(
                    f,
                    "the RMM answered INCOMPLETE {rounds} times without progress"
                )
            }
            Self::Endless { calls } => write!(f, "it did not end within {calls} calls"),
            Self::BadRequest { raw } => write!(f, "the RMM asked for impossible memory ({raw:#x})"),
            Self::DonateAfterCancel => f.write_str("the RMM asked for memory after cancelling"),
            Self::ReserveTooSmall { request, have } => write!(
                f,
                "the RMM asked for {request}, but {have} suitable granules are reserved: \
                 reserve more"
            ),
            Self::Unprovided => {
                f.write_str("the RMM wants to move memory, which this host does not expect of it")
            }
            Self::Consumed { consumed, offered } => write!(
                f,
                "the RMM says it took {consumed} granules of {offered} offered"
            ),
            Self::Entries { entries } => {
                write!(f, "the RMM says it listed {entries} ranges in one page")
            }
            Self::Entry { index, error } => write!(f, "entry {index} of the RMM's list: {error}"),
            Self::NotGiven { granule } => {
                write!(f, "the RMM gave back {granule}, which it did not have")
            }
            Self::Refused { command, status } => {
                write!(f, "{} was answered with {status}", command.name())
            }
        }
    }
}

impl core::error::Error for Fault {}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.command.name(), self.fault)?;
        match (self.status, self.handle) {
            (Some(status), _) => write!(f, "; cancelled, it ended with {status}")?,
            (None, Some(handle)) => write!(f, "; operation {handle:#x} is still open")?,
            (None, None) => {}
        }
        write!(f, "; {} granules given are out", self.out)
    }
}

impl core::error::Error for Failure {}
