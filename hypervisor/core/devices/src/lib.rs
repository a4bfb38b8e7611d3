//! The board a guest sees.
//!
//! - [`Pl011`]: the UART;
//! - [`Pl061`]: the GPIO controller, and [`PowerKey`], the key on one of its lines;
//! - [`Board`]: these, interrupt controller and virtio devices of one VM behind the addresses of
//!   `vm_config::map`, and what happens between an exit of a virtual CPU and
//!   its next entry as far as no memory, no physical interrupt and no other
//!   call of the RMM is needed. What is left for the loop is a [`Request`].
//!
//! The page a REC runs with is worked on in place, and only what changes is
//! written: a host call that does nothing costs little more than its registers.
//!
//! An address without a device reads as zero and ignores writes; such accesses
//! are counted ([`Unknown`]), and the guest goes on.
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

mod board;
mod calls;
mod pl011;
mod pl061;
mod power_key;
mod slots;

pub use board::{Board, Config, Host, Request, Unknown};
pub use pl011::Pl011;
pub use pl061::Pl061;
pub use power_key::{Asked, PowerKey};

#[cfg(test)]
extern crate std;
#[cfg(test)]
mod tests;
