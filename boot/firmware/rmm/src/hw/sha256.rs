//! SHA-256 with the CPU's own instructions, where it has them (FEAT_SHA256).
//!
//! About eight times fewer instructions than the portable code. The vector
//! registers are taken from whoever has them and given back, see [`simd`].
#![expect(unsafe_code, reason = "the SHA-2 instructions are used in assembly")]

use crate::hw::sysreg::{id_field, read};
use crate::hw::{cpu, simd};

core::arch::global_asm!(include_str!("sha256.S"), options(raw));

unsafe extern "C" {
    /// Compresses `count` blocks of 64 bytes into the state.
    fn rmm_sha256(state: *mut u32, blocks: *const u8, count: usize, constants: *const u32);
}

/// The round constants (FIPS 180-4, §4.2.2).
#[rustfmt::skip]
static ROUND_CONSTANTS: [u32; 64] = [
    0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5, 0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5,
    0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3, 0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174,
    0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc, 0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da,
    0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7, 0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967,
    0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13, 0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85,
    0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3, 0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070,
    0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5, 0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3,
    0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208, 0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2,
];

/// Whether the CPU has the instructions.
pub fn is_supported() -> bool {
    id_field(read!("id_aa64isar0_el1"), 12) != 0
}

/// Compresses whole blocks into `state`; [`is_supported`] must hold.
pub fn compress(state: &mut [u32; 8], blocks: &[[u8; 64]]) {
    cpu::with_current(|cpu| cpu.simd.take());
    // SAFETY: the pointers are of live references with room for a state, the
    // blocks and 64 constants; the vector registers are ours.
    unsafe {
        rmm_sha256(
            state.as_mut_ptr(),
            blocks.as_ptr().cast(),
            blocks.len(),
            ROUND_CONSTANTS.as_ptr(),
        );
    }
    simd::release();
}

/// Compares the instructions with a known digest: SHA-256("abc"), FIPS 180-4.
pub fn self_check() -> bool {
    let mut state = [
        0x6a09_e667,
        0xbb67_ae85,
        0x3c6e_f372,
        0xa54f_f53a,
        0x510e_527f,
        0x9b05_688c,
        0x1f83_d9ab,
        0x5be0_cd19,
    ];
    let mut block = [0; 64];
    block[..4].copy_from_slice(b"abc\x80");
    block[63] = 24;
    compress(&mut state, &[block]);
    state
        == [
            0xba78_16bf,
            0x8f01_cfea,
            0x4141_40de,
            0x5dae_2223,
            0xb003_61a3,
            0x9617_7a9c,
            0xb410_ff61,
            0xf200_15ad,
        ]
}
