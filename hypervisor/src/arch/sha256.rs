//! SHA-256 by the CPU's instructions where it has them: the measurement that
//! the host computes covers every measured page, and portable code takes eight
//! times as long.
#![expect(unsafe_code, reason = "assembly with SHA-2 instructions, CPTR_EL2")]

use core::arch::{asm, global_asm};

use arm_sysregs::el1::accessors::read_id_aa64isar0_el1;
use realm::rim::{Portable, Sha256};

/// Round constants (FIPS 180-4, 4.2.2).
#[rustfmt::skip]
static ROUND_CONSTANTS: [u32; 64] = [
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
];

global_asm!(include_str!("sha256.S"), ROUND_CONSTANTS = sym ROUND_CONSTANTS);

unsafe extern "C" {
    fn suz_sha256(state: *mut u32, blocks: *const u8, count: usize);
}

/// The compression function, by whatever the CPU has.
#[derive(Clone, Copy, Debug)]
pub struct CpuSha256 {
    has_instructions: bool,
}

impl CpuSha256 {
    /// Looks at the CPU.
    pub fn new() -> Self {
        Self {
            has_instructions: read_id_aa64isar0_el1().sha2() != 0,
        }
    }
}

impl Sha256 for CpuSha256 {
    fn compress(&self, state: &mut [u32; 8], blocks: &[[u8; 64]]) {
        if !self.has_instructions {
            return Portable.compress(state, blocks);
        }
        if blocks.is_empty() {
            return;
        }
        let trapping = open_fp();
        // SAFETY: state and blocks are live references of the sizes given. No
        // guest of this CPU has live vector registers: the RMM keeps those of
        // Realms, and a plain vCPU takes its own along when its turn ends
        // (`PlainVcpu::detach`), between whose turns this runs.
        unsafe { suz_sha256(state.as_mut_ptr(), blocks.as_ptr().cast(), blocks.len()) };
        close_fp(trapping);
    }
}

/// Lets EL2 use FP and SIMD; returns what `CPTR_EL2` was.
fn open_fp() -> u64 {
    const FPEN: u64 = 3 << 20;
    const TFP: u64 = 1 << 10;
    let before: u64;
    // SAFETY: changes only what traps. FPEN exists with E2H; without, the place
    // is reserved and TFP is the trap.
    unsafe {
        asm!(
            "mrs {before}, cptr_el2",
            "orr {now}, {before}, {fpen}",
            "bic {now}, {now}, {tfp}",
            "msr cptr_el2, {now}",
            "isb",
            before = out(reg) before,
            now = out(reg) _,
            fpen = in(reg) FPEN,
            tfp = in(reg) TFP,
            options(nostack),
        );
    }
    before
}

fn close_fp(trapping: u64) {
    // SAFETY: restores what `open_fp` found.
    unsafe { asm!("msr cptr_el2, {}", "isb", in(reg) trapping, options(nostack)) }
}
