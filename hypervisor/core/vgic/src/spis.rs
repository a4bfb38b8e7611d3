//! The shared interrupts of a controller.

use crate::SPI_BANKS;
use crate::bank::Bank;

/// All of them, 32 in each bank.
#[derive(Debug)]
pub(crate) struct Spis {
    banks: [Bank; SPI_BANKS],
    /// Whether one may be busy: none was when all were last looked at, and no bank was
    /// changed since. Most of the time that saves the look.
    may_be_busy: bool,
}

impl Spis {
    /// As after a reset.
    pub const fn new() -> Self {
        Self {
            banks: [const { Bank::shared() }; SPI_BANKS],
            may_be_busy: false,
        }
    }

    /// The banks.
    pub fn iter(&self) -> impl Iterator<Item = &Bank> {
        self.banks.iter()
    }

    /// Bank `index`.
    pub fn get(&self, index: usize) -> Option<&Bank> {
        self.banks.get(index)
    }

    /// Bank `index`, for a change.
    pub fn get_mut(&mut self, index: usize) -> Option<&mut Bank> {
        self.may_be_busy = true;
        self.banks.get_mut(index)
    }

    /// The bank of interrupt `intid`, for a change.
    pub fn bank_of(&mut self, intid: u32) -> Option<&mut Bank> {
        self.get_mut((intid / 32).checked_sub(1)? as usize)
    }

    /// Whether any is pending, active or listed.
    #[inline(always)]
    pub fn are_busy(&mut self) -> bool {
        self.may_be_busy && self.look()
    }

    #[inline(never)]
    fn look(&mut self) -> bool {
        let busy = self.banks.iter().fold(0, |all, bank| all | bank.busy());
        self.may_be_busy = busy != 0;
        self.may_be_busy
    }
}
