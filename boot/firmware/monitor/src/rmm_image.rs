//! The RMM's image in flash: a header page, then the flat binary.

use crate::layout::{RMM_BASE, RMM_SHARED_PAGE};
use core::fmt;

/// First word of the header.
pub const MAGIC: u64 = 0x314d_4d52_5a55_5321;
/// The largest image: all of the RMM's memory below the shared page.
pub const MAX_SIZE: u64 = RMM_SHARED_PAGE - RMM_BASE;

/// Why the flash holds no RMM to run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RmmImageError {
    /// There is no header.
    Missing,
    /// The header's size cannot be that of an RMM.
    Size(u64),
}

impl fmt::Display for RmmImageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => write!(f, "the flash holds no RMM"),
            Self::Size(size) => write!(
                f,
                "the flash's RMM claims {size:#x} bytes: 1 to {MAX_SIZE:#x} fit into its memory"
            ),
        }
    }
}

impl core::error::Error for RmmImageError {}

/// The image's size in bytes, from the header's two words.
pub fn size(header: [u64; 2]) -> Result<u64, RmmImageError> {
    match header {
        [MAGIC, size] if size == 0 || size > MAX_SIZE => Err(RmmImageError::Size(size)),
        [MAGIC, size] => Ok(size),
        _ => Err(RmmImageError::Missing),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn erased_and_empty_flash_hold_no_rmm() {
        assert_eq!(size([u64::MAX; 2]), Err(RmmImageError::Missing));
        assert_eq!(size([0; 2]), Err(RmmImageError::Missing));
    }

    #[test]
    fn an_image_must_leave_the_shared_page_free() {
        assert_eq!(size([MAGIC, 0]), Err(RmmImageError::Size(0)));
        assert_eq!(size([MAGIC, 0x017f_f000]), Ok(0x017f_f000));
        let large = 0x017f_f001;
        assert_eq!(size([MAGIC, large]), Err(RmmImageError::Size(large)));
    }
}
