//! What can go wrong in a Realm's life, said so that a person knows what.

use crate::BadTransition;
use addr::Ipa;
use core::fmt;
use rmi::client::RmiError;

/// The step of a Realm's life that failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// Creating the Realm.
    Create,
    /// Making RAM of its memory.
    InitRipas(Ipa),
    /// Creating a translation table.
    Table {
        /// An address under it.
        ipa: Ipa,
        /// Its level.
        level: i8,
    },
    /// Copying an image in.
    CopyIn(Ipa),
    /// Providing memory.
    Fill(Ipa),
    /// Creating a REC.
    Rec(u32),
    /// Activating the Realm.
    Activate,
    /// Changing RIPAS as the Realm asked.
    SetRipas(Ipa),
    /// Sharing memory.
    Share(Ipa),
    /// Answering a PSCI call.
    Psci(u32),
}

/// Why a step failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cause {
    /// The RMM said so.
    Rmm(RmiError),
    /// There is no memory left for Realms.
    OutOfMemory,
    /// The RMM refused one granule after the other.
    Refused,
    /// The Realm's state does not allow it.
    State(BadTransition),
    /// There is no such vCPU.
    NoVcpu,
}

/// A step that failed, and why.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RealmError {
    /// The step.
    pub step: Step,
    /// The reason.
    pub cause: Cause,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create => f.write_str("creating the Realm"),
            Self::InitRipas(ipa) => write!(f, "making {ipa} RAM"),
            Self::Table { ipa, level } => write!(f, "creating the level-{level} RTT over {ipa}"),
            Self::CopyIn(ipa) => write!(f, "copying an image to {ipa}"),
            Self::Fill(ipa) => write!(f, "providing memory at {ipa}"),
            Self::Rec(index) => write!(f, "creating REC {index}"),
            Self::Activate => f.write_str("activating the Realm"),
            Self::SetRipas(ipa) => write!(f, "changing RIPAS at {ipa}"),
            Self::Share(ipa) => write!(f, "sharing memory at {ipa}"),
            Self::Psci(index) => write!(f, "completing the PSCI call of vCPU {index}"),
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rmm(error) => write!(f, "the RMM answered {error}"),
            Self::OutOfMemory => {
                f.write_str("no memory is left: give the VM less or the machine more")
            }
            Self::Refused => {
                f.write_str("the RMM accepts no memory: check the banks EL3 tells it of")
            }
            Self::State(error) => write!(f, "{error}"),
            Self::NoVcpu => f.write_str("there is no such vCPU"),
        }
    }
}

impl fmt::Display for RealmError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} failed: {}", self.step, self.cause)
    }
}

impl core::error::Error for RealmError {}

impl From<RmiError> for Cause {
    fn from(error: RmiError) -> Self {
        Self::Rmm(error)
    }
}

/// Why memory is not provided at a faulting address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// The address is no RAM of the VM: a device, or nothing.
    NotMemory(Ipa),
    /// The Realm has not declared this page shared.
    NotShared(Ipa),
    /// The Realm has given this page up.
    NotRam(Ipa),
    /// Providing it failed.
    Failed(RealmError),
}

impl From<RealmError> for Fault {
    fn from(error: RealmError) -> Self {
        Self::Failed(error)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotMemory(ipa) => write!(f, "{ipa} is no memory of the VM"),
            Self::NotShared(ipa) => write!(f, "the Realm touched {ipa}, which it never shared"),
            Self::NotRam(ipa) => write!(f, "the Realm touched {ipa}, which it has given up"),
            Self::Failed(error) => write!(f, "{error}"),
        }
    }
}

impl core::error::Error for Fault {}
