//! EL3's register values per world (DDI0487 D24; RMM-EL3 interface, §6).
//!
//! A bit that opens a feature to the lower levels is set only if the CPU has
//! the feature and the monitor banks its EL2 registers. Whatever stays closed
//! traps to EL3, where it becomes an undefined instruction of the level that
//! tried ([`crate::trap`]).

use crate::features::Features;
use crate::smc::World;
use arm_sysregs::el3::registers::{CptrEl3, MdcrEl3, ScrEl3};

/// `SCTLR_EL3` bits that are 1 whatever is configured.
const SCTLR_RES1: u64 = 0x30c5_0830;
const SCTLR_M: u64 = 1 << 0;
const SCTLR_C: u64 = 1 << 2;
const SCTLR_SA: u64 = 1 << 3;
const SCTLR_I: u64 = 1 << 12;
const SCTLR_WXN: u64 = 1 << 19;

/// `SCTLR_EL3`: MMU, caches and stack alignment checks on, writable memory
/// never executable.
pub const SCTLR: u64 = SCTLR_RES1 | SCTLR_M | SCTLR_C | SCTLR_SA | SCTLR_I | SCTLR_WXN;
/// `SCTLR_EL2` as a world's first entry finds it: MMU and caches off.
pub const SCTLR_EL2_RESET: u64 = SCTLR_RES1;
/// The state a world starts in: EL2 on its own stack pointer, all masked.
pub const SPSR_EL2H: u64 = 0x3c9;

/// `ICC_SRE_ELx`: system registers, no bypass, lower level may do the same.
pub const ICC_SRE: u64 = 0xf;

/// `SCR_EL3` while `world` runs.
pub fn scr(world: World, features: Features) -> u64 {
    let mut scr = ScrEl3::RES1 | ScrEl3::NS | ScrEl3::HCE | ScrEl3::SIF | ScrEl3::RW;
    if world == World::Realm {
        scr |= ScrEl3::NSE;
    }
    for (feature, bit) in [
        (Features::PAUTH, ScrEl3::APK | ScrEl3::API),
        (Features::CSV2_2, ScrEl3::ENSCXT),
        (Features::FGT, ScrEl3::FGTEN),
        (Features::FGT2, ScrEl3::FGTEN2),
        (Features::ECV, ScrEl3::ECVEN),
        (Features::HCX, ScrEl3::HXEN),
        (Features::GCS, ScrEl3::GCSEN),
        (Features::TCR2, ScrEl3::TCR2EN),
        (Features::SCTLR2, ScrEl3::SCTLR2EN),
        (Features::S1PIE, ScrEl3::PIEN),
        (Features::S1POE, ScrEl3::PIEN),
        (Features::S2PIE, ScrEl3::PIEN),
        (Features::SME, ScrEl3::ENTP2),
    ] {
        if features.contains(feature) {
            scr |= bit;
        }
    }
    // Realms have no tags: their EL2 bank holds TFSR_EL2, but the RMM must not
    // depend on allocation tags that delegation does not move.
    if world == World::NonSecure && features.contains(Features::MTE2) {
        scr |= ScrEl3::ATA;
    }
    scr.bits()
}

/// `CPTR_EL3` while `world` runs.
pub fn cptr(world: World, features: Features) -> u64 {
    let mut cptr = CptrEl3::empty();
    if features.contains(Features::SVE) {
        cptr |= CptrEl3::EZ;
    }
    if features.contains(Features::SME) {
        cptr |= CptrEl3::ESM;
    }
    if world == World::Realm {
        cptr |= CptrEl3::TTA;
    }
    cptr.bits()
}

/// `MDCR_EL3` while `world` runs: debug and performance monitors are the lower
/// levels', profiling and trace buffers the Non-secure world's alone.
pub fn mdcr(world: World, features: Features) -> u64 {
    let mut mdcr = MdcrEl3::SDD;
    if features.contains(Features::PMU) {
        mdcr |= MdcrEl3::SCCD | MdcrEl3::MCCD | MdcrEl3::MTPME;
    }
    let open = world == World::NonSecure;
    let owner = |open_bits: MdcrEl3, owner_bits: MdcrEl3| {
        if open { open_bits } else { owner_bits }
    };
    if features.contains(Features::SPE) {
        mdcr |= owner(MdcrEl3::NSPB_NS, MdcrEl3::from_bits_retain(0b10 << 12));
    }
    if features.contains(Features::TRBE) {
        mdcr |= owner(MdcrEl3::NSTB_EN | MdcrEl3::NSTB_SS, MdcrEl3::NSTB_SS);
    }
    if features.contains(Features::TRF) && !open {
        mdcr |= MdcrEl3::TTRF;
    }
    if features.contains(Features::BRBE) && open {
        mdcr |= MdcrEl3::from_bits_retain(0b11 << 32);
    }
    mdcr.bits()
}

/// `ZCR_EL3`: the longest vectors.
pub const ZCR: u64 = 0xf;

/// `SMCR_EL3`: the longest streaming vectors, full A64, and ZT0 where it exists.
pub fn smcr(features: Features) -> u64 {
    let zt0 = if features.contains(Features::SME2) {
        1 << 30
    } else {
        0
    };
    0xf | zt0
}

#[cfg(test)]
mod tests {
    use super::*;

    const EA_IRQ_FIQ: u64 = 0b1110;
    const GPF: u64 = 1 << 48;

    #[test]
    fn the_worlds_differ_in_nse_and_both_keep_interrupts_and_granule_faults_below_el3() {
        let all = Features::all();
        let (ns, realm) = (scr(World::NonSecure, all), scr(World::Realm, all));
        assert_eq!(ns >> 62 & 1, 0);
        assert_eq!(realm >> 62 & 1, 1);
        for scr in [ns, realm] {
            assert_eq!(scr & 1, 1, "NS");
            assert_eq!(scr & (EA_IRQ_FIQ | GPF), 0);
        }
    }

    #[test]
    fn nothing_optional_is_opened_on_a_cpu_without_options() {
        let none = Features::empty();
        assert_eq!(scr(World::NonSecure, none), 0x731);
        assert_eq!(cptr(World::NonSecure, none), 0);
        assert_eq!(mdcr(World::NonSecure, none), 1 << 16);
    }

    #[test]
    fn tags_are_never_open_to_realms() {
        let scr = |world| scr(world, Features::MTE2);
        assert_eq!(scr(World::NonSecure) >> 26 & 1, 1);
        assert_eq!(scr(World::Realm) >> 26 & 1, 0);
    }

    #[test]
    fn profiling_and_trace_belong_to_the_normal_world() {
        let features = Features::SPE | Features::TRBE;
        assert_eq!(mdcr(World::NonSecure, features) >> 12 & 3, 0b11);
        assert_eq!(mdcr(World::Realm, features) >> 12 & 3, 0b10);
        assert_eq!(mdcr(World::NonSecure, features) >> 24 & 3, 0b11);
        assert_eq!(mdcr(World::Realm, features) >> 24 & 3, 0b10);
        assert_eq!(cptr(World::Realm, features) >> 20 & 1, 1);
    }
}
