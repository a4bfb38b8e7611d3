use super::*;

const BASE: u64 = 0x418f_f000;

struct Maker {
    page: [u8; PAGE_SIZE],
}

impl Maker {
    fn new() -> Self {
        Self {
            page: [0; PAGE_SIZE],
        }
    }

    fn put(&mut self, offset: usize, words: &[u64]) {
        for (index, word) in words.iter().enumerate() {
            self.page[offset + index * 8..][..8].copy_from_slice(&word.to_le_bytes());
        }
    }

    fn list(&mut self, header: usize, count: u64, at: u64, words: &[u64]) {
        let counts = |index: usize| header == OFFSET_DRAM || ![2, 5].contains(&(index % 6));
        let sum = words
            .iter()
            .enumerate()
            .filter(|(index, _)| counts(*index))
            .fold(count.wrapping_add(at), |sum, (_, word)| {
                sum.wrapping_add(*word)
            });
        self.put(header, &[count, at, sum.wrapping_neg()]);
        self.put((at - BASE) as usize, words);
    }

    fn qemu() -> Self {
        let mut maker = Self::new();
        maker.put(0, &[5]);
        maker.list(OFFSET_DRAM, 1, BASE + 0x200, &[0x4000_0000, 0xc000_0000]);
        let name = u64::from_le_bytes(PL011);
        maker.list(
            OFFSET_CONSOLES,
            1,
            BASE + 0x300,
            &[0x0900_0000, 1, name, 1, 115_200, 0],
        );
        maker
    }

    fn parse(&self) -> Result<Manifest, ManifestError> {
        Manifest::parse(&self.page, PhysAddr::new(BASE))
    }
}

#[test]
fn the_manifest_of_the_virt_machine_is_understood() {
    let manifest = Maker::qemu().parse().unwrap();
    assert_eq!(manifest.console, Some(PhysAddr::new(0x0900_0000)));
    let banks: Vec<_> = manifest
        .banks()
        .map(|bank| (bank.base().raw(), bank.top().raw()))
        .collect();
    assert_eq!(banks, [(0x4000_0000, 0x1_0000_0000)]);
}

#[test]
fn versions_before_consoles_and_other_majors_are_refused() {
    for version in [2, 0x1_0003, 0x8000_0005] {
        let mut maker = Maker::qemu();
        maker.put(0, &[version]);
        assert_eq!(
            maker.parse(),
            Err(ManifestError::Version(version as u32)),
            "{version:#x}"
        );
    }
}

#[test]
fn a_changed_bank_breaks_the_checksum() {
    let mut maker = Maker::qemu();
    maker.page[0x209] ^= 1;
    assert_eq!(maker.parse(), Err(ManifestError::Checksum("memory")));
}

#[test]
fn a_console_list_whose_sum_covers_every_word_is_accepted() {
    let mut maker = Maker::qemu();
    let name = u64::from_le_bytes(PL011);
    let at = OFFSET_CONSOLES + 16;
    let sum = u64::from_le_bytes(maker.page[at..at + 8].try_into().unwrap());
    maker.put(at, &[sum.wrapping_sub(name)]);
    assert_eq!(
        maker.parse().unwrap().console,
        Some(PhysAddr::new(0x0900_0000))
    );
    maker.put(at, &[sum.wrapping_sub(name) + 1]);
    assert_eq!(maker.parse(), Err(ManifestError::Checksum("console")));
}

#[test]
fn a_manifest_that_tf_a_made_is_accepted() {
    let mut maker = Maker::new();
    maker.put(
        0,
        &[
            0x0000_0003,
            0,
            1,
            0x418f_f040,
            0xffff_fffe_be70_0fbf,
            1,
            0x418f_f050,
            0xffff_ffff_b56e_4dad,
            0x4000_0000,
            0xc000_0000,
            0x0900_0000,
            1,
            0x31_3130_6c70,
            1,
            0x1_c200,
            0,
        ],
    );
    let manifest = maker.parse().unwrap();
    assert_eq!(manifest.console, Some(PhysAddr::new(0x0900_0000)));
    assert_eq!(manifest.banks().count(), 1);
}

#[test]
fn lists_outside_the_page_are_refused() {
    for at in [BASE - 8, BASE + 0xff8, BASE + 0x204, u64::MAX - 7] {
        let mut maker = Maker::qemu();
        maker.put(OFFSET_DRAM + 8, &[at]);
        assert_eq!(
            maker.parse(),
            Err(ManifestError::OutsidePage(at)),
            "{at:#x}"
        );
    }
}

#[test]
fn absurd_counts_are_refused_without_reading_past_the_page() {
    for count in [u64::MAX, 1 << 60, 300] {
        let mut maker = Maker::qemu();
        maker.put(OFFSET_DRAM, &[count]);
        assert!(
            matches!(maker.parse(), Err(ManifestError::OutsidePage(_))),
            "{count:#x}"
        );
    }
}

#[test]
fn a_machine_without_memory_is_refused() {
    let mut maker = Maker::qemu();
    maker.put(OFFSET_DRAM, &[0, 0, 0]);
    assert_eq!(maker.parse(), Err(ManifestError::BankCount(0)));
}

#[test]
fn unusable_banks_are_refused() {
    for (base, size) in [
        (0, 0x1000),
        (0x4000_0800, 0x1000),
        (0x4000_0000, 0),
        (0x4000_0000, 0x800),
        (0x4000_0000, u64::MAX),
        (PA_LIMIT, 0x1000),
    ] {
        let mut maker = Maker::qemu();
        maker.list(OFFSET_DRAM, 1, BASE + 0x200, &[base, size]);
        assert_eq!(maker.parse(), Err(ManifestError::Bank { base, size }));
    }
}

#[test]
fn banks_that_overlap_or_descend_are_refused() {
    let mut maker = Maker::qemu();
    let words = [0x4000_0000, 0x2000, 0x4000_1000, 0x2000];
    maker.list(OFFSET_DRAM, 2, BASE + 0x200, &words);
    assert_eq!(
        maker.parse(),
        Err(ManifestError::Bank {
            base: 0x4000_1000,
            size: 0x2000
        })
    );
}

#[test]
fn no_console_and_unknown_consoles_mean_silence() {
    let mut maker = Maker::qemu();
    maker.put(OFFSET_CONSOLES, &[0, 0, 0]);
    assert_eq!(maker.parse().unwrap().console, None);
    let name = u64::from_le_bytes(*b"16550\0\0\0");
    maker.list(
        OFFSET_CONSOLES,
        1,
        BASE + 0x300,
        &[0x0900_0000, 1, name, 1, 115_200, 0],
    );
    assert_eq!(maker.parse().unwrap().console, None);
}
