extern crate std;

use super::*;
use addr::PhysAddr;
use std::vec::Vec;

fn granule(raw: u64) -> GranuleAddr {
    GranuleAddr::from_raw(raw).unwrap()
}

fn bank(base: u64, size: u64) -> PhysRange {
    PhysRange::with_size(PhysAddr::new(base), size).unwrap()
}

fn cells(count: usize) -> Vec<AtomicU64> {
    (0..count).map(|_| AtomicU64::new(0)).collect()
}

#[test]
fn a_granule_outside_the_banks_or_in_the_carve_out_is_not_tracked() {
    let cells = cells(8);
    let banks = [bank(0x4000_0000, 0x4000), bank(0x8_0000_0000, 0x4000)];
    let table = GranuleTable::new(&cells, &banks, Some(bank(0x4000_1000, 0x1000))).unwrap();
    let tracked = |raw| table.peek(granule(raw)).is_some();
    assert!(tracked(0x4000_0000));
    assert!(!tracked(0x4000_1000));
    assert!(tracked(0x4000_3000));
    assert!(!tracked(0x4000_4000));
    assert!(!tracked(0x3fff_f000));
    assert!(tracked(0x8_0000_3000));
    assert!(!tracked(0x8_0000_4000));
}

#[test]
fn the_banks_need_a_word_for_each_granule() {
    let cells = cells(3);
    assert!(GranuleTable::new(&cells, &[bank(0, 0x4000)], None).is_none());
    assert!(GranuleTable::new(&cells, &[bank(0, 0x3000)], None).is_some());
}

#[test]
fn what_a_guard_notes_is_there_for_the_next_one() {
    let cells = cells(4);
    let banks = [bank(0x4000_0000, 0x4000)];
    let table = GranuleTable::new(&cells, &banks, None).unwrap();
    let rec = granule(0x4000_2000);
    let owner = granule(0xffff_ffff_f000);
    let mut guard = table.lock(rec, GranuleState::Undelegated).unwrap();
    guard.become_state(GranuleState::Rec);
    guard.set_owner(owner);
    guard.set_number(0xabcd);
    guard.set_running(RecMark::Yes);
    drop(guard);
    assert_eq!(table.peek(rec), Some(GranuleState::Rec));
    assert!(table.lock(rec, GranuleState::Delegated).is_none());
    let mut guard = table.lock(rec, GranuleState::Rec).unwrap();
    assert_eq!(guard.owner(), Some(owner));
    assert_eq!(guard.number(), 0xabcd);
    assert!(guard.is_running() && !guard.is_runnable());
    guard.set_runnable(RecMark::Yes);
    guard.set_running(RecMark::No);
    assert!(!guard.is_running() && guard.is_runnable());
}

#[test]
fn several_locks_stand_where_they_were_asked_for() {
    let cells = cells(4);
    let banks = [bank(0x4000_0000, 0x4000)];
    let table = GranuleTable::new(&cells, &banks, None).unwrap();
    let want = |raw| Some((granule(raw), GranuleState::Undelegated));
    let guards = table
        .lock_all(&[want(0x4000_3000), None, want(0x4000_0000)])
        .unwrap();
    let places: Vec<_> = guards
        .iter()
        .map(|guard| guard.as_ref().map(|guard| guard.granule().raw()))
        .collect();
    assert_eq!(places, [Some(0x4000_3000), None, Some(0x4000_0000)]);
}

#[test]
fn a_granule_named_twice_is_refused_and_nothing_stays_locked() {
    let cells = cells(4);
    let banks = [bank(0x4000_0000, 0x4000)];
    let table = GranuleTable::new(&cells, &banks, None).unwrap();
    let want = |raw| Some((granule(raw), GranuleState::Undelegated));
    assert!(
        table
            .lock_all(&[want(0x4000_1000), want(0x4000_1000)])
            .is_none()
    );
    assert!(cells.iter().all(|cell| cell.load(Ordering::Relaxed) == 0));
}

#[test]
fn two_threads_that_count_in_one_granule_lose_nothing() {
    let cells = cells(1);
    let banks = [bank(0x4000_0000, 0x1000)];
    let table = GranuleTable::new(&cells, &banks, None).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..1000 {
                    let mut guard = table
                        .lock(granule(0x4000_0000), GranuleState::Undelegated)
                        .unwrap();
                    let number = guard.number();
                    guard.set_number(number + 1);
                }
            });
        }
    });
    let guard = table
        .lock(granule(0x4000_0000), GranuleState::Undelegated)
        .unwrap();
    assert_eq!(guard.number(), 2000);
}
