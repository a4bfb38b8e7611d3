//! Typed calls for the host, named like the commands.
//!
//! [`Rmi`] turns a [`Conduit`](conduit::Conduit) into one method per command of
//! RMI 1.0. What comes back is input from another side: a status nobody defined
//! is [`RmiError::Unknown`], an output that cannot be true (an unaligned
//! granule, a progress that runs backwards, a level below the last) is
//! [`RmiError::Absurd`], and neither panics.
//!
//! Every call is counted by command, so that a run can say what it cost.

mod calls;
mod count;
mod error;
mod session;

pub use calls::{Blocked, Contents, Entry, PsciAnswer, Removed, Rmi};
pub use count::Calls;
pub use error::{Absurd, RmiError};
pub use session::{Probe, Session};

#[cfg(test)]
mod tests;
