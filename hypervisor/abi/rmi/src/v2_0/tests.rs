use super::range::*;
use super::*;
use addr::GranuleAddr;
use std::string::ToString;

extern crate std;

fn granule(raw: u64) -> GranuleAddr {
    GranuleAddr::from_raw(raw).unwrap()
}

#[test]
fn every_command_is_found_by_its_function_identifier_in_either_range() {
    for command in Command::ALL {
        assert_eq!(Command::from_fid(command.fid()), Some(*command));
        assert_eq!(Command::from_fid(command.fid() | SVE_HINT), Some(*command));
        assert!(is_rmi(command.fid()), "{}", command.name());
    }
    let fids = [
        (Command::RttDataMapInit, 0xc400_0153),
        (Command::RmmConfigSet, 0xc400_016e),
        (Command::GranuleTrackingGet, 0xc400_01e1),
        (Command::RmmConfigGet, 0xc400_01ec),
        (Command::GranuleRangeDelegate, 0xc400_01f1),
        (Command::RttDataMap, 0xc400_01f5),
        (Command::RttUnprotMap, 0xc400_01fb),
        (Command::RealmTerminate, 0xc400_0201),
        (Command::OpContinue, 0xc400_0203),
        (Command::OpMemDonate, 0xc400_0208),
        (Command::OpCancel, 0xc400_020a),
        (Command::GptInfo, 0xc400_0211),
    ];
    for (command, fid) in fids {
        assert_eq!(command.fid(), fid, "{}", command.name());
    }
}

#[test]
fn what_1_0_had_and_2_0_has_not_is_no_command() {
    for fid in [
        0xc400_0151,
        0xc400_0154,
        0xc400_015f,
        0xc400_0167,
        0xc400_018f,
    ] {
        assert_eq!(Command::from_fid(fid), None);
    }
    assert!(!is_rmi(0xc400_018f), "EL3's own");
    assert!(!is_rmi(0xc400_0190), "RSI's");
    assert!(is_rmi(0xc400_02cf) && !is_rmi(0xc400_02d0));
}

#[test]
fn commands_named_alike_in_both_dialects_are_the_same_command() {
    for command in Command::ALL {
        let old = crate::v1_0::Command::ALL
            .iter()
            .find(|old| old.name() == command.name());
        assert_eq!(command.in_v1_0(), old.copied(), "{}", command.name());
    }
}

#[test]
fn a_status_survives_encoding_whatever_it_is() {
    for raw in (0..=0x1_ffff).chain([u64::MAX, u64::MAX - 1, 1 << 63]) {
        let status = Status::from_raw(raw);
        if !matches!(
            status,
            Status::ErrorInput
                | Status::ErrorRec
                | Status::ErrorNotSupported
                | Status::ErrorDevice
                | Status::ErrorPsmmuSt
                | Status::ErrorDpt
                | Status::Busy
                | Status::ErrorGlobal
                | Status::ErrorTracking
                | Status::Blocked
                | Status::ErrorGpt
                | Status::ErrorGranule
        ) {
            assert_eq!(status.raw(), raw);
        }
        assert_eq!(Status::from_raw(status.raw()), status);
    }
}

#[test]
fn incomplete_says_what_it_waits_for() {
    assert_eq!(
        Status::from_raw(0x10d),
        Status::Incomplete {
            request: MemRequest::Donate,
            can_cancel: false
        }
    );
    assert_eq!(
        Status::from_raw(0x60d),
        Status::Incomplete {
            request: MemRequest::Reclaim,
            can_cancel: true
        }
    );
    assert_eq!(Status::from_raw(0x30d), Status::Unknown { raw: 0x30d });
    assert_eq!(Status::from_raw(0x80d), Status::Unknown { raw: 0x80d });
}

#[test]
fn descriptors_survive_encoding_in_both_flavours() {
    for field in [StateField::OneBit, StateField::TwoBits] {
        for (size, base) in [
            (BlockSize::Size4K, 0x8_8000_1000),
            (BlockSize::Size2M, 0x4020_0000),
            (BlockSize::Size1G, 0x8000_0000),
            (BlockSize::Size512G, 0),
        ] {
            for count in [1, 2, MAX_BLOCKS] {
                for state in [MemState::Delegated, MemState::Undelegated] {
                    let desc = RangeDesc::new(granule(base), size, count, state).unwrap();
                    assert_eq!(RangeDesc::decode(desc.encode(field), field), Ok(desc));
                }
            }
        }
    }
    let desc = RangeDesc::new(granule(0x1000), BlockSize::Size4K, 3, MemState::Undelegated);
    let desc = desc.unwrap();
    assert_eq!(desc.encode(StateField::OneBit), 1 << 63 | 0x1000 | 3 << 2);
    assert_eq!(desc.encode(StateField::TwoBits), 1 << 62 | 0x1000 | 3 << 2);
}

