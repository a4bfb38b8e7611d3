//! The most urgent of many interrupts, and how list registers are shared out.

use crate::MAX_LIST_REGISTERS;
use crate::bank::Bank;

/// The interrupts with the highest priorities of those offered, best first.
/// A key is priority and INTID, so that the lower number wins a tie.
pub(crate) struct Best {
    pub(crate) keys: [u32; MAX_LIST_REGISTERS],
    pub(crate) offered: usize,
}

pub(crate) const WORST: u32 = u32::MAX;
pub(crate) const KEY_PRIORITY_SHIFT: u32 = 16;
pub(crate) const KEY_INTID: u32 = 0xffff;

impl Best {
    pub(crate) const fn new() -> Self {
        Self {
            keys: [WORST; MAX_LIST_REGISTERS],
            offered: 0,
        }
    }

    #[inline]
    pub(crate) fn offer(&mut self, mut key: u32) {
        self.offered += 1;
        for slot in &mut self.keys {
            if *slot == WORST {
                *slot = key;
                return;
            }
            if key < *slot {
                core::mem::swap(slot, &mut key);
            }
        }
    }

    /// Offers those of `bits`, of bank `index`.
    #[inline]
    pub(crate) fn offer_all(&mut self, bank: &Bank, index: usize, mut bits: u32) {
        while bits != 0 {
            let bit = bits.trailing_zeros();
            bits &= bits - 1;
            let intid = (index as u32 * 32) + bit;
            self.offer(u32::from(bank.priority(bit)) << KEY_PRIORITY_SHIFT | intid);
        }
    }
}

/// Which interrupts get list registers.
pub(crate) struct Choice {
    pub(crate) active: Best,
    pub(crate) pending: Best,
    /// How many of each are taken.
    pub(crate) take_active: usize,
    pub(crate) take_pending: usize,
}

/// Shares out `registers` between active and pending interrupts.
pub(crate) fn share(
    registers: usize,
    active: &[u32; MAX_LIST_REGISTERS],
    pending: &[u32; MAX_LIST_REGISTERS],
    [actives, pendings]: [usize; 2],
) -> (usize, usize) {
    if actives + pendings <= registers {
        return (actives, pendings);
    }
    let [active, ..] = active;
    let [pending, ..] = pending;
    let reserve = usize::from(pending >> KEY_PRIORITY_SHIFT < active >> KEY_PRIORITY_SHIFT);
    let actives = actives.min(registers - reserve);
    (actives, pendings.min(registers - actives))
}
