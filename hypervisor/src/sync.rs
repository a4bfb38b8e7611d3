//! The one lock.
//!
//! Interrupts are never unmasked at EL2, so a lock needs no masking of its own.
//! The order of locks is written in `docs/unsafe.md`.

pub use spin::Mutex;
