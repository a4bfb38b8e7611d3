//! The registers of EL1 and EL0, which stay in the CPU for as long as the same
//! vCPU of a plain VM has it, and are moved when another takes it.
#![expect(unsafe_code, reason = "registers by MRS and MSR, vectors by assembly")]

use core::mem::offset_of;

use plain::{CpuFeatures, Injection, Level1};

use super::sysreg::{read, write};

/// RES1 bits: MMU and caches off.
const SCTLR_RESET: u64 = 0x30d0_0800;

/// Expands `$move!(field, register)` for each register.
macro_rules! each_register {
    ($move:ident, $state:expr) => {
        $move!($state.sp_el0, "sp_el0");
        $move!($state.sp_el1, "sp_el1");
        $move!($state.elr, "s3_5_c4_c0_1"); // ELR_EL12
        $move!($state.spsr, "s3_5_c4_c0_0"); // SPSR_EL12
        $move!($state.sctlr, "s3_5_c1_c0_0"); // SCTLR_EL12
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

/// What a vCPU has in the registers of EL1 and EL0 beside x0 to x30.
#[derive(Clone, Debug, Default)]
pub struct El1 {
    sp_el0: u64,
    sp_el1: u64,
    elr: u64,
    spsr: u64,
    sctlr: u64,
    cpacr: u64,
    ttbr0: u64,
    ttbr1: u64,
    tcr: u64,
    mair: u64,
    amair: u64,
    esr: u64,
    far: u64,
    afsr0: u64,
    afsr1: u64,
    vbar: u64,
    contextidr: u64,
    tpidr_el0: u64,
    tpidrro_el0: u64,
    tpidr_el1: u64,
    cntkctl: u64,
    par: u64,
    csselr: u64,
}

impl El1 {
    /// After a reset.
    pub fn reset() -> Self {
        Self {
            sctlr: SCTLR_RESET,
            ..Self::default()
        }
    }

    /// Puts the values into the CPU.
    pub fn load(&self) {
        each_register!(load, self);
    }

    /// Takes them out.
    pub fn save(&mut self) {
        each_register!(store, self);
    }
}

/// What decides how EL1, whose registers are in the CPU, takes an exception.
pub fn level1() -> Level1 {
    Level1 {
        vbar: read!("s3_5_c12_c0_0"),
        sctlr: read!("s3_5_c1_c0_0"),
    }
}

/// Has EL1, whose registers are in the CPU, find an exception.
pub fn inject(injection: &Injection) {
    write!("s3_5_c5_c2_0", injection.esr);
    write!("s3_5_c4_c0_1", injection.elr);
    write!("s3_5_c4_c0_0", injection.spsr);
    if let Some(far) = injection.far {
        write!("s3_5_c6_c0_0", far);
    }
}

/// The identification registers of which guests see a part.
pub fn cpu_features() -> CpuFeatures {
    CpuFeatures {
        id_aa64pfr0: read!("id_aa64pfr0_el1"),
        id_aa64pfr1: read!("id_aa64pfr1_el1"),
        id_aa64isar0: read!("id_aa64isar0_el1"),
        id_aa64isar1: read!("id_aa64isar1_el1"),
        id_aa64mmfr0: read!("id_aa64mmfr0_el1"),
        id_aa64mmfr1: read!("id_aa64mmfr1_el1"),
        id_aa64mmfr2: read!("id_aa64mmfr2_el1"),
    }
}

/// The vector registers. The assembly knows where the two words behind them lie.
#[derive(Clone, Debug)]
#[repr(C, align(16))]
pub struct Vectors {
    v: [[u64; 2]; 32],
    fpcr: u64,
    fpsr: u64,
}

/// Where FPCR and FPSR lie in [`Vectors`].
pub(super) const FPCR: usize = offset_of!(Vectors, fpcr);
const _: () = assert!(offset_of!(Vectors, fpsr) == FPCR + 8 && offset_of!(Vectors, v) == 0);

unsafe extern "C" {
    fn suz_fp_save(to: *mut Vectors);
    fn suz_fp_load(from: *const Vectors);
}

impl Vectors {
    /// After a reset.
    pub const RESET: Self = Self {
        v: [[0; 2]; 32],
        fpcr: 0,
        fpsr: 0,
    };

    /// Puts the values into the CPU.
    ///
    /// # Safety
    ///
    /// 1. `CPTR_EL2` lets EL2 use the registers.
    pub unsafe fn load(&self) {
        // SAFETY: condition 1; the image itself is built without these registers,
        // so that no value of the compiler's is lost.
        unsafe { suz_fp_load(self) }
    }

    /// Takes them out.
    ///
    /// # Safety
    ///
    /// 1. As for [`load`](Self::load).
    pub unsafe fn save(&mut self) {
        // SAFETY: condition 1.
        unsafe { suz_fp_save(self) }
    }
}
