use super::*;
use crate::tests::spec;
use addr::IpaRange;
use sha2::Digest;
use std::vec::Vec;

extern crate std;

struct Zeroes;

impl PageSource for Zeroes {
    fn page(&self, _: GranuleAddr) -> Option<&Page> {
        Some(&[0; 4096])
    }
}

#[test]
fn the_digest_is_sha_256_at_every_length() {
    let bytes: Vec<u8> = (0..300u32).map(|i| i as u8).collect();
    for length in [0, 1, 55, 56, 63, 64, 65, 119, 120, 128, 256, 300] {
        let data = &bytes[..length];
        let expected: Rim = sha2::Sha256::digest(data).into();
        assert_eq!(digest(&Portable, data), expected, "{length} bytes");
    }
}

#[test]
fn aligned_ram_is_measured_in_blocks_of_the_start_level() {
    let transcript = planned(&spec(), crate::v1_0::MEASURED);
    assert_eq!(
        transcript.events()[0],
        Event::Ripas {
            base: Ipa::new(0x4000_0000),
            top: Ipa::new(0x4100_0000),
            level: 2
        }
    );
}

#[test]
fn unaligned_ends_are_measured_in_pages() {
    let mut spec = spec();
    spec.images.clear();
    spec.ram = IpaRange::new(Ipa::new(0x4010_0000), Ipa::new(0x4070_1000)).unwrap();
    let levels: Vec<_> = planned(&spec, crate::v1_0::MEASURED)
        .events()
        .iter()
        .filter_map(|event| match event {
            Event::Ripas { base, top, level } => Some((base.raw(), top.raw(), *level)),
            _ => None,
        })
        .collect();
    assert_eq!(
        levels,
        [
            (0x4010_0000, 0x4020_0000, 3),
            (0x4020_0000, 0x4060_0000, 2),
            (0x4060_0000, 0x4070_1000, 3),
        ]
    );
}

#[test]
fn a_level_1_start_measures_a_gibibyte_at_once() {
    let mut spec = spec();
    spec.images.clear();
    spec.start_level = 1;
    spec.start_tables = 1;
    spec.ram = IpaRange::new(Ipa::new(0x4000_0000), Ipa::new(0x8020_0000)).unwrap();
    let levels: Vec<_> = planned(&spec, crate::v1_0::MEASURED)
        .events()
        .iter()
        .filter_map(|event| match event {
            Event::Ripas { base, top, level } => Some((base.raw(), top.raw(), *level)),
            _ => None,
        })
        .collect();
    assert_eq!(
        levels,
        [(0x4000_0000, 0x8000_0000, 1), (0x8000_0000, 0x8020_0000, 2)]
    );
}

#[test]
fn measured_contents_come_before_the_rec_and_unmeasured_after() {
    let events: Vec<_> = planned(&spec(), crate::v1_0::MEASURED).events().to_vec();
    assert!(matches!(
        events[1..],
        [
            Event::Data(Image {
                contents: Contents::Measured,
                ..
            }),
            Event::Rec,
            Event::Data(Image {
                contents: Contents::Unmeasured,
                ..
            }),
        ]
    ));
}

#[test]
fn steps_that_continue_each_other_are_one() {
    let mut transcript = Transcript::default();
    let image = spec().images[0];
    for page in 0..200 {
        transcript.push(Event::Data(Image {
            ipa: image.ipa.checked_add(page * 0x1000).unwrap(),
            source: image.source.checked_add(page).unwrap(),
            pages: 1,
            contents: image.contents,
        }));
    }
    assert_eq!(transcript.events().len(), 1);
    assert!(!transcript.overflown);
}

#[test]
fn a_transcript_that_overflows_gives_no_measurement() {
    let mut transcript = Transcript::default();
    for page in 0..=MAX_EVENTS as u64 {
        transcript.push(Event::Ripas {
            base: Ipa::new(page * 0x2000),
            top: Ipa::new(page * 0x2000 + 0x1000),
            level: 3,
        });
    }
    let result = measure(&spec(), &transcript, &Zeroes, &Portable);
    assert_eq!(result, Err(RimError::TooLong));
}

#[test]
fn every_measured_parameter_changes_the_measurement_and_no_other_does() {
    let rim = |change: &dyn Fn(&mut RealmSpec)| {
        let mut spec = spec();
        change(&mut spec);
        of(&spec, crate::v1_0::MEASURED, &Zeroes, &Portable).unwrap()
    };
    let plain = rim(&|_| {});
    assert_ne!(plain, rim(&|spec| spec.num_bps = 2));
    assert_ne!(plain, rim(&|spec| spec.num_wps = 2));
    assert_ne!(plain, rim(&|spec| spec.pc = Ipa::new(0x4000_0004)));
    assert_ne!(plain, rim(&|spec| spec.gprs[7] = 1));
    assert_ne!(plain, rim(&|spec| spec.images[1].pages -= 1));
    assert_ne!(
        plain,
        rim(&|spec| spec.images[0].contents = Contents::Unmeasured)
    );
    assert_eq!(plain, rim(&|spec| spec.rpv = [9; 64]));
    assert_eq!(plain, rim(&|spec| spec.vmid = 9));
    assert_eq!(plain, rim(&|spec| spec.vcpus = 2));
}

#[test]
fn the_measurement_of_the_parameters_alone_is_a_hash_of_their_page() {
    let spec = spec();
    let mut page = [0u8; 4096];
    page[0x08] = 33;
    page[0x18] = 1;
    page[0x20] = 1;
    let expected: Rim = sha2::Sha256::digest(page).into();
    let rim = measure(&spec, &Transcript::default(), &Zeroes, &Portable);
    assert_eq!(rim, Ok(expected));
}
