//! Random numbers: FEAT_RNG's register, else the firmware's TRNG (DEN0098).
#![expect(unsafe_code, reason = "RNDR by MRS, with its flag")]

use core::arch::asm;

use arm_sysregs::el1::accessors::read_id_aa64isar0_el1;
use conduit::{Conduit, Regs};

use super::smc::SmcConduit;

const TRNG_VERSION: u32 = 0x8400_0050;
const TRNG_RND64: u32 = 0xc400_0053;
/// Bits asked for in one call, the most there are.
const TRNG_BITS: u64 = 192;

/// How often a number that is not ready is asked for.
const TRIES: usize = 16;

/// Where random numbers come from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Source {
    /// The CPU.
    Rndr,
    /// Firmware.
    Trng,
}

/// The source this machine has.
pub fn source() -> Option<Source> {
    if read_id_aa64isar0_el1().rndr() != 0 {
        return Some(Source::Rndr);
    }
    let Regs([version, ..]) = SmcConduit.call(Regs::call(TRNG_VERSION, &[]));
    // Negative: an error, or nobody there.
    (version as i32 > 0).then_some(Source::Trng)
}

impl Source {
    /// Fills `to` from its start; returns how many bytes. Fewer than all if the
    /// source had nothing after some tries.
    pub fn fill(self, to: &mut [u8]) -> usize {
        let all = to.len();
        let mut rest = to;
        while !rest.is_empty() {
            let Some((words, count)) = self.next() else {
                break;
            };
            for word in words.into_iter().take(count) {
                let bytes = word.to_le_bytes();
                let length = rest.len().min(bytes.len());
                let (now, later) = rest.split_at_mut(length);
                now.copy_from_slice(bytes.get(..length).unwrap_or_default());
                rest = later;
            }
        }
        all - rest.len()
    }

    /// Some words, and how many of them count.
    fn next(self) -> Option<([u64; 3], usize)> {
        for _ in 0..TRIES {
            match self {
                Self::Rndr => {
                    if let Some(word) = rndr() {
                        return Some(([word, 0, 0], 1));
                    }
                }
                Self::Trng => {
                    let call = Regs::call(TRNG_RND64, &[TRNG_BITS]);
                    let Regs([status, x1, x2, x3, ..]) = SmcConduit.call(call);
                    if status == 0 {
                        return Some(([x1, x2, x3], 3));
                    }
                }
            }
        }
        None
    }
}

/// `RNDR`, if it has a number now.
fn rndr() -> Option<u64> {
    let (word, failed): (u64, u64);
    // SAFETY: `source` has found FEAT_RNG; the read changes nothing but flags.
    unsafe {
        asm!(
            "mrs {word}, s3_3_c2_c4_0",
            "cset {failed}, eq",
            word = out(reg) word,
            failed = out(reg) failed,
            options(nomem, nostack),
        );
    }
    (failed == 0).then_some(word)
}
