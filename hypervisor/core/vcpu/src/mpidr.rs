//! Affinities of virtual CPUs (DEN0137, `RmiRecMpidr`).
//!
//! Virtual CPU `n` has Aff0 = `n` mod 16, so that `ICC_SGI1R_EL1` reaches it
//! without range selectors, and the rest in Aff1 to Aff3.

const AFF3_SHIFT: u32 = 32;

/// Affinity bits of virtual CPU `index`, as `MPIDR_EL1` and a device tree hold
/// them: Aff3 in bits 39:32.
pub const fn of(index: usize) -> u64 {
    let index = index as u64;
    let aff0 = index & 0xf;
    let aff1 = (index >> 4) & 0xff;
    let aff2 = (index >> 12) & 0xff;
    let aff3 = (index >> 20) & 0xff;
    aff3 << AFF3_SHIFT | aff2 << 16 | aff1 << 8 | aff0
}

/// `RmiRecMpidr` of virtual CPU `index`: Aff3 in bits 31:24.
pub const fn rec(index: usize) -> u64 {
    let affinity = of(index);
    (affinity & 0xff_ffff) | (affinity >> AFF3_SHIFT) << 24
}

/// The virtual CPU an affinity names, if there are that many; the bits of
/// `MPIDR_EL1` that are no affinity are ignored.
pub const fn index(mpidr: u64, vcpus: usize) -> Option<usize> {
    let aff0 = mpidr & 0xff;
    let aff1 = (mpidr >> 8) & 0xff;
    let aff2 = (mpidr >> 16) & 0xff;
    let aff3 = (mpidr >> AFF3_SHIFT) & 0xff;
    if aff0 > 0xf {
        return None;
    }
    let index = (aff3 << 20 | aff2 << 12 | aff1 << 4 | aff0) as usize;
    if index < vcpus { Some(index) } else { None }
}
