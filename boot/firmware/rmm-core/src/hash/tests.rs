extern crate std;

use super::*;
use crate::context::{FpState, RecContext, Stage2};
use crate::hal::{GptRefused, LogLevel, NsFault, PageBytes, RunExit, TlbScope};
use addr::GranuleAddr;
use core::fmt;
use sha2::{Digest, Sha256, Sha384, Sha512};
use std::boxed::Box;
use std::vec::Vec;

/// A machine that can do nothing but compress.
struct Nothing;

impl Hal for Nothing {
    type Page<'a> = Box<PageBytes>;

    fn page(&self, _: GranuleAddr) -> Self::Page<'_> {
        unreachable!("hashing needs no page")
    }
    fn zero(&self, _: GranuleAddr) {}
    fn copy_from_ns(&self, _: GranuleAddr, _: GranuleAddr) -> Result<(), NsFault> {
        Err(NsFault)
    }
    fn ns_read(&self, _: GranuleAddr, _: usize, _: &mut [u8]) -> Result<(), NsFault> {
        Err(NsFault)
    }
    fn ns_write(&self, _: GranuleAddr, _: usize, _: &[u8]) -> Result<(), NsFault> {
        Err(NsFault)
    }
    fn rtte_read(&self, _: GranuleAddr, _: usize) -> u64 {
        0
    }
    fn rtte_write(&self, _: GranuleAddr, _: usize, _: u64) {}
    fn tlb_invalidate(&self, _: &Stage2, _: TlbScope) {}
    fn delegate(&self, _: GranuleAddr) -> Result<(), GptRefused> {
        Err(GptRefused)
    }
    fn undelegate(&self, _: GranuleAddr) -> Result<(), GptRefused> {
        Err(GptRefused)
    }
    fn run(&self, _: usize, _: &mut RecContext, _: &mut FpState, _: &Stage2) -> RunExit {
        unreachable!("hashing runs no REC")
    }
    fn counter(&self) -> u64 {
        0
    }
    fn log_enabled(&self, _: LogLevel) -> bool {
        false
    }
    fn log(&self, _: LogLevel, _: fmt::Arguments<'_>) {}
}

#[test]
fn every_length_around_a_block_hashes_as_elsewhere() {
    let data: Vec<u8> = (0..=255).cycle().take(4096).collect();
    for length in (0..400).chain([4095, 4096]) {
        let data = &data[..length];
        let check = |algorithm: Algorithm, expected: &[u8]| {
            let value = algorithm.hash(&Nothing, data);
            let (used, rest) = value.split_at(algorithm.size());
            assert_eq!(used, expected, "{algorithm:?} of {length} bytes");
            assert!(rest.iter().all(|byte| *byte == 0));
        };
        check(Algorithm::Sha256, &Sha256::digest(data));
        check(Algorithm::Sha384, &Sha384::digest(data));
        check(Algorithm::Sha512, &Sha512::digest(data));
    }
}

#[test]
fn a_page_in_parts_hashes_as_the_page() {
    let mut page = [0; 4096];
    page[..3].copy_from_slice(&[1, 2, 3]);
    page[0x1fc..0x204].fill(9);
    page[4095] = 7;
    let parts: [(usize, &[u8]); 3] = [(0, &[1, 2, 3]), (0x1fc, &[9; 8]), (4095, &[7])];
    for algorithm in [Algorithm::Sha256, Algorithm::Sha384, Algorithm::Sha512] {
        let whole = algorithm.hash(&Nothing, &page);
        assert_eq!(algorithm.hash_page(&Nothing, &parts), whole);
    }
}

#[test]
fn an_algorithm_keeps_its_number() {
    for algorithm in [Algorithm::Sha256, Algorithm::Sha384, Algorithm::Sha512] {
        assert_eq!(Algorithm::from_raw(algorithm as u64), Some(algorithm));
    }
    assert_eq!(Algorithm::from_raw(3), None);
}
