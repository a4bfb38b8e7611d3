//! Delivery through list registers, with the guest's half modelled.

use super::{GICR_SGI, cpus, ready};
use crate::Vgic;
use std::vec::Vec;

const PENDING: u64 = 1 << 62;
const ACTIVE: u64 = 1 << 63;
const STATE: u64 = PENDING | ACTIVE;
const EOI: u64 = 1 << 41;

/// The virtual CPU interface of one physical CPU, after IHI0069 ch. 11.
#[derive(Default)]
struct Interface {
    registers: [u64; 16],
    hcr: u64,
    ended_unlisted: u64,
    end_of_interrupt: bool,
    running: Vec<(u8, u32)>,
}

impl Interface {
    fn enter(&mut self, vgic: &mut Vgic<'_>, vcpu: usize) {
        if vgic.needs_load(vcpu) {
            self.hcr = vgic.load(vcpu, &mut self.registers);
        }
        self.ended_unlisted = 0;
        self.end_of_interrupt = false;
        let used = self.registers.iter().take_while(|lr| **lr != 0).count();
        let all = self.registers.iter().filter(|lr| **lr != 0).count();
        assert_eq!(used, all, "a host that stops at the first empty one");
        let mut seen = Vec::new();
        for register in self.registers.iter().filter(|lr| **lr & STATE != 0) {
            assert_eq!(register >> 61 & 1, 0, "the HW bit is never set");
            assert_eq!(register >> 32 & 0x1fff & !0x200, 0, "pINTID is EOI only");
            let intid = *register as u32;
            assert!(!seen.contains(&intid), "INTID {intid} is listed twice");
            seen.push(intid);
        }
        assert!(!self.maintenance(), "an entry that ends at once");
    }

    fn leave(&mut self, vgic: &mut Vgic<'_>, vcpu: usize) {
        vgic.sync(vcpu, &self.registers, self.hcr | self.ended_unlisted << 27);
    }

    fn maintenance(&self) -> bool {
        let valid = self.registers.iter().filter(|lr| **lr & STATE != 0).count();
        let pending = self.registers.iter().any(|lr| lr & PENDING != 0);
        self.end_of_interrupt
            || self.hcr & 2 != 0 && valid <= 1
            || self.hcr & 4 != 0 && self.ended_unlisted > 0
            || self.hcr & 8 != 0 && !pending
    }

    fn acknowledge(&mut self) -> Option<u32> {
        let running = self.running.last().map_or(0xff, |(priority, _)| *priority);
        let register = self
            .registers
            .iter_mut()
            .filter(|lr| **lr & PENDING != 0)
            .min_by_key(|lr| **lr >> 48 & 0xff)?;
        let priority = (*register >> 48) as u8;
        if priority >= running {
            return None;
        }
        *register = *register & !PENDING | ACTIVE;
        self.running.push((priority, *register as u32));
        Some(*register as u32)
    }

    fn end(&mut self) {
        let (_, intid) = self.running.pop().expect("something to end");
        let listed = self
            .registers
            .iter_mut()
            .find(|lr| **lr & ACTIVE != 0 && **lr as u32 == intid);
        match listed {
            Some(register) => {
                *register &= !ACTIVE;
                self.end_of_interrupt |= *register & (STATE | EOI) == EOI;
            }
            None => self.ended_unlisted += 1,
        }
    }
}

/// Lets the guest take and end everything it can, one after the other.
fn drain(vgic: &mut Vgic<'_>, interface: &mut Interface, vcpu: usize) -> Vec<u32> {
    let mut taken = Vec::new();
    for _ in 0..2000 {
        interface.enter(vgic, vcpu);
        let mut idle = true;
        while !interface.maintenance() {
            match interface.acknowledge() {
                Some(intid) => {
                    taken.push(intid);
                    interface.end();
                    idle = false;
                }
                None => break,
            }
        }
        let forced = interface.maintenance();
        interface.leave(vgic, vcpu);
        if idle && !forced && !vgic.needs_load(vcpu) {
            return taken;
        }
    }
    panic!("the guest never comes to rest");
}

