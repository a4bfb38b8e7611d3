//! The page a REC is entered with and exits through.
#![expect(unsafe_code, reason = "a page that the RMM writes while it runs")]

use addr::GranuleAddr;
use rmi::v1_0::RecRun;

use super::Ram;

/// A Non-secure page as [`RecRun`]. Its contents change during `REC_ENTER`, so
/// that no reference to them may be held across one: there is only
/// [`RunPage::get`], whose borrow ends first.
#[derive(Debug)]
pub struct RunPage {
    granule: GranuleAddr,
}

impl RunPage {
    /// A page for one vCPU, zeroed.
    pub fn new(ram: &mut Ram) -> Option<Self> {
        ram.host_page().map(|granule| Self { granule })
    }

    /// Its address, for `REC_ENTER`.
    pub fn granule(&self) -> GranuleAddr {
        self.granule
    }

    /// What is in it.
    #[inline(always)]
    pub fn get(&mut self) -> &mut RecRun {
        // SAFETY: the page came out of `Ram`, is this value's alone, was zeroed,
        // and every bit pattern is a `RecRun`. `&mut self` makes the borrow end
        // before the page's address is used for the next `REC_ENTER`.
        unsafe { &mut *(self.granule.raw() as *mut RecRun) }
    }

    /// Zeroes the page, for another life of its vCPU.
    pub fn clear(&mut self) {
        *self.get() = RecRun::default();
    }
}
