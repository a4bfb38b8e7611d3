//! What devices reach on the host's side.

use crate::Broken;
use crate::net::HEAD;

/// Writes the rest of a frame, behind its head, into the place it is given.
pub type Fill<'f> = dyn FnMut(&mut [u8]) -> Result<(), Broken> + 'f;
/// Looks at a frame; whether it is taken, or stays the next one.
pub type Take<'t> = dyn FnMut(&[u8]) -> Result<bool, Broken> + 't;

/// The other end of a console.
pub trait Terminal {
    /// Takes what the guest prints.
    fn print(&mut self, bytes: &[u8]);

    /// Whether there is input for the guest.
    fn has_input(&mut self) -> bool;

    /// Input for the guest: fills `to` from its start, returns how many bytes.
    fn input(&mut self, to: &mut [u8]) -> usize;
}

/// A source of random bytes.
pub trait Entropy {
    /// Fills `to` from its start; returns how many bytes. Less than all if the
    /// source is slow or broken.
    fn entropy(&mut self, to: &mut [u8]) -> usize;
}

/// A disk's contents.
#[derive(Debug)]
pub enum Media<'m> {
    /// Stays as it is.
    ReadOnly(&'m [u8]),
    /// May be written.
    Writable(&'m mut [u8]),
}

/// The disks of one guest.
pub trait Storage {
    /// The contents of disk `index`, or `None` if it has gone.
    fn disk(&mut self, index: usize) -> Option<Media<'_>>;
}

/// The guest's end of a network.
pub trait Wire {
    /// Sends a frame of `head` and `rest` more bytes, which `fill` writes. It is
    /// called at most once; what it fails with comes back, and nothing is sent.
    /// A frame that cannot go anywhere is dropped, which is no failure.
    fn send(&mut self, head: &[u8; HEAD], rest: usize, fill: &mut Fill<'_>) -> Result<(), Broken>;

    /// Shows the oldest frame that waits for the guest; whether it was taken.
    /// False as well if there is none.
    fn receive(&mut self, take: &mut Take<'_>) -> Result<bool, Broken>;
}

/// All of it.
pub trait Backend: Terminal + Entropy + Storage + Wire {}

impl<B: Terminal + Entropy + Storage + Wire> Backend for B {}
