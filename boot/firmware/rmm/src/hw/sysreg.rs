//! System register access, and the bits of those registers this image writes.
//!
//! Registers newer than the assembler knows are given by encoding
//! (`s3_op1_cn_cm_op2`), next to their name in a comment.
#![expect(unsafe_code, reason = "system registers are reached by MRS, MSR")]

use rmm_core::CpuFeatures;

/// Reads a system register by assembler name.
macro_rules! read {
    ($name:literal) => {{
        let value: u64;
        // SAFETY: every register this image names is readable at EL2 and
        // reading it changes no state.
        unsafe {
            core::arch::asm!(concat!("mrs {}, ", $name), out(reg) value,
                options(nomem, nostack, preserves_flags));
        }
        value
    }};
}

/// Writes a system register by assembler name.
///
/// Without `nomem`: memory accesses must not move across a write that changes
/// what memory means.
macro_rules! write {
    ($name:literal, $value:expr) => {{
        let value: u64 = $value;
        // SAFETY: callers write registers of the lower exception levels, or
        // EL2 controls whose values keep the RMM's own regime as it is.
        unsafe {
            core::arch::asm!(concat!("msr ", $name, ", {}"), in(reg) value,
                options(nostack, preserves_flags));
        }
    }};
}

pub(crate) use {read, write};

/// Waits until register writes have taken effect.
pub fn isb() {
    // SAFETY: a barrier changes no state.
    unsafe { core::arch::asm!("isb", options(nostack, preserves_flags)) }
}

/// Waits until earlier memory accesses are seen by the inner shareable domain.
pub fn dsb_ish() {
    // SAFETY: a barrier changes no state.
    unsafe { core::arch::asm!("dsb ish", options(nostack, preserves_flags)) }
}

/// Waits until earlier stores are seen by the inner shareable domain.
pub fn dsb_ishst() {
    // SAFETY: a barrier changes no state.
    unsafe { core::arch::asm!("dsb ishst", options(nostack, preserves_flags)) }
}

/// The physical counter, not read ahead of what came before.
pub fn counter() -> u64 {
    isb();
    read!("cntpct_el0")
}

/// The identification registers; the GIC's is left to who knows it.
pub fn cpu_features() -> CpuFeatures {
    CpuFeatures {
        id_aa64pfr0: read!("id_aa64pfr0_el1"),
        id_aa64pfr1: read!("id_aa64pfr1_el1"),
        id_aa64isar0: read!("id_aa64isar0_el1"),
        id_aa64isar1: read!("id_aa64isar1_el1"),
        id_aa64isar2: read!("s3_0_c0_c6_2"),
        id_aa64mmfr0: read!("id_aa64mmfr0_el1"),
        id_aa64mmfr1: read!("id_aa64mmfr1_el1"),
        id_aa64mmfr2: read!("id_aa64mmfr2_el1"),
        id_aa64dfr0: read!("id_aa64dfr0_el1"),
        ich_vtr: 0,
    }
}

/// One four-bit field of an ID register.
pub const fn id_field(register: u64, shift: u32) -> u64 {
    register >> shift & 0xf
}

/// Bits of `HCR_EL2`.
pub mod hcr {
    pub const VM: u64 = 1 << 0;
    pub const SWIO: u64 = 1 << 1;
    pub const PTW: u64 = 1 << 2;
    pub const FMO: u64 = 1 << 3;
    pub const IMO: u64 = 1 << 4;
    pub const AMO: u64 = 1 << 5;
    pub const FB: u64 = 1 << 9;
    pub const BSU_INNER: u64 = 1 << 10;
    pub const TID3: u64 = 1 << 18;
    pub const TSC: u64 = 1 << 19;
    pub const TIDCP: u64 = 1 << 20;
    pub const TACR: u64 = 1 << 21;
    pub const TSW: u64 = 1 << 22;
    pub const RW: u64 = 1 << 31;
    pub const E2H: u64 = 1 << 34;
    pub const TLOR: u64 = 1 << 35;
    pub const TERR: u64 = 1 << 36;
    pub const TEA: u64 = 1 << 37;
    pub const APK: u64 = 1 << 40;
    pub const API: u64 = 1 << 41;
    pub const FWB: u64 = 1 << 46;

    /// While the RMM itself runs. TGE stays 0 so that TLB maintenance for
    /// EL1&0 reaches the regime of Realms and not the RMM's own.
    pub const RMM: u64 = E2H | RW | TEA | IMO | FMO | AMO;
}

/// Bits of `CPTR_EL2` in its E2H=1 layout.
pub mod cptr {
    pub const ZEN_ALL: u64 = 3 << 16;
    pub const FPEN_ALL: u64 = 3 << 20;
    pub const TTA: u64 = 1 << 28;
    pub const TAM: u64 = 1 << 30;

    /// FP, SVE, SME, trace and activity monitors trap at every level.
    pub const TRAP_ALL: u64 = TTA | TAM;
}
