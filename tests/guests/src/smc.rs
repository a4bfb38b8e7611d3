//! SMC and HVC from EL1.
#![expect(unsafe_code, reason = "the two instructions need assembly")]

use crate::plain;
use rsi::{HostCall, RealmConfig};

/// Registers x0 to x10, which every call here fits into.
pub type Regs = [u64; 11];

/// Makes an SMC and returns x0 to x10.
///
/// Calls that name memory go through [`realm_config`] and [`host_call`].
pub fn call(regs: Regs) -> Regs {
    let mut out = regs;
    // SAFETY: an SMC from EL1 is answered by the RMM or by EL2, which change
    // x0 to x17 at most and no memory but what the call names; callers in this
    // crate name scratch memory or objects they hold exclusively.
    unsafe {
        core::arch::asm!(
            "smc #0",
            inout("x0") out[0], inout("x1") out[1], inout("x2") out[2],
            inout("x3") out[3], inout("x4") out[4], inout("x5") out[5],
            inout("x6") out[6], inout("x7") out[7], inout("x8") out[8],
            inout("x9") out[9], inout("x10") out[10],
            out("x11") _, out("x12") _, out("x13") _, out("x14") _,
            out("x15") _, out("x16") _, out("x17") _,
            options(nostack)
        );
    }
    out
}

/// Makes an HVC: a Realm has nobody to call with it, a plain VM its host.
pub fn hvc(function: u64) -> u64 {
    let mut x0 = function;
    // SAFETY: HVC is undefined in a Realm; where it is not, it changes x0 to
    // x17 at most.
    unsafe {
        core::arch::asm!(
            "hvc #0", inout("x0") x0, out("x1") _, out("x2") _, out("x3") _,
            out("x4") _, out("x5") _, out("x6") _, out("x7") _, out("x8") _,
            out("x9") _, out("x10") _, out("x11") _, out("x12") _, out("x13") _,
            out("x14") _, out("x15") _, out("x16") _, out("x17") _,
            options(nostack)
        );
    }
    x0
}

/// `RSI_HOST_CALL` with `call`; returns x0. A plain VM has the same calls by HVC.
pub fn host_call(call: &mut HostCall) -> u64 {
    if plain::is_plain() {
        plain::host_call(call.imm, &mut call.gprs);
        return 0;
    }
    // The RMM reads and writes the structure: its address must escape.
    let address = core::ptr::from_mut(call).expose_provenance() as u64;
    self::call([
        u64::from(rsi::Command::HostCall.fid()),
        address,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
    ])[0]
}

/// `RSI_REALM_CONFIG` into `config`; returns x0.
pub fn realm_config(config: &mut RealmConfig) -> u64 {
    let address = core::ptr::from_mut(config).expose_provenance() as u64;
    self::call([
        u64::from(rsi::Command::RealmConfig.fid()),
        address,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
    ])[0]
}
