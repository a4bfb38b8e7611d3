//! SHA-256, SHA-384 and SHA-512 over the machine's block functions
//! (FIPS 180-4).

use crate::hal::{Hal, PAGE_SIZE};

/// A hash value, padded with zeroes as measurements are.
pub type Padded = [u8; 64];

/// A hash algorithm for measurements, numbered as in a Realm's parameters.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u64)]
pub enum Algorithm {
    /// SHA-256.
    Sha256 = 0,
    /// SHA-512.
    Sha512 = 1,
    /// SHA-384, which RMI 1.0 does not have.
    Sha384 = 2,
}

const START_256: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

const START_384: [u64; 8] = [
    0xcbbb_9d5d_c105_9ed8,
    0x629a_292a_367c_d507,
    0x9159_015a_3070_dd17,
    0x152f_ecd8_f70e_5939,
    0x6733_2667_ffc0_0b31,
    0x8eb4_4a87_6858_1511,
    0xdb0c_2e0d_64f9_8fa7,
    0x47b5_481d_befa_4fa4,
];

const START_512: [u64; 8] = [
    0x6a09_e667_f3bc_c908,
    0xbb67_ae85_84ca_a73b,
    0x3c6e_f372_fe94_f82b,
    0xa54f_f53a_5f1d_36f1,
    0x510e_527f_ade6_82d1,
    0x9b05_688c_2b3e_6c1f,
    0x1f83_d9ab_fb41_bd6b,
    0x5be0_cd19_137e_2179,
];

impl Algorithm {
    /// Decodes a Realm's parameter.
    pub const fn from_raw(raw: u64) -> Option<Self> {
        match raw {
            0 => Some(Self::Sha256),
            1 => Some(Self::Sha512),
            2 => Some(Self::Sha384),
            _ => None,
        }
    }

    /// Bytes of a value.
    pub const fn size(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    /// Hashes `data` and pads the value with zeroes.
    pub fn hash<H: Hal>(self, hal: &H, data: &[u8]) -> Padded {
        match self {
            Self::Sha256 => sha256(hal, data),
            Self::Sha384 => sha512(hal, START_384, data, 6),
            Self::Sha512 => sha512(hal, START_512, data, 8),
        }
    }

    /// Hashes a page that is zero but for some parts: offset and bytes. It is
    /// never in memory as a whole.
    pub fn hash_page<H: Hal>(self, hal: &H, parts: &[(usize, &[u8])]) -> Padded {
        match self {
            Self::Sha256 => {
                let mut state = START_256;
                for number in 0..PAGE_SIZE / 64 {
                    let block = block_of_page::<64>(parts, number);
                    hal.sha256_blocks(&mut state, &[block]);
                }
                finish_256(hal, state, &[], PAGE_SIZE)
            }
            Self::Sha384 => sha512_page(hal, START_384, parts, 6),
            Self::Sha512 => sha512_page(hal, START_512, parts, 8),
        }
    }
}

/// The last blocks of a message: what is left of it, a one bit, zeroes, and the
/// length in bits. `LENGTH` is the size of the length field.
fn tail<const BLOCK: usize, const LENGTH: usize>(
    rest: &[u8],
    total: usize,
) -> ([[u8; BLOCK]; 2], usize) {
    let mut tail = [[0u8; BLOCK]; 2];
    let bytes = tail.as_flattened_mut();
    let marked = rest.iter().chain(core::iter::once(&0x80));
    for (to, from) in bytes.iter_mut().zip(marked) {
        *to = *from;
    }
    let used = if rest.len() < BLOCK - LENGTH { 1 } else { 2 };
    let length = (total as u64).wrapping_mul(8).to_be_bytes();
    let end = bytes.iter_mut().take(used * BLOCK).rev();
    for (to, from) in end.zip(length.iter().rev()) {
        *to = *from;
    }
    (tail, used)
}

/// One block of a page that is zero but for some parts.
fn block_of_page<const BLOCK: usize>(parts: &[(usize, &[u8])], number: usize) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    for (at, to) in (number * BLOCK..).zip(&mut block) {
        let inside = parts.iter().find_map(|(offset, bytes)| {
            let place = at.checked_sub(*offset)?;
            bytes.get(place)
        });
        if let Some(byte) = inside {
            *to = *byte;
        }
    }
    block
}

fn sha256<H: Hal>(hal: &H, data: &[u8]) -> Padded {
    let mut state = START_256;
    let (blocks, rest) = data.as_chunks::<64>();
    hal.sha256_blocks(&mut state, blocks);
    finish_256(hal, state, rest, data.len())
}

fn finish_256<H: Hal>(hal: &H, mut state: [u32; 8], rest: &[u8], total: usize) -> Padded {
    let (last, used) = tail::<64, 8>(rest, total);
    hal.sha256_blocks(&mut state, last.get(..used).unwrap_or(&last));
    let mut value = [0; 64];
    for (to, word) in value.as_chunks_mut::<4>().0.iter_mut().zip(state) {
        *to = word.to_be_bytes();
    }
    value
}

fn sha512<H: Hal>(hal: &H, start: [u64; 8], data: &[u8], words: usize) -> Padded {
    let mut state = start;
    let (blocks, rest) = data.as_chunks::<128>();
    hal.sha512_blocks(&mut state, blocks);
    finish_512(hal, state, rest, data.len(), words)
}

fn sha512_page<H: Hal>(hal: &H, start: [u64; 8], parts: &[(usize, &[u8])], words: usize) -> Padded {
    let mut state = start;
    for number in 0..PAGE_SIZE / 128 {
        let block = block_of_page::<128>(parts, number);
        hal.sha512_blocks(&mut state, &[block]);
    }
    finish_512(hal, state, &[], PAGE_SIZE, words)
}

fn finish_512<H: Hal>(
    hal: &H,
    mut state: [u64; 8],
    rest: &[u8],
    total: usize,
    words: usize,
) -> Padded {
    let (last, used) = tail::<128, 16>(rest, total);
    hal.sha512_blocks(&mut state, last.get(..used).unwrap_or(&last));
    let mut value = [0; 64];
    let kept = state.into_iter().take(words);
    for (to, word) in value.as_chunks_mut::<8>().0.iter_mut().zip(kept) {
        *to = word.to_be_bytes();
    }
    value
}

#[cfg(test)]
mod tests;
