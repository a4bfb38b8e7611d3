//! Calls to EL3 (RMM-EL3 interface, §2).
#![expect(unsafe_code, reason = "EL3 is called by SMC")]

use addr::GranuleAddr;

/// `RMM_RMI_REQ_COMPLETE`: the answer to the pending RMI.
const REQ_COMPLETE: u64 = 0xc400_018f;
const GTSI_DELEGATE: u64 = 0xc400_01b0;
const GTSI_UNDELEGATE: u64 = 0xc400_01b1;
/// `RMM_BOOT_COMPLETE`: x1 is the boot code.
pub const BOOT_COMPLETE: u64 = 0xc400_01cf;

/// EL3 refused to move a granule between worlds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Refused(pub i64);

/// Makes an SMC with `regs` in x0 to x8 and returns x0 to x7.
///
/// For the two completion calls that is the next RMI, whenever it comes.
fn smc(regs: [u64; 9]) -> [u64; 8] {
    let [x0, x1, x2, x3, x4, x5, x6, x7, x8] = regs;
    let mut next = [x0, x1, x2, x3, x4, x5, x6, x7];
    let [x0, x1, x2, x3, x4, x5, x6, x7] = &mut next;
    // SAFETY: EL3 keeps the registers that SMCCC preserves, and it reads and
    // writes no memory that Rust knows of.
    unsafe {
        core::arch::asm!(
            "smc #0",
            inout("x0") *x0, inout("x1") *x1, inout("x2") *x2, inout("x3") *x3,
            inout("x4") *x4, inout("x5") *x5, inout("x6") *x6, inout("x7") *x7,
            inout("x8") x8 => _, out("x9") _, out("x10") _, out("x11") _, out("x12") _,
            out("x13") _, out("x14") _, out("x15") _, out("x16") _, out("x17") _,
            options(nostack),
        );
    }
    next
}

/// Reports the end of this CPU's boot and waits for the first RMI.
pub fn boot_complete(code: i64) -> [u64; 8] {
    smc([BOOT_COMPLETE, code as u64, 0, 0, 0, 0, 0, 0, 0])
}

/// Answers the pending RMI with what the host is to find in x0 and up, and waits
/// for the next one. EL3 passes on all of it under interface 2.0, x0 to x4 under
/// 0.x.
pub fn request_complete(results: [u64; 8]) -> [u64; 8] {
    let [r0, r1, r2, r3, r4, r5, r6, r7] = results;
    smc([REQ_COMPLETE, r0, r1, r2, r3, r4, r5, r6, r7])
}

/// Moves a granule from the Non-secure to the Realm physical address space.
pub fn delegate(granule: GranuleAddr) -> Result<(), Refused> {
    gtsi(GTSI_DELEGATE, granule)
}

/// Moves a granule back to the Non-secure physical address space.
pub fn undelegate(granule: GranuleAddr) -> Result<(), Refused> {
    gtsi(GTSI_UNDELEGATE, granule)
}

fn gtsi(fid: u64, granule: GranuleAddr) -> Result<(), Refused> {
    match smc([fid, granule.raw(), 0, 0, 0, 0, 0, 0, 0])[0] as i64 {
        0 => Ok(()),
        code => Err(Refused(code)),
    }
}
