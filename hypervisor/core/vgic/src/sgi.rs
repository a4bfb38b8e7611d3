//! Software-generated interrupts (IHI0069 12.2.20, `ICC_SGI1R_EL1`).

use crate::{Vgic, bit};

const IRM: u64 = 1 << 40;
const RANGE: u64 = 0xf << 44;

impl Vgic<'_> {
    /// Sends what virtual CPU `from` wrote to `ICC_SGI1R_EL1` (group 1) or
    /// `ICC_SGI0R_EL1` (group 0). Targets that do not exist get nothing.
    pub fn send_sgi(&mut self, from: usize, value: u64, group: u8) {
        let mask = 1 << (value >> 24 & 0xf);
        let group_one = group == 1;
        if value & IRM != 0 {
            for (index, cpu) in self.cpus.iter_mut().enumerate() {
                if index != from {
                    cpu.private.raise(mask, group_one);
                    self.changed |= bit(index);
                    self.attention |= bit(index);
                }
            }
            return;
        }
        // Virtual CPUs have Aff0 below 16: no other range has any.
        if value & RANGE != 0 {
            return;
        }
        let first =
            (value >> 48 & 0xff) << 20 | (value >> 32 & 0xff) << 12 | (value >> 16 & 0xff) << 4;
        let mut targets = value & 0xffff;
        while targets != 0 {
            let target = first as usize + targets.trailing_zeros() as usize;
            targets &= targets - 1;
            if let Some(cpu) = self.cpus.get_mut(target) {
                cpu.private.raise(mask, group_one);
                self.changed |= bit(target);
                self.attention |= bit(target);
            }
        }
    }
}
