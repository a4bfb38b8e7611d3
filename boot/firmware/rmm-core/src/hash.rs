//! SHA-256 over the machine's block function (FIPS 180-4).

use crate::hal::Hal;

/// Bytes of a SHA-256 value.
pub const HASH_SIZE: usize = 32;

/// A SHA-256 value, padded as measurements are.
pub type Padded = [u8; 64];

const BLOCK: usize = 64;
const START: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// Hashes `data` and pads the value with zeroes.
pub fn sha256<H: Hal>(hal: &H, data: &[u8]) -> Padded {
    let mut state = START;
    let (blocks, rest) = data.as_chunks::<BLOCK>();
    hal.sha256_blocks(&mut state, blocks);

    // What is left, a one bit, zeroes, and the length in bits.
    let mut tail = [[0u8; BLOCK]; 2];
    let bytes = tail.as_flattened_mut();
    let marked = rest.iter().chain(core::iter::once(&0x80));
    for (to, from) in bytes.iter_mut().zip(marked) {
        *to = *from;
    }
    let used = if rest.len() < BLOCK - 8 { 1 } else { 2 };
    let length = (data.len() as u64 * 8).to_be_bytes();
    for (to, from) in bytes
        .iter_mut()
        .take(used * BLOCK)
        .rev()
        .zip(length.iter().rev())
    {
        *to = *from;
    }
    hal.sha256_blocks(&mut state, tail.get(..used).unwrap_or(&tail));

    let mut value = [0; 64];
    for (to, word) in value.chunks_exact_mut(4).zip(state) {
        to.copy_from_slice(&word.to_be_bytes());
    }
    value
}
