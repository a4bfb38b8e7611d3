//! The operator's console: what comes in and goes out on the one serial line.
//!
//! - [`Console`]: the guests' output in overview or one guest's alone, and the
//!   operator's keys as [`Event`]s;
//! - [`Editor`]: the line being typed, with history;
//! - [`Command`]: what was typed, understood;
//! - [`answer`]: what is said in return, as plain data, written as aligned text or
//!   as one line of JSON.
//!
//! Nothing here allocates or touches a device: output goes to a [`Sink`].
//!
//! What a guest prints is hostile: it may try to look like the shell or another
//! guest, or to make the terminal do things. See `neutral`.
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

pub mod answer;
mod command;
mod console;
mod editor;
mod guest;
mod keys;
mod neutral;
mod roster;
mod sink;

pub use command::{COMMANDS, Command, Form, Refusal, Usage, Why, complete, parse};
pub use console::{Console, Event, LEAVE, PROMPT};
pub use editor::{CAPACITY, Edit, Editor, HISTORY, Line};
pub use guest::{Guest, MAX_NAME};
pub use roster::Roster;
pub use sink::{Sink, Text};

#[cfg(test)]
extern crate std;
#[cfg(test)]
mod tests;
