//! The SMC conduit.
//!
//! Everything the hypervisor asks of firmware goes through [`Conduit`]: on
//! hardware one `SMC #0`, in host tests the RMM core itself, in golden tests a
//! recorder. SMCCC 1.2 (DEN0028) carries x0 to x17; RMI and PSCI use x0 to x7,
//! which is what [`Regs`] holds.
#![no_std]
#![forbid(unsafe_code)]

/// Registers x0 to x7 of a fast SMC call.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Regs(pub [u64; 8]);

impl Regs {
    /// A call of `fid` with `args` in x1 and up; arguments past x7 are dropped.
    pub fn call(fid: u32, args: &[u64]) -> Self {
        let mut regs = [0; 8];
        regs[0] = u64::from(fid);
        for (reg, arg) in regs.iter_mut().skip(1).zip(args) {
            *reg = *arg;
        }
        Self(regs)
    }

    /// The function identifier of a call: the low half of x0.
    pub fn fid(&self) -> u32 {
        // The upper half of x0 is ignored by SMCCC.
        (self.0[0] & 0xffff_ffff) as u32
    }
}

/// What x0 holds when nobody answers a call (SMCCC `NOT_SUPPORTED`).
pub const NOT_SUPPORTED: u64 = u64::MAX;

/// A way to call firmware.
pub trait Conduit {
    /// Makes the call and returns x0 to x7 as firmware left them.
    fn call(&self, regs: Regs) -> Regs;
}

impl<C: Conduit + ?Sized> Conduit for &C {
    fn call(&self, regs: Regs) -> Regs {
        (**self).call(regs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_land_behind_the_function_id() {
        let regs = Regs::call(0xc400_0150, &[1, 2]);
        assert_eq!(regs.0, [0xc400_0150, 1, 2, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn arguments_that_do_not_fit_are_dropped() {
        let regs = Regs::call(1, &[9; 20]);
        assert_eq!(regs.0, [1, 9, 9, 9, 9, 9, 9, 9]);
    }

    #[test]
    fn the_upper_half_of_x0_is_no_part_of_the_function_id() {
        let regs = Regs([0xffff_ffff_c400_0150, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(regs.fid(), 0xc400_0150);
    }
}
