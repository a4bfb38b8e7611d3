//! Layouts that other programs read.
use super::{Behaviour, Dialect, Flat, behave, compose, flash, put, word};

/// A hypervisor image of two pages that needs `memory` bytes.
fn hypervisor(memory: u64) -> Flat {
    let mut bytes = vec![0xAA; 0x1800];
    bytes[0x38..0x3C].copy_from_slice(b"ARM\x64");
    put(&mut bytes, 0x10, memory);
    bytes[0x40..0x48].copy_from_slice(b"!SUZNDB1");
    Flat { bytes, memory }
}

#[test]
fn the_bundle_follows_the_hypervisors_zeroed_memory_on_a_page() {
    let image = compose(&hypervisor(0x3210), b"bundle").unwrap();
    assert_eq!(word(&image, 0x48), 0x4000);
    assert_eq!(word(&image, 0x50), 6);
    assert_eq!(&image[0x4000..], b"bundle");
    assert!(image[0x1800..0x4000].iter().all(|byte| *byte == 0));
}

#[test]
fn the_image_size_covers_zeroed_memory_and_bundle() {
    let image = compose(&hypervisor(0x3210), b"bundle").unwrap();
    assert_eq!(word(&image, 0x10), 0x5000);
}

#[test]
fn without_a_bundle_both_words_are_zero_and_nothing_is_appended() {
    let image = compose(&hypervisor(0x3210), b"").unwrap();
    assert_eq!((word(&image, 0x48), word(&image, 0x50)), (0, 0));
    assert_eq!(image.len(), 0x1800);
    assert_eq!(word(&image, 0x10), 0x4000);
}

#[test]
fn an_image_without_its_headers_is_refused() {
    let mut no_magic = hypervisor(0x2000);
    no_magic.bytes[0x40] = 0;
    assert!(compose(&no_magic, b"").is_err());
    let mut no_image = hypervisor(0x2000);
    no_image.bytes[0x38] = 0;
    assert!(compose(&no_image, b"").is_err());
}

#[test]
fn the_flash_has_the_rmm_at_1_mib_behind_its_header() {
    let part = |byte, len| Flat {
        bytes: vec![byte; len],
        memory: len as u64,
    };
    let image = flash(&part(1, 0x100), &part(2, 0x20), Dialect::V1_0).unwrap();
    assert_eq!(image[0xFF], 1);
    assert_eq!(&image[0xF_F000..0xF_F008], b"!SUZRMM1");
    assert_eq!(word(&image, 0xF_F008), 0x20);
    assert_eq!(word(&image, 0xF_F010), 0);
    assert_eq!(image[0x10_0000..], [2; 0x20]);
}

#[test]
fn a_monitor_that_reaches_the_rmms_header_is_refused() {
    let monitor = Flat {
        bytes: vec![0; 0xF_F001],
        memory: 0xF_F001,
    };
    let rmm = Flat {
        bytes: vec![0; 16],
        memory: 16,
    };
    assert!(flash(&monitor, &rmm, Dialect::V1_0).is_err());
}

#[test]
fn the_flash_says_which_dialect_the_firmware_shall_speak() {
    let part = Flat {
        bytes: vec![0; 16],
        memory: 16,
    };
    let image = flash(&part, &part, Dialect::V2_0).unwrap();
    assert_eq!(word(&image, 0xF_F010), 2);
}

/// An ELF file with two loadable segments, at 0x1000 and 0x1800.
fn elf() -> Vec<u8> {
    let mut file = vec![0; 64 + 2 * 56];
    file[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
    put(&mut file, 32, 64);
    file[52..54].copy_from_slice(&64_u16.to_le_bytes());
    file[54..56].copy_from_slice(&56_u16.to_le_bytes());
    file[56..58].copy_from_slice(&2_u16.to_le_bytes());
    for (index, (paddr, content, memory)) in [(0x1800_u64, 4_u64, 0x900_u64), (0x1000, 2, 2)]
        .into_iter()
        .enumerate()
    {
        let at = 64 + index * 56;
        let offset = file.len() as u64;
        file[at] = 1;
        put(&mut file, at + 8, offset);
        put(&mut file, at + 24, paddr);
        put(&mut file, at + 32, content);
        put(&mut file, at + 40, memory);
        file.extend(std::iter::repeat_n(0x11 + index as u8, content as usize));
    }
    file
}

#[test]
fn segments_are_laid_out_by_physical_address() {
    let flat = Flat::from_elf(&elf()).unwrap();
    assert_eq!(flat.bytes.len(), 0x804);
    assert_eq!(flat.bytes[..3], [0x12, 0x12, 0]);
    assert_eq!(flat.bytes[0x800..], [0x11; 4]);
    assert_eq!(flat.memory, 0x1100);
}

#[test]
fn a_damaged_program_is_refused() {
    assert!(Flat::from_elf(b"\x7fELF").is_err());
    let mut outside = elf();
    put(&mut outside, 64 + 8, 1 << 40);
    assert!(Flat::from_elf(&outside).is_err());
    let mut apart = elf();
    put(&mut apart, 64 + 24, 1 << 40);
    assert!(Flat::from_elf(&apart).is_err());
}

#[test]
fn the_rmm_learns_whom_to_behave_like_behind_a_word_that_it_has_once() {
    let mut rmm = Flat {
        bytes: vec![0; 0x40],
        memory: 0x40,
    };
    assert!(behave(&mut rmm, Behaviour::Bet3).is_err());
    rmm.bytes[0x18..0x20].copy_from_slice(b"!SUZBHV1");
    behave(&mut rmm, Behaviour::Bet3).unwrap();
    assert_eq!(word(&rmm.bytes, 0x20), 2);
    rmm.bytes[0x30..0x38].copy_from_slice(b"!SUZBHV1");
    assert!(behave(&mut rmm, Behaviour::Own).is_err());
}