#[test]
fn nothing_pending_means_nothing_to_load() {
    let mut cpus = cpus(1);
    let mut vgic = ready(&mut cpus, 4);
    let mut interface = Interface::default();
    interface.enter(&mut vgic, 0);
    assert!(!vgic.needs_load(0));
    vgic.set_timers(0, false, false);
    vgic.sync(0, &[!0; 16], !0);
    assert!(!vgic.needs_load(0));
    assert_eq!(interface.registers, [0; 16]);
}

#[test]
fn a_timer_interrupt_is_delivered_once_per_level() {
    let mut cpus = cpus(1);
    let mut vgic = ready(&mut cpus, 4);
    let mut interface = Interface::default();
    vgic.set_timers(0, true, false);
    interface.enter(&mut vgic, 0);
    assert_eq!(
        interface.registers[0] & EOI,
        EOI,
        "a level asks for its end"
    );
    assert_eq!(interface.acknowledge(), Some(27));
    interface.leave(&mut vgic, 0);
    // The handler has moved the compare value on.
    vgic.set_timers(0, false, false);
    interface.enter(&mut vgic, 0);
    interface.end();
    assert!(interface.maintenance());
    interface.leave(&mut vgic, 0);
    interface.enter(&mut vgic, 0);
    assert_eq!(interface.acknowledge(), None);
    assert_eq!(interface.registers, [0; 16]);
}

#[test]
fn a_level_that_stays_up_comes_again_after_its_end() {
    let mut cpus = cpus(1);
    let mut vgic = ready(&mut cpus, 4);
    let mut interface = Interface::default();
    vgic.set_spi(33, true);
    for _ in 0..5 {
        interface.enter(&mut vgic, 0);
        assert_eq!(interface.acknowledge(), Some(33));
        assert_eq!(interface.acknowledge(), None);
        interface.end();
        interface.leave(&mut vgic, 0);
    }
    vgic.set_spi(33, false);
    interface.enter(&mut vgic, 0);
    assert_eq!(interface.acknowledge(), None);
}

#[test]
fn a_level_that_falls_before_it_is_taken_is_withdrawn() {
    let mut cpus = cpus(1);
    let mut vgic = ready(&mut cpus, 4);
    let mut interface = Interface::default();
    vgic.set_spi(33, true);
    interface.enter(&mut vgic, 0);
    interface.leave(&mut vgic, 0);
    vgic.set_spi(33, false);
    interface.enter(&mut vgic, 0);
    assert_eq!(interface.acknowledge(), None);
}

#[test]
fn a_disabled_interrupt_is_withdrawn_and_kept() {
    let mut cpus = cpus(1);
    let mut vgic = ready(&mut cpus, 4);
    let mut interface = Interface::default();
    vgic.send_sgi(0, 0x0300_0001, 1);
    interface.enter(&mut vgic, 0);
    interface.leave(&mut vgic, 0);
    vgic.redistributor_write(GICR_SGI + 0x180, 4, 1 << 3);
    interface.enter(&mut vgic, 0);
    assert_eq!(interface.acknowledge(), None);
    interface.leave(&mut vgic, 0);
    vgic.redistributor_write(GICR_SGI + 0x100, 4, 1 << 3);
    assert_eq!(drain(&mut vgic, &mut interface, 0), [3]);
}

#[test]
fn an_edge_that_comes_while_its_interrupt_is_active_is_not_lost() {
    let mut cpus = cpus(1);
    let mut vgic = ready(&mut cpus, 4);
    let mut interface = Interface::default();
    vgic.send_sgi(0, 0x0500_0001, 1);
    interface.enter(&mut vgic, 0);
    assert_eq!(interface.acknowledge(), Some(5));
    interface.leave(&mut vgic, 0);
    vgic.send_sgi(0, 0x0500_0001, 1);
    interface.enter(&mut vgic, 0);
    assert_eq!(interface.acknowledge(), None);
    interface.end();
    assert_eq!(interface.acknowledge(), Some(5));
}

