//! The host's side of a Realm's life, on the RMM core itself.

mod broken;
mod host;
mod life;
mod memory;
mod second;
