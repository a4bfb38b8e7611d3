//! What only a plain VM has: host calls by HVC, vector registers, and system
//! registers that trap to its host.
#![expect(unsafe_code, reason = "HVC, vector and system registers in assembly")]

use crate::realm;
use core::sync::atomic::{AtomicBool, Ordering};
use vm_config::map;

core::arch::global_asm!(include_str!("plain.S"));

unsafe extern "C" {
    fn guest_host_call_1(gprs: *mut [u64; 31]);
    fn guest_host_call_2(gprs: *mut [u64; 31]);
    fn guest_host_call_3(gprs: *mut [u64; 31]);
    fn guest_host_call_4(gprs: *mut [u64; 31]);
    fn guest_host_call_5(gprs: *mut [u64; 31]);
    fn guest_host_call_999(gprs: *mut [u64; 31]);
    fn guest_fill_vectors(value: u64);
    fn guest_compare_vectors(value: u64) -> u64;
}

static PLAIN: AtomicBool = AtomicBool::new(false);

/// Has all host calls go by HVC from here on. The first thing a payload for plain
/// VMs does.
pub fn announce() {
    PLAIN.store(true, Ordering::Relaxed);
}

/// Whether this payload runs as a plain VM.
pub fn is_plain() -> bool {
    PLAIN.load(Ordering::Relaxed)
}

/// For payloads that run as both kinds: finds out which this is, and returns the bit
/// that addresses of devices have: none in a plain VM.
pub fn find_out() -> u64 {
    match realm::config() {
        Ok(config) => map::shared_bit(config.ipa_width as u8),
        Err(_) => {
            announce();
            0
        }
    }
}

/// Host call `imm`; the immediate of an HVC is in the instruction, so that there is
/// one for each that is defined, and one for all that are not.
pub fn host_call(imm: u64, gprs: &mut [u64; 31]) {
    let call = match imm {
        1 => guest_host_call_1,
        2 => guest_host_call_2,
        3 => guest_host_call_3,
        4 => guest_host_call_4,
        5 => guest_host_call_5,
        _ => guest_host_call_999,
    };
    // SAFETY: the assembly keeps the registers of the ABI and writes the array,
    // which is exclusively borrowed; the host changes no other memory.
    unsafe { call(gprs) }
}

/// Lets EL1 use the vector registers, and fills them with `value`.
pub fn fill_vectors(value: u64) {
    // SAFETY: lets EL1 use registers that nothing here is built to use.
    unsafe {
        core::arch::asm!("msr cpacr_el1, {0}", "isb", in(reg) 3u64 << 20, options(nostack));
    }
    // SAFETY: as above.
    unsafe { guest_fill_vectors(value) }
}

/// Whether the vector registers hold what [`fill_vectors`] put there.
pub fn vectors_hold(value: u64) -> bool {
    // SAFETY: reads registers, which `fill_vectors` has opened.
    unsafe { guest_compare_vectors(value) == 0 }
}

/// Reads a system register by its name, in a guard: undefined is an error.
#[macro_export]
macro_rules! read_register {
    ($name:literal) => {
        $crate::guard::run(|| {
            let value: u64;
            // SAFETY: reading a register has no effect beside its value; one that
            // is undefined skips the instruction.
            #[expect(unsafe_code, reason = "one MRS")]
            unsafe {
                core::arch::asm!("mov {0}, #0", concat!("mrs {0}, ", $name), out(reg) value,
                    options(nostack));
            }
            value
        })
    };
}

/// Writes zero to a system register by its name, in a guard.
#[macro_export]
macro_rules! clear_register {
    ($name:literal) => {
        $crate::guard::run(|| {
            // SAFETY: named here are registers that a guest does not have, or that
            // ignore what is written; one that is undefined skips the instruction.
            #[expect(unsafe_code, reason = "one MSR")]
            unsafe {
                core::arch::asm!(concat!("msr ", $name, ", xzr"), options(nostack));
            }
        })
    };
}
