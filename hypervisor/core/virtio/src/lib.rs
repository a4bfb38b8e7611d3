//! Virtio devices behind MMIO, and the switch between VMs (virtio 1.2).
//!
//! - [`Device`]: registers of the MMIO transport (4.2), split virtqueues (2.7)
//!   and one of four models: console (5.3), entropy (5.4), network (5.1) and
//!   block (5.2);
//! - [`GuestMemory`]: the guest's memory as far as a device may reach it; for a
//!   Realm that is what it shares;
//! - [`Backend`]: what devices reach on the host's side;
//! - [`Switch`]: the network between VMs.
//!
//! Whatever lies in a ring, a descriptor or a buffer is the guest's word and may
//! change at any time. So each value is read once into a copy, the copy is
//! checked, and only the copy is used. What breaks the rules breaks the device:
//! it asks for a reset (`DEVICE_NEEDS_RESET`), says why ([`Broken`]), and does
//! nothing until it gets one. Work per call is bounded ([`Served::More`]).
//!
//! Not there: packed rings, legacy registers, more than one port of a console,
//! offloads and control queue of the network.
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

mod backend;
mod block;
mod broken;
mod chain;
mod console;
mod device;
mod entropy;
mod memory;
mod net;
mod queue;
mod ring;
mod switch;
mod transport;

pub use backend::{Backend, Entropy, Fill, Media, Storage, Take, Terminal, Wire};
pub use block::SECTOR;
pub use broken::Broken;
pub use device::{Device, Served};
pub use memory::{GuestMemory, Inaccessible};
pub use net::{HEAD, MAX_FRAME, MTU, Mac};
pub use switch::{MAX_PORTS, PORT_STORAGE, PortCounters, PortId, Switch};

#[cfg(test)]
extern crate std;
#[cfg(test)]
mod tests;
