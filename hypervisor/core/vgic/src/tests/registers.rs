//! What a driver reads and writes.

use super::{GICR_SGI, cpus, ready};
use crate::{Config, Vgic};

fn fresh(cpus: &mut [crate::Cpu]) -> Vgic<'_> {
    Vgic::new(
        cpus,
        Config {
            list_registers: 4,
            priority_bits: 5,
        },
    )
}

#[test]
fn the_distributor_says_gicv3_with_one_security_state() {
    let mut cpus = cpus(1);
    let vgic = fresh(&mut cpus);
    assert_eq!(vgic.distributor_read(0xffe8, 4) & 0xf0, 0x30);
    assert_eq!(vgic.distributor_read(0, 4), 0x50);
    let typer = vgic.distributor_read(4, 4);
    assert_eq!(32 * ((typer & 0x1f) + 1), 128, "INTIDs");
    assert_eq!(typer >> 10 & 1, 0, "one security state");
    assert_eq!(typer >> 19 & 0x1f, 9, "ten bits of INTID");
}

#[test]
fn each_redistributor_has_its_affinity_and_the_last_one_says_so() {
    let mut cpus = cpus(18);
    let vgic = fresh(&mut cpus);
    for index in 0..18_u64 {
        let typer = vgic.redistributor_read(index * 0x2_0000 + 8, 8);
        assert_eq!(typer >> 32, (index % 16) | ((index / 16) << 8));
        assert_eq!(typer >> 8 & 0xffff, index);
        assert_eq!(typer >> 4 & 1, u64::from(index == 17));
        assert_eq!(
            typer >> 32,
            vgic.redistributor_read(index * 0x2_0000 + 0xc, 4)
        );
    }
    assert_eq!(vgic.redistributor_read(18 * 0x2_0000 + 8, 8), 0);
}

#[test]
fn a_redistributor_wakes_when_told() {
    let mut cpus = cpus(1);
    let mut vgic = fresh(&mut cpus);
    assert_eq!(vgic.redistributor_read(0x14, 4), 6);
    vgic.redistributor_write(0x14, 4, 0);
    assert_eq!(vgic.redistributor_read(0x14, 4), 0);
}

#[test]
fn enables_are_set_and_cleared_bit_by_bit() {
    let mut cpus = cpus(1);
    let mut vgic = fresh(&mut cpus);
    vgic.distributor_write(0x104, 4, 0b1010);
    vgic.distributor_write(0x184, 4, 0b0010);
    assert_eq!(vgic.distributor_read(0x104, 4), 0b1000);
    assert_eq!(vgic.distributor_read(0x184, 4), 0b1000);
    // INTIDs 0 to 31 belong to the redistributor under affinity routing.
    vgic.distributor_write(0x100, 4, 0xffff_ffff);
    assert_eq!(vgic.distributor_read(0x100, 4), 0);
    assert_eq!(vgic.redistributor_read(GICR_SGI + 0x100, 4), 0);
}

#[test]
fn priorities_take_bytes_and_words_and_lose_unimplemented_bits() {
    let mut cpus = cpus(1);
    let mut vgic = fresh(&mut cpus);
    vgic.distributor_write(0x421, 1, 0xff);
    assert_eq!(vgic.distributor_read(0x420, 4), 0xf800);
    assert_eq!(vgic.distributor_read(0x421, 1), 0xf8);
    vgic.redistributor_write(GICR_SGI + 0x418, 4, 0x0102_a3ff);
    assert_eq!(vgic.redistributor_read(GICR_SGI + 0x418, 4), 0xa0f8);
}

#[test]
fn private_interrupts_keep_their_triggers_and_shared_ones_take_others() {
    let mut cpus = cpus(1);
    let mut vgic = fresh(&mut cpus);
    vgic.redistributor_write(GICR_SGI + 0xc00, 4, 0);
    assert_eq!(vgic.redistributor_read(GICR_SGI + 0xc00, 4), 0xaaaa_aaaa);
    vgic.redistributor_write(GICR_SGI + 0xc04, 4, 0x8000_0002);
    // A timer whose interrupt is an edge would lose its ticks.
    assert_eq!(vgic.redistributor_read(GICR_SGI + 0xc04, 4), 0);
    vgic.distributor_write(0xc08, 4, 0xffff_ffff);
    assert_eq!(vgic.distributor_read(0xc08, 4), 0xaaaa_aaaa);
}

#[test]
fn a_router_is_written_whole_or_by_halves() {
    let mut cpus = cpus(2);
    let mut vgic = fresh(&mut cpus);
    let router = 0x6000 + 8 * 33;
    vgic.distributor_write(router, 8, 0x12_8001_0203);
    assert_eq!(vgic.distributor_read(router, 8), 0x12_0001_0203);
    vgic.distributor_write(router, 4, 1);
    assert_eq!(vgic.distributor_read(router, 8), 0x12_0000_0001);
    assert_eq!(vgic.distributor_read(router + 4, 4), 0x12);
    vgic.distributor_write(0x6000, 8, 1);
    assert_eq!(vgic.distributor_read(0x6000, 8), 0, "no router below 32");
}

#[test]
fn a_router_that_names_nobody_delivers_to_nobody() {
    let mut cpus = cpus(2);
    let mut vgic = ready(&mut cpus, 4);
    vgic.distributor_write(0x6000 + 8 * 40, 8, 7);
    vgic.set_spi(40, true);
    assert!(!vgic.has_pending(0, 0) && !vgic.has_pending(1, 0));
    vgic.distributor_write(0x6000 + 8 * 40, 8, 1);
    assert!(!vgic.has_pending(0, 0) && vgic.has_pending(1, 0));
}

#[test]
fn a_line_shows_as_pending_while_it_is_up() {
    let mut cpus = cpus(1);
    let mut vgic = ready(&mut cpus, 4);
    vgic.set_spi(33, true);
    assert_eq!(vgic.distributor_read(0x204, 4), 2);
    vgic.distributor_write(0x284, 4, 2);
    assert_eq!(vgic.distributor_read(0x204, 4), 2, "a level is not cleared");
    vgic.set_spi(33, false);
    assert_eq!(vgic.distributor_read(0x204, 4), 0);
}

#[test]
fn no_access_whatever_it_is_panics() {
    let mut cpus = cpus(3);
    let mut vgic = fresh(&mut cpus);
    let mut seed = 1_u64;
    for _ in 0..200_000 {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(99);
        let offset = seed >> 40 & 0x7_ffff;
        let bytes = 1 << (seed >> 20 & 3);
        let value = seed ^ seed << 17;
        vgic.distributor_write(offset & 0xffff, bytes, value);
        vgic.redistributor_write(offset, bytes, value);
        vgic.distributor_read(offset & 0xffff, bytes);
        vgic.redistributor_read(offset, bytes);
        vgic.send_sgi(offset as usize % 5, value, bytes as u8 & 1);
        vgic.deactivate(offset as usize % 5, value as u32);
        let mut lrs = [0; 16];
        let hcr = vgic.load(offset as usize % 5, &mut lrs);
        assert_eq!(hcr & !0x40fe, 0);
        let answer = lrs.map(|lr| lr ^ value & 0xf000_0000_0000_0000);
        vgic.sync(offset as usize % 5, &answer, value);
    }
}
