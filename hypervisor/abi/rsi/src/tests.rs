extern crate std;

use crate::host_call::{CONSOLE_BYTES, pack, unpack};
use crate::{Command, Status};
use std::vec::Vec;

#[test]
fn function_ids_are_those_of_the_specification() {
    assert_eq!(Command::Version.fid(), 0xc400_0190);
    assert_eq!(Command::RealmConfig.fid(), 0xc400_0196);
    assert_eq!(Command::HostCall.fid(), 0xc400_0199);
    for command in Command::ALL {
        assert_eq!(Command::from_fid(command.fid()), Some(*command));
    }
    assert_eq!(Command::from_fid(0xc400_019a), None);
    assert_eq!(Command::from_fid(0xc400_018f), None);
}

#[test]
fn status_survives_its_encoding() {
    for raw in [0, 1, 2, 3, 4, 5, 99, u64::MAX] {
        assert_eq!(Status::from_raw(raw).raw(), raw);
    }
}

#[test]
fn packed_bytes_come_back() {
    let text = b"a line that is not a multiple of eight";
    let mut gprs = [0; 31];
    assert_eq!(pack(&mut gprs, text), text.len());
    assert_eq!(unpack(&gprs).collect::<Vec<_>>(), text);
}

#[test]
fn a_long_text_is_cut_and_says_so() {
    let mut gprs = [0; 31];
    assert_eq!(pack(&mut gprs, &[7; 1000]), CONSOLE_BYTES);
    assert_eq!(unpack(&gprs).count(), CONSOLE_BYTES);
}

#[test]
fn a_count_that_lies_yields_no_more_than_there_is() {
    let mut gprs = [0; 31];
    gprs[0] = u64::MAX;
    assert_eq!(unpack(&gprs).count(), CONSOLE_BYTES);
}
