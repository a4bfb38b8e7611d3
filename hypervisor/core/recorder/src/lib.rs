//! The flight recorder: a ring per CPU of exits, RMI calls and decisions of the
//! scheduler, with time stamps, always on.
//!
//! - [`Event`] and [`Entry`]: what is noted, in four words each;
//! - [`Ring`]: the last entries of one CPU. Its CPU alone writes, at the cost of
//!   about ten instructions and never waiting; every CPU may read at any time and
//!   never sees a torn entry;
//! - [`latest`], [`print`]: the last entries of all CPUs in the order of time, and
//!   in words, for a crash;
//! - [`dump`]: everything as lines of JSON, for `trace dump` and
//!   `cargo xtask run --trace`.
//!
//! Nothing here reads a clock or a register: stamps are ticks of the physical
//! counter that the caller has read.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic
    )
)]

mod dump;
mod event;
mod explain;
mod merge;
mod ring;
mod trail;
mod words;

pub use dump::{About, Vm, dump};
pub use event::{Cause, Entry, Event, Reason, Stage, Text, Who, ipa};
pub use explain::{Explained, Guest, Names, exit_word};
pub use merge::{Line, MAX_CPUS, latest, print};
pub use ring::{Cursor, Ring, Step};
pub use trail::{Newest, Trail};
pub use words::{Kind, kind};

#[cfg(test)]
extern crate std;
#[cfg(test)]
mod tests;
