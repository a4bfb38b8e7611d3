//! The frame in which JSON travels on the line that guests write to as well:
//! `MARKER nonce [number] length crc32 json`, one line.
//!
//! Who started the run drew the nonce, and no guest ever sees it; length and
//! checksum show a line that was cut or mixed with another.

use core::fmt::{self, Write};

/// What the summary's line starts with.
pub const SUMMARY: &str = "SUZERAIN-SUMMARY";
/// What each line of a trace starts with; after the nonce comes its number,
/// from zero, so that a lost line is noticed.
pub const TRACE: &str = "SUZERAIN-TRACE";

/// Writes a frame without a line break. `json` must not contain one.
pub fn write(
    out: &mut dyn Write,
    marker: &str,
    nonce: &str,
    number: Option<u32>,
    json: &str,
) -> fmt::Result {
    write!(out, "{marker} {nonce} ")?;
    if let Some(number) = number {
        write!(out, "{number} ")?;
    }
    let crc = crc32(json.as_bytes());
    write!(out, "{} {crc:08x} {json}", json.len())
}

/// CRC-32 (IEEE 802.3) bit by bit: a few lines per run are not worth the tables
/// of a fast one, which are 16 KiB.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
    let crc = bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc))
    });
    !crc
}

#[cfg(test)]
mod tests {
    use super::*;
    extern crate std;
    use std::string::String;

    #[test]
    fn a_frame_carries_nonce_number_length_and_checksum_in_this_order() {
        let mut line = String::new();
        write(&mut line, TRACE, "0a", Some(7), "{}").unwrap();
        let crc = crc32fast::hash(b"{}");
        assert_eq!(line, std::format!("SUZERAIN-TRACE 0a 7 2 {crc:08x} {{}}"));
    }

    #[test]
    fn the_checksum_is_the_one_the_reader_computes() {
        let bytes: std::vec::Vec<u8> = (0..=255).cycle().take(1000).collect();
        assert_eq!(crc32(&bytes), crc32fast::hash(&bytes));
    }
}