#[test]
fn an_edge_that_comes_while_the_guest_runs_is_not_lost() {
    let mut cpus = cpus(1);
    let mut vgic = ready(&mut cpus, 4);
    let mut interface = Interface::default();
    vgic.send_sgi(0, 0x0500_0001, 1);
    interface.enter(&mut vgic, 0);
    assert_eq!(interface.acknowledge(), Some(5));
    // Another CPU sends it again before this one's exit is read back.
    vgic.send_sgi(0, 0x0500_0001, 1);
    interface.end();
    interface.leave(&mut vgic, 0);
    assert_eq!(drain(&mut vgic, &mut interface, 0), [5]);
}

#[test]
fn more_pending_than_list_registers_lose_none() {
    for registers in 1..=16 {
        let mut cpus = cpus(1);
        let mut vgic = ready(&mut cpus, registers);
        // Every SPI edge-triggered, by its configuration.
        for word in 2..8 {
            vgic.distributor_write(0xc00 + 4 * word, 4, 0xaaaa_aaaa);
        }
        let mut interface = Interface::default();
        for intid in 32..128 {
            vgic.set_spi(intid, true);
        }
        vgic.send_sgi(0, 0x0700_0001, 1);
        let mut taken = drain(&mut vgic, &mut interface, 0);
        assert_eq!(taken.len(), 97, "{registers} list registers");
        taken.sort_unstable();
        taken.dedup();
        assert_eq!(taken.len(), 97);
    }
}

#[test]
fn the_most_urgent_come_first() {
    let mut cpus = cpus(1);
    let mut vgic = ready(&mut cpus, 2);
    let mut interface = Interface::default();
    for (intid, priority) in [(40, 0x80), (50, 0x20), (60, 0xc0), (70, 0x10)] {
        vgic.distributor_write(0x400 + intid, 1, priority);
        vgic.distributor_write(0xc00 + intid / 16 * 4, 4, 0xaaaa_aaaa);
        vgic.set_spi(intid as u32, true);
    }
    assert_eq!(drain(&mut vgic, &mut interface, 0), [70, 50, 40, 60]);
}

#[test]
fn nested_interrupts_beyond_the_list_registers_end_in_order() {
    for registers in 1..=5 {
        let mut cpus = cpus(1);
        let mut vgic = ready(&mut cpus, registers);
        let mut interface = Interface::default();
        // Each more urgent than the one before: they nest eight deep.
        for sgi in 0..8_u64 {
            vgic.redistributor_write(GICR_SGI + 0x400 + sgi, 1, 0xb0 - 0x10 * sgi);
        }
        for sgi in 0..8_u64 {
            vgic.send_sgi(0, sgi << 24 | 1, 1);
            interface.enter(&mut vgic, 0);
            assert_eq!(interface.acknowledge(), Some(sgi as u32));
            interface.leave(&mut vgic, 0);
        }
        for sgi in (0..8_u32).rev() {
            interface.enter(&mut vgic, 0);
            assert_eq!(interface.running.last().map(|r| r.1), Some(sgi));
            interface.end();
            interface.leave(&mut vgic, 0);
            let active = vgic.redistributor_read(GICR_SGI + 0x300, 4);
            assert_eq!(active, (1 << sgi) - 1, "{registers} list registers");
        }
    }
}

#[test]
fn a_software_interrupt_reaches_whom_it_names() {
    let mut cpus = cpus(18);
    let mut vgic = ready(&mut cpus, 4);
    // Aff1 = 1, targets 0 and 1: virtual CPUs 16 and 17.
    vgic.send_sgi(0, 0x0200_0000 | 1 << 16 | 3, 1);
    for index in 0..18 {
        assert_eq!(vgic.has_pending(index, 0), index >= 16);
    }
    vgic.send_sgi(3, 1 << 40 | 0x0200_0000, 1);
    for index in 0..18 {
        assert_eq!(vgic.has_pending(index, 0), index != 3);
    }
}

