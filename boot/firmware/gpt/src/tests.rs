extern crate std;

use super::*;
use addr::{GranuleAddr, Pas, PhysAddr, PhysRange};
use core::cell::RefCell;
use core::sync::atomic::{AtomicU64, Ordering};
use proptest::prelude::*;
use std::{collections::HashMap, format, string::String, vec::Vec};

const L1_BASE: PhysAddr = PhysAddr::new(0x0e42_0000);
const GIB: u64 = 1 << 30;

fn words(count: usize) -> Vec<AtomicU64> {
    (0..count).map(|_| AtomicU64::new(0xdead)).collect()
}

fn range(base: u64, size: u64) -> PhysRange {
    PhysRange::with_size(PhysAddr::new(base), size).unwrap()
}

fn granule(address: u64) -> GranuleAddr {
    GranuleAddr::from_raw(address).unwrap()
}

fn region(base: u64, size: u64, gpi: Gpi) -> Region {
    Region {
        range: range(base, size),
        gpi,
    }
}

/// Two GiB: devices with a root granule, then RAM with a Realm carve-out.
fn machine<'t>(l0: &'t [AtomicU64], l1: &'t [AtomicU64]) -> Tables<'t> {
    let regions = [
        region(0x0e00_0000, 0x0100_0000, Gpi::Root),
        region(0x4000_0000, 0x3000_0000, Gpi::NonSecure),
        region(0x4010_0000, 0x0180_0000, Gpi::Realm),
    ];
    Tables::build(l0, l1, L1_BASE, Gpi::Any, &regions).unwrap()
}

/// Writes down what the machine is asked to do, and the state it sees then.
struct Recorder<'t> {
    tables: Tables<'t>,
    log: RefCell<Vec<String>>,
}

impl Maintenance for Recorder<'_> {
    fn flush(&self, granule: GranuleAddr, pas: Pas) {
        let state = self.tables.lookup(granule);
        let line = format!("flush {pas:?} while {:?}", state.unwrap());
        self.log.borrow_mut().push(line);
    }
    fn publish(&self, granule: GranuleAddr) {
        let state = self.tables.lookup(granule);
        self.log
            .borrow_mut()
            .push(format!("publish {:?}", state.unwrap()));
    }
}

#[test]
fn entries_carry_the_architected_bits() {
    assert_eq!(L0Entry::Block(Gpi::Any).encode(), 0xf1);
    assert_eq!(L0Entry::Table(L1_BASE).encode(), 0x0e42_0003);
    assert_eq!(L0Entry::decode(0xf1), L0Entry::Block(Gpi::Any));
    assert_eq!(L0Entry::decode(0x0e42_0003), L0Entry::Table(L1_BASE));
    assert_eq!(Word::uniform(Gpi::NonSecure).0, 0x9999_9999_9999_9999);
    let second = Word(0).with(granule(0x1000), Gpi::Realm);
    assert_eq!(second.0, 0xb0);
}

#[test]
fn reserved_bits_are_no_answer() {
    assert_eq!(L0Entry::decode(0), L0Entry::Invalid(0));
    assert_eq!(L0Entry::decode(0x71), L0Entry::Invalid(0x71));
    assert_eq!(Gpi::from_bits(1), None);
    assert_eq!(Word(0x7).get(granule(0)), None);
}

#[test]
fn the_protected_space_is_the_smallest_that_holds_everything() {
    let small = Geometry::covering(PhysAddr::new(4 * GIB)).unwrap();
    assert_eq!((small.pps, small.l0_entries), (0, 4));
    let large = Geometry::covering(PhysAddr::new(1 << 40)).unwrap();
    assert_eq!((large.pps, large.l0_entries), (2, 1024));
    assert_eq!(Geometry::covering(PhysAddr::new((1 << 48) + 1)), None);
}

#[test]
fn every_region_answers_as_planned_and_the_rest_by_default() {
    let (l0, l1) = (words(4), words(2 * L1_WORDS));
    let tables = machine(&l0, &l1);
    for (address, gpi) in [
        (0, Gpi::Any),
        (0x0dff_f000, Gpi::Any),
        (0x0e00_0000, Gpi::Root),
        (0x0eff_f000, Gpi::Root),
        (0x0f00_0000, Gpi::Any),
        (0x4000_0000, Gpi::NonSecure),
        (0x400f_f000, Gpi::NonSecure),
        (0x4010_0000, Gpi::Realm),
        (0x418f_f000, Gpi::Realm),
        (0x4190_0000, Gpi::NonSecure),
        (0x6fff_f000, Gpi::NonSecure),
        (0x7000_0000, Gpi::Any),
        (0x8000_0000, Gpi::Any),
    ] {
        assert_eq!(tables.lookup(granule(address)), Some(gpi), "{address:#x}");
    }
    assert_eq!(tables.lookup(granule(4 * GIB)), None);
}

#[test]
fn only_what_a_region_touches_takes_a_level_1_table() {
    let (l0, l1) = (words(4), words(2 * L1_WORDS));
    machine(&l0, &l1);
    let kinds: Vec<_> = l0
        .iter()
        .map(|entry| entry.load(Ordering::Relaxed) & 0xf)
        .collect();
    assert_eq!(kinds, [3, 3, 1, 1]);
}

#[test]
fn regions_that_cannot_be_protected_are_refused() {
    let (l0, l1) = (words(4), words(L1_WORDS));
    let build = |region| Tables::build(&l0, &l1, L1_BASE, Gpi::Any, &[region]).unwrap_err();
    let odd = region(0x800, 0x1000, Gpi::Root);
    assert_eq!(build(odd), PlanError::Misaligned(odd.range));
    let far = region(4 * GIB, 0x1000, Gpi::Root);
    assert_eq!(build(far), PlanError::OutOfRange(far.range));
    let two = region(GIB - 0x1000, 0x2000, Gpi::Root);
    assert_eq!(build(two), PlanError::TooFewTables { available: 1 });
}

