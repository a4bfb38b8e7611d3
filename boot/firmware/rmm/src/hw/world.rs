//! The world switch: a REC's state into the CPU, EL1 entered, and back.
//!
//! EL3 keeps one bank of EL2 registers per world. EL1 and EL0 registers, the
//! EL1 timers and the vector registers are the same for all worlds, so what the
//! host has in them is saved before a REC's values come in, and put back before
//! the RMI is answered (RMM-EL3 interface, §5; DEN0137, REC exit).
#![expect(unsafe_code, reason = "EL1 is entered by ERET in assembly")]

use crate::hw::cpu::{self, Cpu};
use crate::hw::sysreg::{cptr, hcr, id_field, isb, read, write};
use crate::hw::{gic, simd, tlb};
use core::mem::{MaybeUninit, offset_of};
use rmm_core::context::{TIMER_MASK_PHYSICAL, TIMER_MASK_VIRTUAL};
use rmm_core::{El1State, FpState, RecContext, RunExit, RunExitKind, Stage2, Timers};

const EC_FP: u64 = 0x07;
const CNTHCTL_EL1_TIMERS: u64 = 3 << 10;
const CNTHCTL_CNTVMASK: u64 = 1 << 18;
const CNTHCTL_CNTPMASK: u64 = 1 << 19;
const PPI_VIRTUAL_TIMER: u64 = 27;
const PPI_PHYSICAL_TIMER: u64 = 30;

/// `HCR_EL2` while a REC runs.
const HCR_REALM: u64 = hcr::RMM
    | hcr::VM
    | hcr::SWIO
    | hcr::PTW
    | hcr::FB
    | hcr::BSU_INNER
    | hcr::TID3
    | hcr::TSC
    | hcr::TIDCP
    | hcr::TACR
    | hcr::TSW
    | hcr::TLOR
    | hcr::TERR
    | hcr::APK
    | hcr::API
    | hcr::FWB;

/// `MDCR_EL2`: PMU, debug, OS lock, ROM address, trace filter, statistical
/// profiling and comms channel accesses of a Realm trap.
const MDCR_REALM: u64 = 1 << 5 | 1 << 6 | 1 << 9 | 1 << 10 | 1 << 11 | 1 << 14 | 1 << 19 | 1 << 27;
const MDCR_HPMN: u64 = 0x1f;

unsafe extern "C" {
    /// Enters EL1 with these x0 to x30 and returns the vector it came back by.
    fn rmm_enter_realm(gprs: *mut u64) -> u64;
}

const _: () = assert!(offset_of!(RecContext, gprs) == 0);

/// What the host has in the registers that all worlds share.
pub struct NsState {
    saved: bool,
    el1: El1State,
    timers: Timers,
}

impl NsState {
    /// Nothing is saved.
    pub const ZERO: Self = Self {
        saved: false,
        // SAFETY: both are plain integers (`FromBytes`), so zeroes are valid.
        el1: unsafe { MaybeUninit::zeroed().assume_init() },
        // SAFETY: as above.
        timers: unsafe { MaybeUninit::zeroed().assume_init() },
    };
}

/// Expands `$move!(field, register)` for each EL1 and EL0 register.
macro_rules! el1_registers {
    ($move:ident, $state:expr) => {
        $move!($state.sp_el0, "sp_el0");
        $move!($state.sp_el1, "sp_el1");
        $move!($state.elr, "s3_5_c4_c0_1"); // ELR_EL12
        $move!($state.spsr, "s3_5_c4_c0_0"); // SPSR_EL12
        $move!($state.sctlr, "s3_5_c1_c0_0"); // SCTLR_EL12
        $move!($state.actlr, "actlr_el1");
        $move!($state.cpacr, "s3_5_c1_c0_2"); // CPACR_EL12
        $move!($state.ttbr0, "s3_5_c2_c0_0"); // TTBR0_EL12
        $move!($state.ttbr1, "s3_5_c2_c0_1"); // TTBR1_EL12
        $move!($state.tcr, "s3_5_c2_c0_2"); // TCR_EL12
        $move!($state.mair, "s3_5_c10_c2_0"); // MAIR_EL12
        $move!($state.amair, "s3_5_c10_c3_0"); // AMAIR_EL12
        $move!($state.esr, "s3_5_c5_c2_0"); // ESR_EL12
        $move!($state.far, "s3_5_c6_c0_0"); // FAR_EL12
        $move!($state.afsr0, "s3_5_c5_c1_0"); // AFSR0_EL12
        $move!($state.afsr1, "s3_5_c5_c1_1"); // AFSR1_EL12
        $move!($state.vbar, "s3_5_c12_c0_0"); // VBAR_EL12
        $move!($state.contextidr, "s3_5_c13_c0_1"); // CONTEXTIDR_EL12
        $move!($state.tpidr_el0, "tpidr_el0");
        $move!($state.tpidrro_el0, "tpidrro_el0");
        $move!($state.tpidr_el1, "tpidr_el1");
        $move!($state.cntkctl, "s3_5_c14_c1_0"); // CNTKCTL_EL12
        $move!($state.par, "par_el1");
        $move!($state.csselr, "csselr_el1");
        $move!($state.mdscr, "mdscr_el1");
    };
}

