use super::*;

#[test]
fn a_sum_past_the_end_of_the_space_is_none() {
    assert_eq!(PhysAddr::new(u64::MAX).checked_add(1), None);
    assert_eq!(Ipa::new(u64::MAX - 1).align_up(4096), None);
    let last = GranuleAddr::containing(PhysAddr::new(u64::MAX));
    assert_eq!(last.checked_add(1), None);
    assert_eq!(last.checked_add(u64::MAX), None);
}

#[test]
fn only_aligned_addresses_name_a_granule() {
    assert!(GranuleAddr::from_raw(0x4000_0000).is_ok());
    assert_eq!(
        GranuleAddr::from_raw(0x4000_0008),
        Err(Misaligned(PhysAddr::new(0x4000_0008)))
    );
}

#[test]
fn empty_backward_and_wrapping_ranges_are_refused() {
    let base = Ipa::new(0x1000);
    assert!(IpaRange::new(base, base).is_err());
    assert!(IpaRange::new(base, Ipa::new(0)).is_err());
    assert!(IpaRange::with_size(base, 0).is_err());
    assert!(IpaRange::with_size(base, u64::MAX).is_err());
}

#[test]
fn ranges_that_touch_do_not_overlap() {
    let low = PhysRange::with_size(PhysAddr::new(0), 0x1000).unwrap();
    let high = PhysRange::with_size(PhysAddr::new(0x1000), 0x1000).unwrap();
    assert!(!low.overlaps(high));
    assert_eq!(low.intersection(high), None);
    let both = PhysRange::new(low.base(), high.top()).unwrap();
    assert!(both.encloses(low) && both.overlaps(high));
    assert_eq!(both.intersection(high), Some(high));
}

#[test]
fn an_address_prints_its_space() {
    extern crate std;
    assert_eq!(std::format!("{:?}", Ipa::new(0x10)), "ipa:0x10");
    assert_eq!(std::format!("{}", PhysAddr::new(0x10)), "pa:0x10");
}
