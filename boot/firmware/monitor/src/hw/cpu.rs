//! One CPU: what it has, who it is, EL3's settings of it.
#![expect(
    unsafe_code,
    reason = "EL3 configuration registers, and per-CPU state without a lock"
)]

use crate::hw::world::CpuState;
use crate::hw::{cache, gic};
use arm_sysregs::el0::accessors::{read_cntfrq_el0, read_pmcr_el0, write_cntfrq_el0};
use arm_sysregs::el0::registers::CntfrqEl0;
use arm_sysregs::el1::accessors::{
    read_id_aa64dfr0_el1, read_id_aa64isar1_el1, read_id_aa64mmfr0_el1, read_id_aa64mmfr1_el1,
    read_id_aa64mmfr2_el1, read_id_aa64mmfr3_el1, read_id_aa64pfr0_el1, read_id_aa64pfr1_el1,
    read_midr_el1, read_mpamidr_el1, read_mpidr_el1, write_icc_sre_el1,
};
use arm_sysregs::el1::registers::IccSreEl1;
use arm_sysregs::el3::accessors::{
    read_mpam3_el3, read_tpidr_el3, write_cptr_el3, write_icc_sre_el3, write_mpam3_el3,
    write_scr_el3, write_smcr_el3, write_zcr_el3,
};
use arm_sysregs::el3::registers::{CptrEl3, IccSreEl3, Mpam3El3, ScrEl3, SmcrEl3, ZcrEl3};
use core::arch::asm;
use core::cell::{RefCell, RefMut};
use monitor_logic::features::{Features, IdRegisters};
use monitor_logic::layout::{MAX_CPUS, TIMER_HZ};
use monitor_logic::smc::World;
use monitor_logic::{el3, psci};
use spin::Once;

/// The power state of every CPU.
pub static CPUS: psci::Cpus = psci::Cpus::new();

static FEATURES: Once<Features> = Once::new();

struct PerCpu([RefCell<CpuState>; MAX_CPUS]);

// SAFETY: `state` reaches only the element of the calling CPU, EL3 is never
// interrupted by code that would reach it as well, and no reference to an
// element is handed to another CPU.
unsafe impl Sync for PerCpu {}

static STATE: PerCpu = PerCpu([const { RefCell::new(CpuState::NEW) }; MAX_CPUS]);

/// This CPU's index.
pub fn index() -> usize {
    // The entry code parks CPUs whose index is not below MAX_CPUS.
    read_tpidr_el3().bits() as usize
}

/// This CPU's state.
pub fn state() -> RefMut<'static, CpuState> {
    STATE.0[index()].borrow_mut()
}

/// What the boot CPU has; all CPUs have the same.
pub fn features() -> Features {
    *FEATURES.call_once(|| {
        let ids = IdRegisters {
            pfr0: read_id_aa64pfr0_el1(),
            pfr1: read_id_aa64pfr1_el1(),
            dfr0: read_id_aa64dfr0_el1(),
            isar1: read_id_aa64isar1_el1(),
            mmfr0: read_id_aa64mmfr0_el1(),
            mmfr1: read_id_aa64mmfr1_el1(),
            mmfr2: read_id_aa64mmfr2_el1(),
            mmfr3: read_id_aa64mmfr3_el1(),
        };
        let mut features = Features::from_ids(&ids);
        if features.contains(Features::MPAM) {
            let id = read_mpamidr_el1();
            features.set(Features::MPAM_HCR, id.bits() >> 17 & 1 != 0);
        }
        features
    })
}

/// `MPIDR_EL1`.
pub fn mpidr() -> u64 {
    read_mpidr_el1().bits()
}

/// `MIDR_EL1`.
pub fn midr() -> u64 {
    read_midr_el1().bits()
}

/// Event counters of the performance monitors.
pub fn event_counters() -> u64 {
    if features().contains(Features::PMU) {
        read_pmcr_el0().bits() >> 11 & 0x1f
    } else {
        0
    }
}

/// `ELR_EL3`.
pub fn read_elr() -> u64 {
    let value;
    // SAFETY: reading the register has no effect.
    unsafe { asm!("mrs {}, elr_el3", out(reg) value, options(nomem, nostack)) }
    value
}

/// `FAR_EL3`.
pub fn read_far() -> u64 {
    let value;
    // SAFETY: reading the register has no effect.
    unsafe { asm!("mrs {}, far_el3", out(reg) value, options(nomem, nostack)) }
    value
}

/// Settings that do not change between worlds. Leaves the Non-secure world's
/// access in force: some registers exist only there.
pub fn set_up() {
    let features = features();
    let scr = ScrEl3::from_bits_retain(el3::scr(World::NonSecure, features));
    // SAFETY: EL3 itself does not depend on SCR_EL3.
    unsafe { write_scr_el3(scr) }
    let cptr = CptrEl3::from_bits_retain(el3::cptr(World::NonSecure, features));
    // SAFETY: EL3 uses neither vectors nor trace.
    unsafe { write_cptr_el3(cptr) }
    cache::isb();
    if features.contains(Features::SVE) {
        // SAFETY: the register exists and EL3 uses no vectors.
        unsafe { write_zcr_el3(ZcrEl3::from_bits_retain(el3::ZCR)) }
    }
    if features.contains(Features::SME) {
        // SAFETY: the register exists and EL3 uses no matrices.
        unsafe { write_smcr_el3(SmcrEl3::from_bits_retain(el3::smcr(features))) }
    }
    if features.contains(Features::MPAM) {
        let open = read_mpam3_el3() - Mpam3El3::TRAPLOWER;
        // SAFETY: the register exists; EL3's own partition stays as it is.
        unsafe { write_mpam3_el3(open) }
    }
    if features.contains(Features::GIC) {
        // SAFETY: SRE goes from 0 to 1 only.
        unsafe { write_icc_sre_el3(IccSreEl3::from_bits_retain(el3::ICC_SRE)) }
        cache::isb();
        // SAFETY: SRE goes from 0 to 1 only; SCR_EL3 selects the Non-secure copy.
        unsafe { write_icc_sre_el1(IccSreEl1::from_bits_retain(el3::ICC_SRE & 0x7)) }
        if !gic::set_up_redistributor(mpidr()) {
            say!(
                "CPU {} has no redistributor that wakes: it gets no interrupts",
                index()
            );
        }
    }
    if read_cntfrq_el0().bits() == 0 {
        write_cntfrq_el0(CntfrqEl0::from_bits_retain(TIMER_HZ));
    }
    cache::isb();
}