/// As `el1_registers`, for the pointer authentication keys.
macro_rules! pauth_registers {
    ($move:ident, $keys:expr) => {
        let [ia0, ia1, ib0, ib1, da0, da1, db0, db1, ga0, ga1] = $keys;
        $move!(*ia0, "s3_0_c2_c1_0"); // APIAKeyLo_EL1
        $move!(*ia1, "s3_0_c2_c1_1");
        $move!(*ib0, "s3_0_c2_c1_2"); // APIBKeyLo_EL1
        $move!(*ib1, "s3_0_c2_c1_3");
        $move!(*da0, "s3_0_c2_c2_0"); // APDAKeyLo_EL1
        $move!(*da1, "s3_0_c2_c2_1");
        $move!(*db0, "s3_0_c2_c2_2"); // APDBKeyLo_EL1
        $move!(*db1, "s3_0_c2_c2_3");
        $move!(*ga0, "s3_0_c2_c3_0"); // APGAKeyLo_EL1
        $move!(*ga1, "s3_0_c2_c3_1");
    };
}

macro_rules! load {
    ($slot:expr, $name:literal) => {
        write!($name, $slot)
    };
}

macro_rules! store {
    ($slot:expr, $name:literal) => {
        $slot = read!($name)
    };
}

/// Sets up the EL2 controls that do not change between REC and RMM.
pub fn init() {
    let mmfr1 = read!("id_aa64mmfr1_el1");
    if id_field(mmfr1, 40) != 0 {
        write!("s3_4_c1_c2_2", 0); // HCRX_EL2 is UNKNOWN at reset
    }
    let mmfr0 = read!("id_aa64mmfr0_el1");
    if id_field(mmfr0, 56) != 0 {
        init_fine_grained_traps(id_field(mmfr0, 56));
    }
    if id_field(mmfr0, 60) >= 2 {
        write!("s3_4_c14_c0_6", 0); // CNTPOFF_EL2
    }
    write!("cntvoff_el2", 0);
    write!("hstr_el2", 0);
    write!("vpidr_el2", read!("midr_el1"));
    let counters = match id_field(read!("id_aa64dfr0_el1"), 8) {
        0 | 0xf => 0,
        _ => read!("pmcr_el0") >> 11 & MDCR_HPMN,
    };
    write!("mdcr_el2", MDCR_REALM | counters);
    write!("cptr_el2", cptr::TRAP_ALL);
    gic::init();
    isb();
}

/// Registers whose trap bit is negative (nPIR, nTPIDR2, nGCS …) trap at zero,
/// and a Realm is shown none of them; the positive bits trap nothing.
fn init_fine_grained_traps(version: u64) {
    write!("s3_4_c1_c1_4", 0); // HFGRTR_EL2
    write!("s3_4_c1_c1_5", 0); // HFGWTR_EL2
    write!("s3_4_c1_c1_6", 0); // HFGITR_EL2
    write!("s3_4_c3_c1_4", 0); // HDFGRTR_EL2
    write!("s3_4_c3_c1_5", 0); // HDFGWTR_EL2
    if version >= 2 {
        write!("s3_4_c3_c1_2", 0); // HFGRTR2_EL2
        write!("s3_4_c3_c1_3", 0); // HFGWTR2_EL2
        write!("s3_4_c3_c1_7", 0); // HFGITR2_EL2
        write!("s3_4_c3_c1_0", 0); // HDFGRTR2_EL2
        write!("s3_4_c3_c1_1", 0); // HDFGWTR2_EL2
    }
}

/// Runs a REC until something happens that is not the RMM's own business.
pub fn run(context: &mut RecContext, fp: &mut FpState, stage2: &Stage2) -> RunExit {
    cpu::with_current(|cpu| {
        save_host(cpu);
        restore_rec(cpu, context, stage2);
        let (exit, fp_used) = enter(cpu, context, fp);
        if fp_used {
            simd::save(fp);
            simd::release();
        }
        save_rec(context);
        exit
    })
}

/// Puts back all that belongs to the host; to be called before each answer.
pub fn restore_host() {
    cpu::with_current(|cpu| {
        cpu.simd.restore_host();
        if !cpu.ns.saved {
            return;
        }
        cpu.ns.saved = false;
        write!("cnthctl_el2", CNTHCTL_EL1_TIMERS);
        el1_registers!(load, cpu.ns.el1);
        restore_timers(&cpu.ns.timers);
        isb();
    });
}

