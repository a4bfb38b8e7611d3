//! The vector registers, shared by the host, Realms and the hashing routine.
//!
//! The image is built without floating point, so the registers still hold the
//! host's values when an RMI arrives. They are saved when the first other user
//! appears and put back before the RMI is answered; most RMIs never get there.
//! A host in SME streaming mode is not supported (`docs/caveats.md`).
#![expect(unsafe_code, reason = "vector registers are moved in assembly")]

use crate::hw::sysreg::{self, cptr, id_field};
use core::mem::offset_of;
use rmm_core::FpState;

const Z_BYTES: usize = 32 * 256;
const P_BYTES: usize = 17 * 32;

/// Room for the host's registers at the longest vector length.
#[repr(C, align(16))]
struct HostRegisters {
    z: [u8; Z_BYTES],
    p: [u8; P_BYTES],
    fpcr: u64,
    fpsr: u64,
}

core::arch::global_asm!(
    include_str!("simd.S"),
    P = const offset_of!(HostRegisters, p),
    HOST_FPCR = const offset_of!(HostRegisters, fpcr),
    FPCR = const offset_of!(FpState, fpcr),
);

unsafe extern "C" {
    /// Stores V0 to V31, FPCR and FPSR to an [`FpState`].
    fn rmm_fp_save(to: *mut FpState);
    /// Loads V0 to V31, FPCR and FPSR from an [`FpState`].
    fn rmm_fp_load(from: *const FpState);
    /// Stores Z, P, FFR (with SVE) or V registers, FPCR and FPSR.
    fn rmm_host_save(to: *mut HostRegisters, sve: u64);
    /// Loads what `rmm_host_save` stored.
    fn rmm_host_load(from: *const HostRegisters, sve: u64);
}

/// The host's part of the vector registers on one CPU.
pub struct Simd {
    host: HostRegisters,
    host_saved: bool,
}

impl Simd {
    /// The registers hold the host's values.
    pub const NEW: Self = Self {
        host: HostRegisters {
            z: [0; Z_BYTES],
            p: [0; P_BYTES],
            fpcr: 0,
            fpsr: 0,
        },
        host_saved: false,
    };

    /// Makes the registers usable at R-EL2, the host's values being safe.
    /// [`release`] ends it.
    pub fn take(&mut self) {
        sysreg::write!("cptr_el2", cptr::TRAP_ALL | cptr::FPEN_ALL | zen());
        sysreg::isb();
        if !self.host_saved {
            // SAFETY: the area has room for the longest vectors and access
            // does not trap.
            unsafe { rmm_host_save(&raw mut self.host, has_sve()) };
            self.host_saved = true;
        }
    }

    /// Puts the host's values back, if they were displaced.
    pub fn restore_host(&mut self) {
        if !self.host_saved {
            return;
        }
        sysreg::write!("cptr_el2", cptr::TRAP_ALL | cptr::FPEN_ALL | zen());
        sysreg::isb();
        // SAFETY: `take` has filled the area; access does not trap.
        unsafe { rmm_host_load(&raw const self.host, has_sve()) };
        self.host_saved = false;
        release();
    }
}

/// Makes accesses to the vector registers trap again.
pub fn release() {
    sysreg::write!("cptr_el2", cptr::TRAP_ALL);
    sysreg::isb();
}

/// Loads a REC's registers; [`Simd::take`] was called.
pub fn load(fp: &FpState) {
    // SAFETY: the reference is valid and access does not trap.
    unsafe { rmm_fp_load(fp) }
}

/// Stores a REC's registers; they were loaded and [`Simd::take`] was called.
pub fn save(fp: &mut FpState) {
    // SAFETY: the reference is valid and access does not trap.
    unsafe { rmm_fp_save(fp) }
}

fn has_sve() -> u64 {
    id_field(sysreg::read!("id_aa64pfr0_el1"), 32)
}

fn zen() -> u64 {
    match has_sve() {
        0 => 0,
        _ => cptr::ZEN_ALL,
    }
}
