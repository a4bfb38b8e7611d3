//! Which virtual CPU has a shared interrupt.

use crate::{SPI_BANKS, spi_index};

/// No virtual CPU.
pub(crate) const NOBODY: u16 = u16::MAX;

/// Where an SPI goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Route {
    /// `GICD_IROUTER` as the guest wrote it.
    pub register: u64,
    /// The virtual CPU it names, or nobody.
    pub target: u16,
    /// The virtual CPU that has it listed or active.
    pub holder: u16,
}

impl Route {
    /// As after a reset.
    pub const RESET: Self = Self {
        register: 0,
        target: 0,
        holder: NOBODY,
    };
}

/// Nobody holds the SPI any more. Says whether it goes to another virtual CPU
/// than the one that did.
pub(crate) fn release(routes: &mut [Route], intid: u32, vcpu: usize) -> bool {
    match spi_index(intid).and_then(|index| routes.get_mut(index)) {
        Some(route) => {
            route.holder = NOBODY;
            usize::from(route.target) != vcpu
        }
        None => false,
    }
}

/// Those of `bits` in SPI bank `bank` that are routed to the virtual CPU.
pub(crate) fn routed_to(routes: &[Route], vcpu: usize, bank: usize, bits: u32) -> u32 {
    filter(routes, bank, bits, |route| {
        usize::from(route.target) == vcpu
    })
}

/// Those of `bits` in SPI bank `bank` that the virtual CPU holds.
pub(crate) fn held_by(routes: &[Route], vcpu: usize, bank: usize, bits: u32) -> u32 {
    filter(routes, bank, bits, |route| {
        let holder = if route.holder == NOBODY {
            route.target
        } else {
            route.holder
        };
        usize::from(holder) == vcpu
    })
}

fn filter(routes: &[Route], bank: usize, bits: u32, keep: impl Fn(&Route) -> bool) -> u32 {
    debug_assert!(bank < SPI_BANKS);
    let mut kept = 0;
    let mut rest = bits;
    while rest != 0 {
        let index = rest.trailing_zeros();
        rest &= rest - 1;
        if routes.get(bank * 32 + index as usize).is_some_and(&keep) {
            kept |= 1 << index;
        }
    }
    kept
}