fn save_host(cpu: &mut Cpu) {
    if cpu.ns.saved {
        return;
    }
    cpu.ns.saved = true;
    el1_registers!(store, cpu.ns.el1);
    save_timers(&mut cpu.ns.timers);
}

fn restore_rec(cpu: &mut Cpu, context: &mut RecContext, stage2: &Stage2) {
    // The timer mask goes first, so that it has time to reach the GIC.
    let mask = context.timers.mask;
    let mut cnthctl = CNTHCTL_EL1_TIMERS;
    let mut retired = [u64::MAX; 2];
    if mask & TIMER_MASK_VIRTUAL != 0 {
        cnthctl |= CNTHCTL_CNTVMASK;
        retired[0] = PPI_VIRTUAL_TIMER;
    }
    if mask & TIMER_MASK_PHYSICAL != 0 {
        cnthctl |= CNTHCTL_CNTPMASK;
        retired[1] = PPI_PHYSICAL_TIMER;
    }
    write!("cnthctl_el2", cnthctl);
    isb();
    restore_timers(&context.timers);
    el1_registers!(load, context.el1);
    pauth_registers!(load, &context.el1.pauth_keys);
    if has_ras() {
        write!("s3_4_c12_c1_1", context.el1.disr); // VDISR_EL2
    }
    gic::restore(&context.gic);
    write!("vmpidr_el2", context.vmpidr);
    write!("vtcr_el2", stage2.vtcr);
    write!("vttbr_el2", stage2.vttbr);
    write!("hcr_el2", HCR_REALM | context.hcr);
    isb();
    // RECs of one Realm share a VMID, but what one of them made this CPU cache
    // under an ASID may differ from what another means by it.
    let rec = (stage2.vttbr, context.vmpidr);
    if cpu.last_rec != rec {
        tlb::forget_current_vmid_locally();
        cpu.last_rec = rec;
    }
    write!("elr_el2", context.pc);
    write!("spsr_el2", context.pstate);
    if mask != 0 {
        gic::wait_retired(&retired);
    }
}

fn save_rec(context: &mut RecContext) {
    context.pc = read!("elr_el2");
    context.pstate = read!("spsr_el2");
    el1_registers!(store, context.el1);
    pauth_registers!(store, &mut context.el1.pauth_keys);
    if has_ras() {
        context.el1.disr = read!("s3_4_c12_c1_1");
    }
    save_timers(&mut context.timers);
    gic::save(&mut context.gic);
    write!("hcr_el2", hcr::RMM);
    isb();
}

/// Enters EL1, again after each trap that only hands over the vector registers.
fn enter(cpu: &mut Cpu, context: &mut RecContext, fp: &FpState) -> (RunExit, bool) {
    let mut fp_used = false;
    loop {
        // SAFETY: gprs holds 31 registers; everything else EL1 runs on has
        // been loaded, and stage 2 confines it.
        let vector = unsafe { rmm_enter_realm(context.gprs.as_mut_ptr()) };
        let esr = read!("esr_el2");
        if vector == 0 && esr >> 26 == EC_FP && !fp_used {
            cpu.simd.take();
            simd::load(fp);
            // SVE and SME stay trapped: a Realm is not shown them.
            write!("cptr_el2", cptr::TRAP_ALL | cptr::FPEN_ALL);
            isb();
            fp_used = true;
            continue;
        }
        return (describe(vector, esr), fp_used);
    }
}

fn describe(vector: u64, esr: u64) -> RunExit {
    let mut exit = RunExit {
        kind: RunExitKind::Sync,
        esr: 0,
        far: 0,
        hpfar: 0,
    };
    match vector {
        0 => {
            exit.esr = esr;
            exit.far = read!("far_el2");
            exit.hpfar = read!("hpfar_el2");
        }
        1 => exit.kind = RunExitKind::Irq,
        2 => exit.kind = RunExitKind::Fiq,
        _ => {
            exit.kind = RunExitKind::SError;
            exit.esr = esr;
        }
    }
    exit
}

fn save_timers(timers: &mut Timers) {
    timers.cntp_ctl = read!("s3_5_c14_c2_1"); // CNTP_CTL_EL02
    timers.cntp_cval = read!("s3_5_c14_c2_2"); // CNTP_CVAL_EL02
    timers.cntv_ctl = read!("s3_5_c14_c3_1"); // CNTV_CTL_EL02
    timers.cntv_cval = read!("s3_5_c14_c3_2"); // CNTV_CVAL_EL02
}

/// Compare values go first: an old one could expire and signal for a moment.
fn restore_timers(timers: &Timers) {
    write!("s3_5_c14_c2_2", timers.cntp_cval);
    write!("s3_5_c14_c2_1", timers.cntp_ctl);
    write!("s3_5_c14_c3_2", timers.cntv_cval);
    write!("s3_5_c14_c3_1", timers.cntv_ctl);
}

fn has_ras() -> bool {
    id_field(read!("id_aa64pfr0_el1"), 28) != 0
}
