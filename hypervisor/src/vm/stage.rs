//! Where a VM is in its course of life, for a look without the lock.

use core::sync::atomic::{AtomicU8, Ordering};

/// Where a VM is in its course of life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Stage {
    /// It is being built.
    Build,
    /// It runs, or is about to leave its CPUs.
    Run,
    /// It is being taken down.
    TakeDown,
    /// Nothing is left of it.
    Over,
}

/// The stage that a VM's steward is at. Only the steward changes it, or whoever
/// holds the VM's life.
#[derive(Debug)]
pub struct Shown(AtomicU8);

impl Shown {
    /// The beginning.
    pub const fn new() -> Self {
        Self(AtomicU8::new(Stage::Build as u8))
    }

    /// The stage.
    pub fn get(&self) -> Stage {
        match self.0.load(Ordering::Acquire) {
            0 => Stage::Build,
            1 => Stage::Run,
            2 => Stage::TakeDown,
            _ => Stage::Over,
        }
    }

    /// Goes to a stage.
    pub fn set(&self, stage: Stage) {
        self.0.store(stage as u8, Ordering::Release);
    }
}
