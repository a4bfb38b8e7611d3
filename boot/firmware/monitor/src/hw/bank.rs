//! The EL2 registers that each world has for itself (RMM-EL3 interface, §5).
//!
//! Exactly the interface's list: what is not here is the RMM's to save. A
//! register that belongs to an optional feature is touched only if the CPU has
//! the feature. `AMEVCNTVOFF<n>_EL2` and the 128-bit forms are left out because
//! EL3 keeps their features closed (`SCR_EL3.AMVOFFEN`, `.D128En`). The GIC's
//! are each world's own under interface 0.x only.
//!
//! A register that both worlds hold alike is not written: some writes cost a
//! TLB flush.
#![expect(unsafe_code, reason = "system registers that no crate names")]

use core::arch::asm;
use monitor_logic::el3;
use monitor_logic::features::Features;

macro_rules! bank {
    ($($name:ident = $register:literal $(if $feature:ident)?;)*) => {
        /// One world's EL2 registers.
        #[derive(Clone, Copy, Debug)]
        #[repr(C)]
        pub struct Bank {
            $(pub $name: u64,)*
        }

        impl Bank {
            const ZERO: Self = Self { $($name: 0,)* };

            /// Takes the registers into `self` and loads `next`.
            ///
            /// # Safety
            ///
            /// 1. `next` holds registers that were taken by this function or
            ///    made by [`Bank::initial`].
            /// 2. EL2 is not entered with them but in the world that they are
            ///    of.
            pub unsafe fn exchange(&mut self, next: &Self, features: Features) {
                $(
                    if true $(&& features.contains(Features::$feature))? {
                        let value: u64;
                        // SAFETY: the register exists, as `features` says, and
                        // reading it has no effect.
                        unsafe {
                            asm!(
                                concat!("mrs {}, ", $register),
                                out(reg) value,
                                options(nomem, nostack, preserves_flags)
                            )
                        }
                        self.$name = value;
                        if value != next.$name {
                            // SAFETY: the register exists; it acts on lower
                            // levels only, and the caller vouches for its value
                            // there (1, 2).
                            unsafe {
                                asm!(
                                    concat!("msr ", $register, ", {}"),
                                    in(reg) next.$name,
                                    options(nomem, nostack, preserves_flags)
                                )
                            }
                        }
                    }
                )*
            }
        }
    };
}

bank! {
    actlr = "actlr_el2";
    afsr0 = "afsr0_el2";
    afsr1 = "afsr1_el2";
    amair = "amair_el2";
    cnthctl = "cnthctl_el2";
    cntvoff = "cntvoff_el2";
    cptr = "cptr_el2";
    dbgvcr32 = "dbgvcr32_el2" if AA32_EL1;
    elr = "elr_el2";
    esr = "esr_el2";
    far = "far_el2";
    hacr = "hacr_el2";
    hcr = "hcr_el2";
    hpfar = "hpfar_el2";
    hstr = "hstr_el2";
    mair = "mair_el2";
    mdcr = "mdcr_el2";
    sctlr = "sctlr_el2";
    spsr = "spsr_el2";
    sp = "sp_el2";
    tcr = "tcr_el2";
    tpidr = "tpidr_el2";
    ttbr0 = "ttbr0_el2";
    vbar = "vbar_el2";
    vmpidr = "vmpidr_el2";
    vpidr = "vpidr_el2";
    vtcr = "vtcr_el2";
    vttbr = "vttbr_el2";
    icc_sre = "s3_4_c12_c9_5" if GIC;
    ich_hcr = "s3_4_c12_c11_0" if GIC;
    ich_vmcr = "s3_4_c12_c11_7" if GIC;
    apia_lo = "s3_0_c2_c1_0" if PAUTH;
    apia_hi = "s3_0_c2_c1_1" if PAUTH;
    apib_lo = "s3_0_c2_c1_2" if PAUTH;
    apib_hi = "s3_0_c2_c1_3" if PAUTH;
    apda_lo = "s3_0_c2_c2_0" if PAUTH;
    apda_hi = "s3_0_c2_c2_1" if PAUTH;
    apdb_lo = "s3_0_c2_c2_2" if PAUTH;
    apdb_hi = "s3_0_c2_c2_3" if PAUTH;
    apga_lo = "s3_0_c2_c3_0" if PAUTH;
    apga_hi = "s3_0_c2_c3_1" if PAUTH;
    contextidr = "s3_4_c13_c0_1" if VHE;
    ttbr1 = "s3_4_c2_c0_1" if VHE;
    tfsr = "s3_4_c5_c6_0" if MTE2;
    mpam2 = "s3_4_c10_c5_0" if MPAM;
    mpamhcr = "s3_4_c10_c4_0" if MPAM_HCR;
    mpamvpmv = "s3_4_c10_c4_1" if MPAM_HCR;
    mpamvpm0 = "s3_4_c10_c6_0" if MPAM_HCR;
    hfgrtr = "s3_4_c1_c1_4" if FGT;
    hfgwtr = "s3_4_c1_c1_5" if FGT;
    hfgitr = "s3_4_c1_c1_6" if FGT;
    hdfgrtr = "s3_4_c3_c1_4" if FGT;
    hdfgwtr = "s3_4_c3_c1_5" if FGT;
    hafgrtr = "s3_4_c3_c1_6" if FGT_AMU;
    hdfgrtr2 = "s3_4_c3_c1_0" if FGT2;
    hdfgwtr2 = "s3_4_c3_c1_1" if FGT2;
    hfgrtr2 = "s3_4_c3_c1_2" if FGT2;
    hfgwtr2 = "s3_4_c3_c1_3" if FGT2;
    hfgitr2 = "s3_4_c3_c1_7" if FGT2;
    cntpoff = "s3_4_c14_c0_6" if ECV_POFF;
    vdisr = "s3_4_c12_c1_1" if RAS;
    vsesr = "s3_4_c5_c2_3" if RAS;
    vncr = "s3_4_c2_c2_0" if NV2;
    trfcr = "s3_4_c1_c2_1" if TRF;
    scxtnum = "s3_4_c13_c0_7" if CSV2_2;
    hcrx = "s3_4_c1_c2_2" if HCX;
    tcr2 = "s3_4_c2_c0_3" if TCR2;
    pire0 = "s3_4_c10_c2_2" if S1PIE;
    pir = "s3_4_c10_c2_3" if S1PIE;
    por = "s3_4_c10_c2_4" if S1POE;
    s2pir = "s3_4_c10_c2_5" if S2PIE;
    brbcr = "s2_4_c9_c0_0" if BRBE;
    gcscr = "s3_4_c2_c5_0" if GCS;
    gcspr = "s3_4_c2_c5_1" if GCS;
    sctlr2 = "s3_4_c1_c0_3" if SCTLR2;
}

impl Bank {
    /// Nothing taken yet.
    pub const EMPTY: Self = Self::ZERO;

    /// What a world's first entry to EL2 finds on this CPU.
    pub fn initial(midr: u64, mpidr: u64, counters: u64) -> Self {
        Self {
            sctlr: el3::SCTLR_EL2_RESET,
            vpidr: midr,
            vmpidr: mpidr,
            // HPMN: all event counters are EL1's.
            mdcr: counters,
            icc_sre: el3::ICC_SRE,
            ..Self::ZERO
        }
    }
}
