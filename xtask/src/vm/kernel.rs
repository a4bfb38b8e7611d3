//! The header of an arm64 Linux kernel image (Documentation/arch/arm64/booting.rst).

use anyhow::{Result, bail, ensure};
use vm_config::map::BLOCK_SIZE;

const MAGIC: &[u8] = b"ARM\x64";
const HEADER_SIZE: usize = 64;

/// What placing a kernel needs to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Distance of its start from a multiple of 2 MiB.
    pub text_offset: u64,
    /// Bytes of memory it takes, from its start and with its BSS.
    pub image_size: u64,
}

/// Reads the header of `image`; anything but an uncompressed little-endian
/// kernel is refused with what it seems to be.
pub fn header(image: &[u8]) -> Result<Header> {
    let Some(header) = image.first_chunk::<HEADER_SIZE>() else {
        bail!("it is shorter than the header of an arm64 Linux Image");
    };
    if header[56..60] != *MAGIC {
        bail!("it is no arm64 Linux Image{}", guess(image));
    }
    let word = |at: usize| {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&header[at..at + 8]);
        u64::from_le_bytes(bytes)
    };
    let (text_offset, image_size, flags) = (word(8), word(16), word(24));
    ensure!(
        image_size != 0,
        "it is older than Linux 3.17 and does not say how much memory it takes"
    );
    ensure!(flags & 1 == 0, "it is a big-endian kernel");
    ensure!(
        text_offset < BLOCK_SIZE && text_offset.is_multiple_of(4096),
        "its text offset {text_offset:#x} is not a page below 2 MiB"
    );
    ensure!(
        image_size >= image.len() as u64 && image_size < 1 << 32,
        "its header says {image_size} bytes, the file has {}",
        image.len()
    );
    Ok(Header {
        text_offset,
        image_size,
    })
}

/// What the file is instead, with the remedy.
fn guess(image: &[u8]) -> &'static str {
    match image {
        [0x1f, 0x8b, ..] => " but gzip data; unpack it first",
        [0xfd, b'7', b'z', ..] => " but xz data; unpack it first",
        [0x28, 0xb5, 0x2f, 0xfd, ..] => " but zstd data; unpack it first",
        [b'M', b'Z', _, _, b'z', b'i', b'm', b'g', ..] => {
            " but an EFI zboot image; use the Image inside it"
        }
        [0x7f, b'E', b'L', b'F', ..] => " but an ELF file; use arch/arm64/boot/Image",
        _ => "",
    }
}
