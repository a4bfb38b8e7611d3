//! The registers as a driver sees them, and the list registers against a model
//! of the hardware's virtual CPU interface.

mod interface;
mod registers;

use crate::{Config, Cpu, Vgic};
use std::vec::Vec;

pub(crate) const GICR_SGI: u64 = 0x1_0000;

pub(crate) fn cpus(count: usize) -> Vec<Cpu> {
    (0..count).map(|_| Cpu::default()).collect()
}

/// A controller as Linux's driver leaves it: everything in group 1, enabled,
/// at priority 0xa0, group 1 on.
pub(crate) fn ready<'a>(cpus: &'a mut [Cpu], list_registers: u8) -> Vgic<'a> {
    let mut vgic = Vgic::new(
        cpus,
        Config {
            list_registers,
            priority_bits: 5,
        },
    );
    vgic.distributor_write(0, 4, 0b10);
    for word in 1..4 {
        vgic.distributor_write(0x080 + 4 * word, 4, 0xffff_ffff);
        vgic.distributor_write(0x100 + 4 * word, 4, 0xffff_ffff);
    }
    for word in 8..32 {
        vgic.distributor_write(0x400 + 4 * word, 4, 0xa0a0_a0a0);
    }
    for index in 0..vgic.cpus() as u64 {
        let frame = index * 0x2_0000 + GICR_SGI;
        vgic.redistributor_write(frame + 0x080, 4, 0xffff_ffff);
        vgic.redistributor_write(frame + 0x100, 4, 0xffff_ffff);
        for word in 0..8 {
            vgic.redistributor_write(frame + 0x400 + 4 * word, 4, 0xa0a0_a0a0);
        }
    }
    vgic
}
