//! What the hypervisor is told on its command line and what it tells at the end.
//!
//! - [`args`]: the `suzerain.*` keys of `/chosen/bootargs`;
//! - [`summary`]: the JSON document of a run, and the frame it travels in as the
//!   last line on the UART;
//! - [`frame`]: that frame, which the trace uses as well;
//! - [`json`]: what JSON needs beyond `write!`;
//! - [`tally`]: minimum, median, maximum and total of a stream of numbers in a
//!   fixed amount of memory, for benches.
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

pub mod args;
pub mod frame;
pub mod json;
pub mod summary;
pub mod tally;
