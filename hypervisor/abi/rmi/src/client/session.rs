//! Finding out whether there is an RMM that speaks this host's language.

use super::{Rmi, RmiError};
use crate::features::Features0;
use crate::status::Status;
use crate::v1_0::Command;
use crate::version::Version;
use conduit::Conduit;
use core::fmt;

/// An RMM that speaks RMI 1.0, and what it can do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Session {
    /// The revision agreed on.
    pub version: Version,
    /// The highest revision the RMM speaks.
    pub highest: Version,
    /// Feature register 0.
    pub features: Features0,
}

/// The outcome of asking for RMI 1.0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Probe {
    /// The RMM speaks it.
    Ready(Session),
    /// The RMM speaks other revisions.
    Mismatch {
        /// What this host wants.
        wanted: Version,
        /// The lowest revision the RMM named.
        lower: Version,
        /// The highest revision the RMM named.
        higher: Version,
    },
    /// Nobody answers.
    Absent,
    /// Somebody answers, but not as `VERSION` or `FEATURES` do.
    Broken {
        /// The command that failed.
        command: Command,
        /// How it failed.
        error: RmiError,
    },
}

impl<C: Conduit> Rmi<C> {
    /// Asks for RMI 1.0 and reads the features of an RMM that has it.
    pub fn probe(&self) -> Probe {
        let wanted = Version::V1_0;
        let (status, lower, higher) = self.version(wanted);
        let mismatch = Probe::Mismatch {
            wanted,
            lower,
            higher,
        };
        match status {
            Status::Success if lower <= wanted && wanted <= higher => match self.features(0) {
                Ok(raw) => Probe::Ready(Session {
                    version: wanted,
                    highest: higher,
                    features: Features0::from_raw(raw),
                }),
                Err(error) => Probe::Broken {
                    command: Command::Features,
                    error,
                },
            },
            Status::Success | Status::ErrorInput => mismatch,
            Status::NotSupported => Probe::Absent,
            other => Probe::Broken {
                command: Command::Version,
                error: RmiError::check(other.raw())
                    .err()
                    .unwrap_or(RmiError::Unknown { raw: other.raw() }),
            },
        }
    }
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready(session) => write!(
                f,
                "RMI {} (RMM up to {}): {}",
                session.version, session.highest, session.features
            ),
            Self::Mismatch {
                wanted,
                lower,
                higher,
            } => write!(
                f,
                "the RMM speaks RMI {lower} to {higher}, this hypervisor wants {wanted}: \
                 use firmware with RMI {wanted}; no Realms"
            ),
            Self::Absent => {
                f.write_str("no RMM answers RMI_VERSION: use firmware that loads one; no Realms")
            }
            Self::Broken { command, error } => write!(
                f,
                "the RMM answered {} with {error}: it is no RMM this hypervisor knows; no Realms",
                command.name()
            ),
        }
    }
}
