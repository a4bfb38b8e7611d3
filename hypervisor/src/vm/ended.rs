//! How a VM ends.

use core::fmt;

use addr::Ipa;
use report::summary::Outcome;
use rmi::client::RmiError;
use vcpu::Stop;

use super::Trouble;

/// How a VM ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ended {
    /// Of its own.
    Stopped(Stop),
    /// The deadline came.
    Killed,
    /// The operator wanted it so.
    ByOperator,
    /// It could not be built.
    NotBuilt,
    /// The RMM did not enter it.
    NotEntered(RmiError),
    /// It wants of its memory what nobody can provide.
    Trouble(Trouble),
    /// It faults at this address for ever, where it has memory by the host's books.
    Stuck(Ipa),
    /// It turned its last vCPU off.
    NoCpuLeft,
}

impl Ended {
    /// The word for the summary.
    pub fn outcome(self) -> Outcome {
        match self {
            Self::Stopped(Stop::Off) => Outcome::Off,
            Self::Stopped(Stop::Reset) => Outcome::Reset,
            Self::Killed => Outcome::Killed,
            Self::ByOperator => Outcome::Stopped,
            _ => Outcome::Crashed,
        }
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopped(stop) => stop.fmt(f),
            Self::Killed => f.write_str("killed, for its time is up"),
            Self::ByOperator => f.write_str("killed by the operator"),
            Self::NotBuilt => f.write_str("it was not built"),
            Self::NotEntered(error) => write!(f, "stopped, for REC_ENTER gave {error}"),
            Self::Trouble(trouble) => write!(f, "stopped: {trouble}"),
            Self::Stuck(ipa) => write!(
                f,
                "stopped, for it faults at {ipa} for ever: there is memory behind it by the \
                 host's books, and the RMM or the CPU does not see it; please report it"
            ),
            Self::NoCpuLeft => f.write_str("stopped, for it has turned its last vCPU off"),
        }
    }
}

impl From<Trouble> for Ended {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}
