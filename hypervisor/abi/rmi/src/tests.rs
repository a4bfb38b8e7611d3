use crate::features::{Features0, Features0Fields};
use crate::rtt::{IpaHalf, IpaSpace, UnprotectedAttr, UnprotectedDesc, entry_size};
use crate::status::Status;
use crate::v1_0::{Command, Mpidr};
use crate::version::Version;
use addr::{Ipa, PhysAddr};

#[test]
fn function_ids_are_those_of_the_specification() {
    assert_eq!(Command::Version.fid(), 0xc400_0150);
    assert_eq!(Command::RecEnter.fid(), 0xc400_015c);
    assert_eq!(Command::RttReadEntry.fid(), 0xc400_0161);
    assert_eq!(Command::RttSetRipas.fid(), 0xc400_0169);
    assert_eq!(Command::ALL.len(), 23);
}

#[test]
fn every_command_decodes_with_and_without_the_sve_hint() {
    for command in Command::ALL {
        assert_eq!(Command::from_fid(command.fid()), Some(*command));
        assert_eq!(Command::from_fid(command.fid() | 1 << 16), Some(*command));
    }
}

#[test]
fn unallocated_function_ids_are_no_command() {
    for fid in [
        0xc400_0156,
        0xc400_0160,
        0xc400_0163,
        0xc400_016a,
        0xc400_018f,
        0x150,
        0,
    ] {
        assert_eq!(Command::from_fid(fid), None, "{fid:#x}");
    }
}

#[test]
fn status_survives_its_encoding() {
    for status in [
        Status::Success,
        Status::ErrorInput,
        Status::ErrorRealm { index: 1 },
        Status::ErrorRec,
        Status::ErrorRtt { level: 3 },
        Status::ErrorRtt { level: -1 },
        Status::NotSupported,
    ] {
        assert_eq!(Status::from_raw(status.raw()), status);
    }
}

#[test]
fn a_status_nobody_defined_is_kept_as_it_came() {
    for raw in [5, 0xff, 0x1_0000, 0x100, u64::MAX - 1] {
        assert_eq!(Status::from_raw(raw), Status::Unknown { raw });
    }
}

#[test]
fn tf_rmm_feature_register_decodes() {
    // As TF-RMM 1.0-rel0 answers on QEMU's `max` CPU.
    let fields = Features0::from_raw(0x28f_3431_7f34).fields();
    assert_eq!(fields.s2sz, 52);
    assert!(fields.lpa2);
    assert_eq!(fields.gicv3_num_lrs, 3);
    assert!(fields.hash_sha_256 && fields.hash_sha_512);
    assert_eq!(Features0::from(fields).raw(), 0x28f_3431_7f34);
}

#[test]
fn absent_features_encode_as_zero() {
    let fields = Features0Fields {
        s2sz: 48,
        ..Default::default()
    };
    assert_eq!(Features0::from(fields).raw(), 48);
}

#[test]
fn rec_sixteen_lives_in_the_next_affinity_field() {
    assert_eq!(Mpidr::from_index(16).raw(), 0x100);
    for index in [0, 1, 15, 16, 17, 255, 4096] {
        assert_eq!(Mpidr::from_index(index).index(), index);
    }
    assert_eq!(Mpidr::from_raw(0x10), None);
    assert_eq!(Mpidr::from_raw(1 << 32), None);
}

#[test]
fn the_top_bit_of_the_ipa_space_says_shared() {
    let space = IpaSpace::new(33).unwrap();
    let uart = Ipa::new(0x0900_0000);
    assert_eq!(space.half(uart), Some(IpaHalf::Protected));
    assert_eq!(space.shared(uart), Ipa::new(0x1_0900_0000));
    assert_eq!(space.half(space.shared(uart)), Some(IpaHalf::Unprotected));
    assert_eq!(space.strip(space.shared(uart)), uart);
    assert_eq!(space.half(space.top()), None);
    assert_eq!(IpaSpace::new(31), None);
    assert_eq!(IpaSpace::new(49), None);
}

#[test]
fn entry_sizes_follow_the_level() {
    assert_eq!(entry_size(3), 4096);
    assert_eq!(entry_size(2), 2 << 20);
    assert_eq!(entry_size(0), 512 << 30);
    assert_eq!(entry_size(4), 0);
    assert_eq!(entry_size(-2), 0);
}

#[test]
fn a_write_back_mapping_is_what_hosts_usually_pass() {
    let desc = UnprotectedDesc::read_write(PhysAddr::new(0x4020_0000), UnprotectedAttr::WriteBack);
    assert_eq!(desc.raw(), 0x4020_0000 | 0xd8);
}

#[test]
fn versions_order_and_print() {
    assert_eq!(Version::V1_0.raw(), 0x1_0000);
    assert!(Version::V1_0 < Version::V2_0);
    assert_eq!(std::format!("{}", Version::from_raw(0x1_0001)), "1.1");
}
extern crate std;