#[test]
fn a_software_interrupt_of_the_other_group_does_not_arrive() {
    let mut cpus = cpus(1);
    let mut vgic = ready(&mut cpus, 4);
    vgic.send_sgi(0, 0x0200_0001, 0);
    assert!(!vgic.has_pending(0, 0));
}

#[test]
fn the_priority_mask_decides_whether_a_wait_ends() {
    let mut cpus = cpus(1);
    let mut vgic = ready(&mut cpus, 4);
    vgic.set_timers(0, true, false);
    assert!(vgic.has_pending(0, 0xf0 << 24 | 2));
    assert!(!vgic.has_pending(0, 0xa0 << 24 | 2));
    assert!(
        !vgic.has_pending(0, 0xf0 << 24),
        "the guest's group 1 is off"
    );
}

#[test]
fn a_shared_interrupt_is_listed_by_one_virtual_cpu_only() {
    let mut cpus = cpus(2);
    let mut vgic = ready(&mut cpus, 4);
    let (mut one, mut other) = (Interface::default(), Interface::default());
    vgic.set_spi(33, true);
    one.enter(&mut vgic, 0);
    assert_eq!(one.acknowledge(), Some(33));
    one.leave(&mut vgic, 0);
    vgic.distributor_write(0x6000 + 8 * 33, 8, 1);
    other.enter(&mut vgic, 1);
    assert_eq!(other.acknowledge(), None, "still active on the first");
    other.leave(&mut vgic, 1);
    one.enter(&mut vgic, 0);
    one.end();
    one.leave(&mut vgic, 0);
    other.enter(&mut vgic, 1);
    assert_eq!(other.acknowledge(), Some(33));
}

#[test]
fn an_exit_that_invents_an_interrupt_changes_nothing() {
    let mut cpus = cpus(1);
    let mut vgic = ready(&mut cpus, 4);
    let mut interface = Interface::default();
    vgic.send_sgi(0, 0x0100_0001, 1);
    interface.enter(&mut vgic, 0);
    let mut forged = interface.registers;
    forged[1] = STATE | 50;
    forged[0] = forged[0] & !0xffff | 60 | ACTIVE;
    vgic.sync(0, &forged, 0);
    assert_eq!(
        vgic.redistributor_read(GICR_SGI + 0x300, 4),
        2,
        "still SGI 1"
    );
    assert_eq!(vgic.distributor_read(0x304, 4), 0);
}

#[test]
fn random_traffic_loses_nothing_and_ends() {
    let mut seed = 7_u64;
    let mut next = |bound: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) % bound
    };
    for registers in [1, 2, 4, 16] {
        let mut cpus = cpus(1);
        let mut vgic = ready(&mut cpus, registers);
        for word in 2..8 {
            vgic.distributor_write(0xc00 + 4 * word, 4, 0xaaaa_aaaa);
        }
        for intid in 32..128 {
            vgic.distributor_write(0x400 + intid, 1, next(31) * 8);
        }
        let mut interface = Interface::default();
        let mut owed = [0_u32; 128];
        for _ in 0..4000 {
            interface.enter(&mut vgic, 0);
            for _ in 0..next(6) {
                if interface.maintenance() {
                    break;
                }
                if next(2) == 0 || interface.running.is_empty() {
                    if let Some(intid) = interface.acknowledge() {
                        owed[intid as usize] = 0;
                    }
                } else {
                    interface.end();
                }
            }
            interface.leave(&mut vgic, 0);
            for _ in 0..next(4) {
                let intid = 32 + next(96) as u32;
                vgic.set_spi(intid, true);
                vgic.set_spi(intid, false);
                owed[intid as usize] = 1;
            }
        }
        while !interface.running.is_empty() {
            interface.enter(&mut vgic, 0);
            interface.end();
            interface.leave(&mut vgic, 0);
        }
        for intid in drain(&mut vgic, &mut interface, 0) {
            owed[intid as usize] = 0;
        }
        assert_eq!(owed.iter().sum::<u32>(), 0, "{registers} list registers");
    }
}
