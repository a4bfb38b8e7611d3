//! VMIDs: which are taken.

use heapless::Vec;

use crate::Features;

/// VMs that can live at the same time.
pub const MAX_LIVE: usize = 64;

/// The right to a VMID. It goes back by [`Vmids::free`], after the TLBs have
/// forgotten it.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a VMID that is dropped is taken for good"]
pub struct Vmid(u16);

impl Vmid {
    /// The number.
    pub const fn raw(&self) -> u16 {
        self.0
    }
}

/// All VMIDs of the machine.
#[derive(Debug)]
pub struct Vmids {
    taken: Vec<u16, MAX_LIVE>,
    last: u16,
    highest: u16,
}

impl Vmids {
    /// None is taken but zero, which is the host's: it is in `VTTBR_EL2` while no
    /// guest runs.
    pub const fn new(features: &Features) -> Self {
        Self {
            taken: Vec::new(),
            last: 0,
            highest: if features.vmid16 { u16::MAX } else { 0xff },
        }
    }

    /// Takes a VMID nobody has, the one longest out of use first.
    pub fn take(&mut self) -> Option<Vmid> {
        // One more candidate than can be taken.
        for _ in 0..=MAX_LIVE {
            self.last = match self.last {
                last if last < self.highest => last + 1,
                _ => 1,
            };
            if !self.taken.contains(&self.last) {
                self.taken.push(self.last).ok()?;
                return Some(Vmid(self.last));
            }
        }
        None
    }

    /// Takes a VMID back.
    pub fn free(&mut self, vmid: Vmid) {
        if let Some(index) = self.taken.iter().position(|taken| *taken == vmid.0) {
            self.taken.swap_remove(index);
        }
    }

    /// How many are taken.
    pub fn taken(&self) -> usize {
        self.taken.len()
    }
}