#[test]
fn delegation_flushes_the_target_first_and_the_source_last() {
    let (l0, l1) = (words(4), words(2 * L1_WORDS));
    let tables = machine(&l0, &l1);
    let machine = Recorder {
        tables,
        log: RefCell::default(),
    };
    let page = granule(0x5000_3000);
    tables.delegate(page, &machine).unwrap();
    assert_eq!(
        machine.log.take(),
        [
            "flush Realm while NonSecure",
            "publish Realm",
            "flush NonSecure while Realm"
        ]
    );
    tables.undelegate(page, &machine).unwrap();
    assert_eq!(
        machine.log.take(),
        [
            "publish None",
            "flush Realm while None",
            "flush NonSecure while None",
            "publish NonSecure"
        ]
    );
}

#[test]
fn a_transition_from_the_wrong_state_changes_and_flushes_nothing() {
    let (l0, l1) = (words(4), words(2 * L1_WORDS));
    let tables = machine(&l0, &l1);
    let machine = Recorder {
        tables,
        log: RefCell::default(),
    };
    let found = |result| match result {
        Err(TransitionError::BadPas { found, .. }) => found,
        other => panic!("{other:?}"),
    };
    let root = granule(0x0e00_0000);
    assert_eq!(found(tables.delegate(root, &machine)), Some(Gpi::Root));
    assert_eq!(found(tables.undelegate(root, &machine)), Some(Gpi::Root));
    let absent = granule(0x7000_0000);
    assert_eq!(found(tables.delegate(absent, &machine)), Some(Gpi::Any));
    let realm = granule(0x4010_0000);
    assert_eq!(found(tables.delegate(realm, &machine)), Some(Gpi::Realm));
    for untabled in [0x8000_0000, 4 * GIB, 1 << 51] {
        assert_eq!(
            tables.delegate(granule(untabled), &machine),
            Err(TransitionError::BadAddress(granule(untabled)))
        );
    }
    assert!(machine.log.take().is_empty());
}

#[test]
fn the_count_leaves_out_the_exception_even_when_it_is_ragged() {
    let (l0, l1) = (words(4), words(2 * L1_WORDS));
    let tables = machine(&l0, &l1);
    let machine = Recorder {
        tables,
        log: RefCell::default(),
    };
    let carve_out = range(0x4010_0000, 0x0180_0000);
    assert_eq!(tables.count(Gpi::Realm, None), 0x1800);
    assert_eq!(tables.count(Gpi::Realm, Some(carve_out)), 0);
    tables.delegate(granule(0x4190_0000), &machine).unwrap();
    tables.delegate(granule(0x6fff_f000), &machine).unwrap();
    assert_eq!(tables.count(Gpi::Realm, Some(carve_out)), 2);
    let ragged = range(0x4010_1000, 0x0180_0000);
    assert_eq!(tables.count(Gpi::Realm, Some(ragged)), 2);
}

#[test]
fn of_many_threads_that_delegate_one_granule_exactly_one_succeeds() {
    struct Nothing;
    impl Maintenance for Nothing {
        fn flush(&self, _: GranuleAddr, _: Pas) {}
        fn publish(&self, _: GranuleAddr) {}
    }
    let (l0, l1) = (words(4), words(2 * L1_WORDS));
    let tables = machine(&l0, &l1);
    let won = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for page in 0..512 {
                    let page = granule(0x5000_0000 + page * 0x1000);
                    if tables.delegate(page, &Nothing).is_ok() {
                        won.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    assert_eq!(won.load(Ordering::Relaxed), 512);
    assert_eq!(tables.count(Gpi::Realm, None), 0x1800 + 512);
}

proptest! {
    #[test]
    fn any_sequence_of_transitions_leaves_what_a_map_would(
        ops in proptest::collection::vec((0u64..64, any::<bool>()), 0..200)
    ) {
        let (l0, l1) = (words(4), words(2 * L1_WORDS));
        let tables = machine(&l0, &l1);
        let machine = Recorder { tables, log: RefCell::default() };
        let mut model: HashMap<u64, bool> = HashMap::new();
        for (page, delegate) in ops {
            let address = granule(0x6000_0000 + page * 0x1000);
            let realm = model.entry(page).or_default();
            let result = if delegate {
                tables.delegate(address, &machine)
            } else {
                tables.undelegate(address, &machine)
            };
            prop_assert_eq!(result.is_ok(), *realm != delegate);
            if result.is_ok() {
                *realm = delegate;
            }
        }
        for page in 0..64 {
            let realm = model.get(&page).copied().unwrap_or_default();
            let gpi = if realm { Gpi::Realm } else { Gpi::NonSecure };
            prop_assert_eq!(tables.lookup(granule(0x6000_0000 + page * 0x1000)), Some(gpi));
        }
        let realm = model.values().filter(|realm| **realm).count() as u64;
        prop_assert_eq!(tables.count(Gpi::Realm, None), 0x1800 + realm);
    }

    #[test]
    fn a_word_counts_as_its_nibbles_do(raw in any::<u64>()) {
        let word = Word(raw);
        for gpi in [Gpi::None, Gpi::NonSecure, Gpi::Realm, Gpi::Any] {
            let slow = (0..16).filter(|i| raw >> (i * 4) & 0xf == u64::from(gpi.bits())).count();
            prop_assert_eq!(word.count(gpi), slow as u64);
        }
    }
}