#[test]
fn what_is_no_descriptor_is_refused() {
    let one = StateField::OneBit;
    let bad = |raw| RangeDesc::decode(raw, one).unwrap_err();
    assert_eq!(bad(0x1000), BadDesc::Count { count: 0 });
    assert!(matches!(
        bad(0x1000 | 1 << 2 | 1),
        BadDesc::Misaligned { .. }
    ));
    assert!(matches!(bad(1 << 62 | 1 << 2), BadDesc::Reserved { .. }));
    assert!(matches!(bad(1 << 55 | 1 << 2), BadDesc::Reserved { .. }));
    assert!(matches!(
        bad(0x000f_ffff_ffff_f000 | 2 << 2),
        BadDesc::TooHigh { .. }
    ));
    assert!(RangeDesc::decode(3 << 62 | 1 << 2, StateField::TwoBits).is_err());
}

#[test]
fn a_donation_request_is_what_the_rmm_asks_for() {
    // REC_CREATE of the early flavour: 16 delegated pages, anywhere.
    let request = DonateRequest::decode(16 << 2).unwrap();
    assert_eq!(request.granules(), 16);
    assert!(!request.contiguous);
    assert_eq!(request.state, MemState::Delegated);
    for raw in [
        16 << 2,
        0x3fff << 2 | 1 << 17,
        4 << 2 | 1 << 16 | 2 << 17 | 1,
    ] {
        assert_eq!(DonateRequest::decode(raw).unwrap().encode(), raw);
    }
    for raw in [
        0,
        1 << 16 | 3 << 2,
        1 << 19 | 1 << 2,
        3 << 17 | 1 << 2,
        u64::MAX,
    ] {
        assert_eq!(DonateRequest::decode(raw), None, "{raw:#x}");
    }
}

struct Page([u64; LIST_ENTRIES]);

impl ListPage for Page {
    fn page(&self) -> GranuleAddr {
        granule(0x7000)
    }
    fn put(&mut self, index: usize, raw: u64) {
        self.0[index] = raw;
    }
    fn get(&self, index: usize) -> u64 {
        self.0[index]
    }
}

#[test]
fn a_list_joins_neighbours_and_ends_when_the_page_is_full() {
    let mut page = Page([0; LIST_ENTRIES]);
    let mut list = ListWriter::new(&mut page, StateField::OneBit);
    let one = |raw| RangeDesc::new(granule(raw), BlockSize::Size4K, 1, MemState::Delegated);
    for n in 0..1024u64 {
        assert!(list.push(one(n << 12).unwrap()));
    }
    assert_eq!(list.entries(), 2, "1023 blocks, then one");
    for n in 0..(LIST_ENTRIES as u64 - 2) {
        assert!(list.push(one((2000 + 2 * n) << 12).unwrap()));
    }
    assert_eq!(list.entries(), LIST_ENTRIES);
    assert!(!list.push(one(9 << 40).unwrap()));
    let first = RangeDesc::decode(page.get(0), StateField::OneBit).unwrap();
    assert_eq!(first.count(), 1023);
}

#[test]
fn features_survive_encoding_and_read_as_one_line() {
    let fields = FeatureFields {
        s2sz: 48,
        num_bps: 5,
        num_wps: 3,
        granules: [true, false, false],
        hashes: Hashes {
            sha_256: true,
            sha_384: false,
            sha_512: true,
        },
        max_recs_order: 9,
        l0gpt_bits: 30,
        pps: 5,
        max_aux_planes: 3,
        rtt_planes: RttPlanes::Single,
        ..FeatureFields::default()
    };
    let features = Features::from(fields);
    assert_eq!(features.fields(), fields);
    assert_eq!(
        features.to_string(),
        "IPA 48 bits, no SVE, no PMU, 6 breakpoints, 4 watchpoints, at most 511 RECs, \
         SHA-256/SHA-512, granules of 4 KiB, GPT regions of 2^30, 3 auxiliary planes"
    );
}

#[test]
fn features_of_any_value_can_be_shown() {
    let features = Features::from_raw([u64::MAX; 5]);
    assert!(!features.to_string().contains('\n'));
}

#[test]
fn the_run_page_lends_itself_to_code_for_1_0() {
    let mut run = RecRun::default();
    run.exit.ripas_top = 0x1000;
    run.exit.s2ap_base = 7;
    run.common_mut().enter.gprs[3] = 9;
    assert_eq!(run.enter.gprs[3], 9);
    assert_eq!(run.common().exit.ripas_top, 0x1000);
    assert_eq!(run.common().exit.gicv3_vmcr, 0);
}
