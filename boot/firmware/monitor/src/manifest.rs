//! The RMM's boot manifest, version 0.3 (RMM-EL3 interface, §4).
//!
//! It fills the page that EL3 and the RMM share: fixed fields first, then the
//! arrays that they name by physical address. The words of each list add up to
//! zero. A console's name and flags count since interface 2.0 only, as in TF-A
//! and TF-RMM of either time.

use crate::interface::Interface;
use addr::PhysRange;
use core::fmt;

/// Words in the shared page.
pub const PAGE_WORDS: usize = 512;
/// Memory banks that fit.
pub const MAX_BANKS: usize = 8;

const VERSION: u64 = 3;
const DRAM: usize = 0x10 / 8;
const CONSOLES: usize = 0x28 / 8;
// Behind the fields of every manifest version known.
const BANKS: usize = 0xc0 / 8;
const CONSOLE: usize = BANKS + MAX_BANKS * 2;
const PL011: u64 = u64::from_le_bytes(*b"pl011\0\0\0");
const CONSOLE_CLOCK: u64 = 24_000_000;
const CONSOLE_BAUD: u64 = 115_200;

/// There are more memory banks than fit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TooManyBanks(pub usize);

impl fmt::Display for TooManyBanks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the RMM's boot manifest has room for {MAX_BANKS} memory banks, the device tree names {}",
            self.0
        )
    }
}

impl core::error::Error for TooManyBanks {}

/// Writes the manifest for `memory` and the PL011 at `console` into the words
/// of the shared page, which lies at `page`.
pub fn encode(
    words: &mut [u64; PAGE_WORDS],
    page: u64,
    memory: &[PhysRange],
    console: u64,
    interface: Interface,
) -> Result<(), TooManyBanks> {
    if memory.len() > MAX_BANKS {
        return Err(TooManyBanks(memory.len()));
    }
    words.fill(0);
    put(words, 0, VERSION);
    let banks = memory
        .iter()
        .flat_map(|bank| [bank.base().raw(), bank.size()])
        .map(|word| (word, true));
    list(words, page, DRAM, (memory.len(), BANKS), banks);
    let all_counts = interface == Interface::V2_0;
    let consoles = [
        (console, true),
        (1, true),
        (PL011, all_counts),
        (CONSOLE_CLOCK, true),
        (CONSOLE_BAUD, true),
        (0, all_counts),
    ];
    list(words, page, CONSOLES, (1, CONSOLE), consoles.into_iter());
    Ok(())
}

fn put(words: &mut [u64; PAGE_WORDS], index: usize, word: u64) {
    if let Some(slot) = words.get_mut(index) {
        *slot = word;
    }
}

/// Writes `count` items at `array` and the list that names them at `header`.
/// Each word of the items comes with whether it counts for the checksum.
fn list(
    words: &mut [u64; PAGE_WORDS],
    page: u64,
    header: usize,
    (count, array): (usize, usize),
    items: impl Iterator<Item = (u64, bool)>,
) {
    let pointer = page + (array * size_of::<u64>()) as u64;
    let mut sum = (count as u64).wrapping_add(pointer);
    for (offset, (word, counts)) in items.enumerate() {
        put(words, array + offset, word);
        if counts {
            sum = sum.wrapping_add(word);
        }
    }
    put(words, header, count as u64);
    put(words, header + 1, pointer);
    put(words, header + 2, sum.wrapping_neg());
}

#[cfg(test)]
mod tests {
    use super::*;
    use addr::PhysAddr;

    fn bank(base: u64, size: u64) -> PhysRange {
        PhysRange::with_size(PhysAddr::new(base), size).unwrap()
    }

    /// Sums a list the way TF-RMM does: header words, then those words of each
    /// item in the array that `counted` says.
    fn sum(words: &[u64; PAGE_WORDS], header: usize, counted: &[bool], page: u64) -> u64 {
        let [count, pointer, check] = words[header..header + 3].try_into().unwrap();
        let first = ((pointer - page) / 8) as usize;
        words[first..first + count as usize * counted.len()]
            .iter()
            .zip(counted.iter().cycle())
            .filter(|(_, counts)| **counts)
            .fold(
                count.wrapping_add(pointer).wrapping_add(check),
                |sum, (word, _)| sum.wrapping_add(*word),
            )
    }

    #[test]
    fn both_lists_add_up_to_zero_and_lie_in_the_page() {
        for (interface, all) in [(Interface::V0_4, false), (Interface::V2_0, true)] {
            lists_add_up(interface, &[true, true, all, true, true, all]);
        }
    }

    fn lists_add_up(interface: Interface, console: &[bool]) {
        let page = 0x418f_f000;
        let mut words = [!0; PAGE_WORDS];
        let memory = [bank(0x4000_0000, 0x8000_0000), bank(1 << 36, 1 << 30)];
        encode(&mut words, page, &memory, 0x0900_0000, interface).unwrap();
        assert_eq!(words[0], 3);
        assert_eq!(sum(&words, 2, &[true, true], page), 0);
        assert_eq!(sum(&words, 5, console, page), 0);
        assert_eq!(
            words[BANKS..BANKS + 4],
            [0x4000_0000, 0x8000_0000, 1 << 36, 1 << 30]
        );
        assert_eq!(&words[CONSOLE + 2].to_le_bytes(), b"pl011\0\0\0");
    }

    #[test]
    fn more_banks_than_fit_are_refused() {
        let memory: [PhysRange; 9] = core::array::from_fn(|n| bank((n as u64 + 1) << 30, 0x1000));
        assert_eq!(
            encode(&mut [0; PAGE_WORDS], 0, &memory, 0, Interface::V0_4),
            Err(TooManyBanks(9))
        );
    }
}
