//! A guest that stops at the same fault for ever.
//!
//! A fault for which there is nothing to do happens: another virtual CPU brought the
//! page a moment earlier. One that comes back at once and again means that whoever
//! translates the guest's addresses does not see what the host has put there, and
//! the guest would stand still in silence.

use addr::{GRANULE_SIZE, Ipa};

/// So often in a row that it is no coincidence.
const MOST: u32 = 10_000;

/// Faults in a row at one page for which there was nothing to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Repeats {
    page: u64,
    exit: u64,
    times: u32,
}

impl Repeats {
    /// Takes note of such a fault at `ipa`, the virtual CPU's synchronous exit of
    /// number `exit`. Says whether the guest stands still.
    pub fn again(&mut self, ipa: Ipa, exit: u64) -> bool {
        let page = ipa.raw() / GRANULE_SIZE;
        let follows = self.page == page && self.exit.wrapping_add(1) == exit;
        *self = Self {
            page,
            exit,
            times: if follows { self.times + 1 } else { 1 },
        };
        self.times >= MOST
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Ipa = Ipa::new(0x4020_0000);

    #[test]
    fn a_guest_stands_still_if_nothing_else_happens() {
        let mut repeats = Repeats::default();
        let mut exits = 7..;
        let stands = exits.position(|exit| repeats.again(HERE, exit));
        assert_eq!(stands, Some(MOST as usize - 1));
    }

    #[test]
    fn other_exits_and_other_pages_in_between_begin_anew() {
        let mut repeats = Repeats::default();
        for exit in 0..2 * u64::from(MOST) {
            assert!(!repeats.again(HERE, 2 * exit), "another exit came between");
        }
        for exit in 0..2 * u64::from(MOST) {
            let ipa = Ipa::new(HERE.raw() + (exit & 1) * GRANULE_SIZE);
            assert!(!repeats.again(ipa, 1_000_000 + exit), "another page did");
        }
    }
}
