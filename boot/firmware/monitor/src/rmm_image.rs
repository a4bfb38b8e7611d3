//! The RMM's image in flash: a header page, then the flat binary.
//!
//! The header's words are the magic number, the size of the image, and the
//! interface to offer to it ([`Interface::chosen_by`]).

use crate::interface::Interface;
use crate::layout::{RMM_BASE, RMM_SHARED_PAGE};
use core::fmt;

/// First word of the header.
pub const MAGIC: u64 = 0x314d_4d52_5a55_5321;
/// The largest image: all of the RMM's memory below the shared page.
pub const MAX_SIZE: u64 = RMM_SHARED_PAGE - RMM_BASE;

/// What the header says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RmmImage {
    /// Bytes of the flat binary.
    pub size: u64,
    /// The interface to offer.
    pub interface: Interface,
}

/// Why the flash holds no RMM to run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RmmImageError {
    /// There is no header.
    Missing,
    /// The header's size cannot be that of an RMM.
    Size(u64),
    /// The header chooses an interface that the monitor does not have.
    Interface(u64),
}

impl fmt::Display for RmmImageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => write!(f, "the flash holds no RMM"),
            Self::Size(size) => write!(
                f,
                "the flash's RMM claims {size:#x} bytes: 1 to {MAX_SIZE:#x} fit into its memory"
            ),
            Self::Interface(word) => write!(
                f,
                "the flash asks for RMM-EL3 interface {word}: 0 (for 0.4) and 2 (for 2.0) are offered"
            ),
        }
    }
}

impl core::error::Error for RmmImageError {}

/// What the three words of the header say.
pub fn read(header: [u64; 3]) -> Result<RmmImage, RmmImageError> {
    let [MAGIC, size, choice] = header else {
        return Err(RmmImageError::Missing);
    };
    if size == 0 || size > MAX_SIZE {
        return Err(RmmImageError::Size(size));
    }
    let interface = Interface::chosen_by(choice).ok_or(RmmImageError::Interface(choice))?;
    Ok(RmmImage { size, interface })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn erased_and_empty_flash_hold_no_rmm() {
        assert_eq!(read([u64::MAX; 3]), Err(RmmImageError::Missing));
        assert_eq!(read([0; 3]), Err(RmmImageError::Missing));
    }

    #[test]
    fn an_image_must_leave_the_shared_page_free() {
        let size = |size| read([MAGIC, size, 0]).map(|image| image.size);
        assert_eq!(size(0), Err(RmmImageError::Size(0)));
        assert_eq!(size(0x017f_f000), Ok(0x017f_f000));
        assert_eq!(size(0x017f_f001), Err(RmmImageError::Size(0x017f_f001)));
    }

    #[test]
    fn the_header_chooses_the_interface_and_an_unknown_choice_is_refused() {
        let interface = |word| read([MAGIC, 1, word]).map(|image| image.interface);
        assert_eq!(interface(0), Ok(Interface::V0_4));
        assert_eq!(interface(2), Ok(Interface::V2_0));
        assert_eq!(interface(1), Err(RmmImageError::Interface(1)));
    }
}
