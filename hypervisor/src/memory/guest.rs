//! A guest's memory, as far as its devices may reach it.
#![expect(unsafe_code, reason = "memory of a guest by its physical address")]

use addr::{GRANULE_SIZE, Ipa, PhysAddr};
use virtio::{GuestMemory, Inaccessible};

use super::{SharedRam, phys};
use crate::vm::Guest;

/// Pages whose place is remembered.
const REMEMBERED: usize = 8;

/// Says where the memory lies that a guest has at an address.
///
/// # Safety
///
/// 1. From the address returned to the end of its page there is mapped RAM that is
///    not delegated, that the guest has as well, and that no reference names.
/// 2. That stays so while the implementor is borrowed.
pub unsafe trait Translate {
    /// Where `ipa` lies, as the guest's driver gave it; `None` if a device may not
    /// touch it.
    fn translate(&mut self, ipa: Ipa) -> Option<PhysAddr>;
}

/// A guest's memory for as long as one of its devices works. Whatever changes
/// its translation has to wait: the guest is borrowed.
pub struct Window<T> {
    guest: T,
    /// Pages looked up so far, by their number.
    pages: [Option<(u64, PhysAddr)>; REMEMBERED],
}

impl<T: Translate> Window<T> {
    /// The memory of `guest`.
    pub fn new(guest: T) -> Self {
        Self {
            guest,
            pages: [None; REMEMBERED],
        }
    }

    /// Where `ipa` lies, and how many bytes there are from there in one row.
    fn find(&mut self, ipa: Ipa) -> Result<(PhysAddr, usize), Inaccessible> {
        let error = Inaccessible { ipa };
        let (number, offset) = (ipa.raw() / GRANULE_SIZE, ipa.raw() % GRANULE_SIZE);
        let place = self.pages.get_mut(number as usize % REMEMBERED);
        let place = place.ok_or(error)?;
        let page = match *place {
            Some((known, page)) if known == number => page,
            _ => {
                let start = ipa.align_down(GRANULE_SIZE);
                let page = self.guest.translate(start).ok_or(error)?;
                *place = Some((number, page));
                page
            }
        };
        let at = page.checked_add(offset).ok_or(error)?;
        Ok((at, (GRANULE_SIZE - offset) as usize))
    }

    /// Cuts `length` bytes from `ipa` on at the borders of pages, and has `act`
    /// see each piece: where it lies, and which bytes of the whole it is.
    fn pieces(
        &mut self,
        ipa: Ipa,
        length: usize,
        act: &mut dyn FnMut(PhysAddr, core::ops::Range<usize>),
    ) -> Result<(), Inaccessible> {
        let mut done = 0;
        while done < length {
            let error = Inaccessible { ipa };
            let here = ipa.checked_add(done as u64).ok_or(error)?;
            let (at, room) = self.find(here)?;
            let end = length.min(done + room);
            act(at, done..end);
            done = end;
        }
        Ok(())
    }
}

impl<T: Translate> GuestMemory for Window<T> {
    fn read(&mut self, ipa: Ipa, to: &mut [u8]) -> Result<(), Inaccessible> {
        self.pieces(ipa, to.len(), &mut |at, piece| {
            if let Some(to) = to.get_mut(piece) {
                // SAFETY: `Translate` 1 and 2; a piece ends with its page.
                unsafe { phys::read_shared(at, to) };
            }
        })
    }

    fn write(&mut self, ipa: Ipa, from: &[u8]) -> Result<(), Inaccessible> {
        self.pieces(ipa, from.len(), &mut |at, piece| {
            if let Some(from) = from.get(piece) {
                // SAFETY: as above.
                unsafe { phys::write_shared(at, from) };
            }
        })
    }
}

/// A VM, of which devices reach what they may.
pub struct OfGuest<'g> {
    /// Its memory.
    pub guest: &'g mut dyn Guest,
    /// Where memory for what is touched first through a device comes from.
    pub ram: SharedRam,
}

// SAFETY: 1. `Guest::device_address` promises it; 2. it is unmapped and freed by
// methods of the guest, which is borrowed.
unsafe impl Translate for OfGuest<'_> {
    fn translate(&mut self, ipa: Ipa) -> Option<PhysAddr> {
        self.guest.device_address(self.ram, ipa)
    }
}
