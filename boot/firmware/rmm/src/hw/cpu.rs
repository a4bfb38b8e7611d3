//! What each CPU has to itself.
//!
//! A CPU finds its own [`Cpu`] by `TPIDR_EL2`, which EL3 keeps per world. No
//! other CPU touches it, the RMM never nests, and [`with_current`] lends it for
//! the length of a closure, so there is nothing to lock.
#![expect(unsafe_code, reason = "per-CPU data is found by a register")]

use crate::hw::layout::MAX_CPUS;
use crate::hw::simd::Simd;
use crate::hw::sysreg;
use crate::hw::world::NsState;
use core::cell::{Cell, UnsafeCell};

/// One CPU's data.
pub struct Cpu {
    /// The host's EL1 state while a REC's is in the registers.
    pub ns: NsState,
    /// Who owns the vector registers.
    pub simd: Simd,
    /// The REC that ran last: `VTTBR_EL2` and `VMPIDR_EL2`.
    pub last_rec: (u64, u64),
}

struct Slot {
    cpu: UnsafeCell<Cpu>,
    lent: Cell<bool>,
}

struct Cpus([Slot; MAX_CPUS]);

// SAFETY: a slot is only reached through `TPIDR_EL2` of the CPU it belongs to.
unsafe impl Sync for Cpus {}

static CPUS: Cpus = Cpus(
    [const {
        Slot {
            cpu: UnsafeCell::new(Cpu {
                ns: NsState::ZERO,
                simd: Simd::NEW,
                last_rec: (0, 0),
            }),
            lent: Cell::new(false),
        }
    }; MAX_CPUS],
);

/// Makes the calling CPU the one with `index`.
///
/// # Panics
///
/// If there is no such CPU; the entry code has refused those before.
pub fn claim(index: usize) {
    let slot = &CPUS.0[index];
    sysreg::write!("tpidr_el2", core::ptr::from_ref(slot) as u64);
}

/// Runs `use_cpu` with the calling CPU's data.
///
/// # Panics
///
/// If the data is lent already: `use_cpu` must not call this again.
pub fn with_current<R>(use_cpu: impl FnOnce(&mut Cpu) -> R) -> R {
    let slot = sysreg::read!("tpidr_el2") as *const Slot;
    // SAFETY: `claim` has put the address of a static slot there, before
    // anything that can call this, and nothing else writes the register.
    let slot = unsafe { &*slot };
    assert!(!slot.lent.replace(true), "per-CPU data is lent already");
    // SAFETY: `lent` shows that no other reference exists on this CPU, and no
    // other CPU reaches this slot.
    let result = use_cpu(unsafe { &mut *slot.cpu.get() });
    slot.lent.set(false);
    result
}
