//! Flash images of other people's firmware: TF-A's BL1 and its FIP.
//!
//! A FIP is a table of contents (header, entries of 40 bytes, an entry of zeros
//! that ends it) followed by what it names. Where it has a BL33, that is
//! replaced by the hypervisor image in a copy.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use crate::{build, paths};

/// Where QEMU's platform of TF-A looks for the FIP in the flash.
const FIP_OFFSET: usize = 256 << 10;
const FLASH_SIZE: usize = 64 << 20;
const TOC_NAME: u32 = 0xAA64_0001;
const HEADER: usize = 16;
const ENTRY: usize = 40;
/// No FIP has nearly as many parts.
const MAX_ENTRIES: usize = 64;
/// The non-trusted firmware, which is what EL3 starts in the Non-secure world.
const BL33: [u8; 16] = [
    0xd6, 0xd0, 0xee, 0xa7, 0xfc, 0xea, 0xd5, 0x4b, 0x97, 0x82, 0x99, 0x34, 0xf2, 0x34, 0xb6, 0xe4,
];

/// The flash image of a firmware directory (or file) that starts this
/// hypervisor image.
pub fn flash(from: &Path, image: &[u8]) -> Result<PathBuf> {
    if from.is_file() {
        return Ok(from.to_path_buf());
    }
    ensure!(
        from.is_dir(),
        "--firmware {}: there is neither a file nor a directory of that name",
        from.display()
    );
    let ready = from.join("flash.bin");
    if ready.is_file() {
        return Ok(ready);
    }
    let read = |name: &str| {
        let path = from.join(name);
        std::fs::read(&path).with_context(|| {
            format!(
                "--firmware {}: it has no flash.bin, and {} cannot be read",
                from.display(),
                paths::shown(&path)
            )
        })
    };
    let (bl1, fip) = (read("bl1.bin")?, read("fip.bin")?);
    let fip = with_bl33(&fip, image)
        .with_context(|| format!("--firmware {}: fip.bin", from.display()))?;
    build::store_unique("external", "bin", &compose(&bl1, &fip)?)
}

fn compose(bl1: &[u8], fip: &[u8]) -> Result<Vec<u8>> {
    ensure!(
        bl1.len() <= FIP_OFFSET,
        "bl1.bin has {} bytes and would reach into the FIP",
        bl1.len()
    );
    ensure!(
        fip.len() <= FLASH_SIZE - FIP_OFFSET,
        "the FIP has {} bytes and does not fit the flash",
        fip.len()
    );
    let mut flash = bl1.to_vec();
    flash.resize(FIP_OFFSET, 0);
    flash.extend_from_slice(fip);
    Ok(flash)
}

/// The FIP with this image as its BL33, if it has one; else as it is, for a
/// firmware that finds its BL33 preloaded.
pub(crate) fn with_bl33(fip: &[u8], image: &[u8]) -> Result<Vec<u8>> {
    let table = Table::read(fip)?;
    let mut copy = fip.to_vec();
    let Some(at) = table.bl33 else {
        return Ok(copy);
    };
    copy.resize(copy.len().next_multiple_of(16), 0);
    let offset = copy.len() as u64;
    copy.extend_from_slice(image);
    put(&mut copy, at + 16, offset);
    put(&mut copy, at + 24, image.len() as u64);
    // The entry that ends the table says where the FIP ends.
    let end = copy.len() as u64;
    put(&mut copy, table.end + 16, end);
    Ok(copy)
}

/// Where a FIP's table has what is needed here.
#[derive(Debug, PartialEq, Eq)]
struct Table {
    bl33: Option<usize>,
    /// The entry that ends it.
    end: usize,
}

impl Table {
    fn read(fip: &[u8]) -> Result<Self> {
        let name = fip.first_chunk().map(|bytes| u32::from_le_bytes(*bytes));
        ensure!(
            name == Some(TOC_NAME),
            "it does not start with a FIP's table of contents"
        );
        let mut bl33 = None;
        for index in 0..MAX_ENTRIES {
            let at = HEADER + index * ENTRY;
            let entry = fip.get(at..at + ENTRY).context("its table is truncated")?;
            if entry[..16] == [0; 16] {
                return Ok(Self { bl33, end: at });
            }
            let (offset, size) = (word(entry, 16), word(entry, 24));
            let end = offset.checked_add(size);
            ensure!(
                end.is_some_and(|end| end <= fip.len() as u64),
                "entry {index} of its table lies outside the file, which is truncated"
            );
            if entry[..16] == BL33 {
                bl33 = Some(at);
            }
        }
        bail!("its table has no end")
    }
}

fn word(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(word)
}

fn put(bytes: &mut [u8], at: usize, value: u64) {
    bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::{BL33, ENTRY, HEADER, Table, compose, put, with_bl33, word};

    /// A FIP with these parts, 8 bytes each.
    fn fip(uuids: &[[u8; 16]]) -> Vec<u8> {
        let table = HEADER + (uuids.len() + 1) * ENTRY;
        let mut fip = vec![0; table];
        fip[..4].copy_from_slice(&0xAA64_0001_u32.to_le_bytes());
        for (index, uuid) in uuids.iter().enumerate() {
            let at = HEADER + index * ENTRY;
            let offset = fip.len() as u64;
            fip[at..at + 16].copy_from_slice(uuid);
            put(&mut fip, at + 16, offset);
            put(&mut fip, at + 24, 8);
            fip.extend([index as u8 + 1; 8]);
        }
        fip
    }

    #[test]
    fn a_bl33_is_replaced_and_the_rest_stays() {
        let before = fip(&[[7; 16], BL33]);
        let after = with_bl33(&before, b"hypervisor").unwrap();
        let at = HEADER + ENTRY;
        let offset = word(&after, at + 16) as usize;
        assert_eq!(word(&after, at + 24), 10);
        assert_eq!(&after[offset..], b"hypervisor");
        let end = Table::read(&after).unwrap().end;
        assert_eq!(word(&after, end + 16) as usize, after.len());
        assert_eq!(after[HEADER..at], before[HEADER..at]);
    }

    #[test]
    fn a_fip_without_bl33_stays_as_it_is() {
        let plain = fip(&[[7; 16]]);
        assert_eq!(with_bl33(&plain, b"hypervisor").unwrap(), plain);
    }

    #[test]
    fn a_fip_that_is_truncated_or_has_no_table_is_refused() {
        let good = fip(&[[7; 16], BL33]);
        for length in 0..good.len() {
            assert!(with_bl33(&good[..length], b"x").is_err(), "{length} bytes");
        }
        let mut other = good;
        other[0] = 0;
        assert!(with_bl33(&other, b"x").is_err());
        let endless = fip(&[[7; 16]; 64]);
        assert!(with_bl33(&endless, b"x").is_err());
    }

    #[test]
    fn the_fip_lies_at_256_kib_of_the_flash() {
        let flash = compose(&[1; 16], &[2; 16]).unwrap();
        assert_eq!(flash[15], 1);
        assert_eq!(flash[16..0x4_0000], vec![0; 0x4_0000 - 16]);
        assert_eq!(flash[0x4_0000..], [2; 16]);
        assert!(compose(&vec![0; 0x4_0001], &[]).is_err());
    }
}
