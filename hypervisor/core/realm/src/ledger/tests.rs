use super::*;
use crate::intent::Reached;
use addr::PhysAddr;
use std::string::ToString;
use std::vec::Vec;

extern crate std;

/// Does `delegate` of the first call's count and `undelegate` except of one.
struct Partial {
    delegates: usize,
    keeps: u64,
}

impl Delegation for Partial {
    fn delegate(&self, _: GranuleAddr, count: usize) -> Reached {
        if self.delegates < count {
            (self.delegates, Err(RmiError::Input))
        } else {
            (count, Ok(()))
        }
    }

    fn undelegate(&self, base: GranuleAddr, count: usize) -> Reached {
        for done in 0..count {
            if base.raw() + done as u64 * 0x1000 == self.keeps {
                return (done, Err(RmiError::Input));
            }
        }
        (count, Ok(()))
    }
}

fn table(words: usize) -> Vec<AtomicU16> {
    (0..words).map(|_| AtomicU16::new(0)).collect()
}

fn bank(base: u64, pages: u64) -> PhysRange {
    PhysRange::with_size(PhysAddr::new(base), pages * 0x1000).unwrap()
}

fn run(base: u64, count: usize) -> Granules<Undelegated> {
    Granules::from_allocator(GranuleAddr::from_raw(base).unwrap(), count).unwrap()
}

const VM: VmId = VmId(3);

#[test]
fn a_run_that_goes_and_comes_back_leaves_nothing_outstanding() {
    let table = table(16);
    let ledger = Ledger::new(&[bank(0x8000_0000, 16)], &table).unwrap();
    let rmm = Partial {
        delegates: 99,
        keeps: 0,
    };
    let held = ledger.delegate(&rmm, run(0x8000_2000, 4), VM).unwrap();
    assert_eq!(ledger.counts().outstanding, 4);
    assert_eq!(ledger.held().count(), 4);
    let mut freed = Vec::new();
    let kept = ledger.undelegate(&rmm, held, VM, |free| {
        freed.push((free.base().raw(), free.count()))
    });
    assert_eq!((kept, freed), (0, std::vec![(0x8000_2000, 4)]));
    assert_eq!(ledger.held().count(), 0);
    assert_eq!(
        ledger.counts(),
        Counts {
            delegated: 4,
            undelegated: 4,
            outstanding: 0
        }
    );
}

#[test]
fn refused_delegation_returns_the_granules_and_marks_the_first() {
    let table = table(16);
    let ledger = Ledger::new(&[bank(0x8000_0000, 16)], &table).unwrap();
    let rmm = Partial {
        delegates: 1,
        keeps: 0,
    };
    let refusal = ledger.delegate(&rmm, run(0x8000_0000, 4), VM).unwrap_err();
    assert_eq!(refusal.error, RmiError::Input);
    assert_eq!(refusal.delegated.unwrap().count(), 1);
    let rest = refusal.rest.unwrap();
    assert_eq!((rest.base().raw(), rest.count()), (0x8000_1000, 3));
    let owner = ledger.owner(PhysAddr::new(0x8000_1fff)).unwrap();
    assert_eq!(owner.kind, Kind::Refused);
    assert_eq!(ledger.counts().outstanding, 1);
}

#[test]
fn a_granule_that_does_not_come_back_is_quarantined_and_named() {
    let table = table(16);
    let ledger = Ledger::new(&[bank(0x8000_0000, 16)], &table).unwrap();
    let rmm = Partial {
        delegates: 99,
        keeps: 0x8000_1000,
    };
    let held = ledger.delegate(&rmm, run(0x8000_0000, 4), VM).unwrap();
    let mut freed = Vec::new();
    let kept = ledger.undelegate(&rmm, held, VM, |free| {
        freed.push((free.base().raw(), free.count()))
    });
    assert_eq!(kept, 1);
    assert_eq!(freed, [(0x8000_0000, 1), (0x8000_2000, 2)]);
    let named: Vec<_> = ledger.quarantined().collect();
    assert_eq!(named.len(), 1);
    assert_eq!(named[0].0.raw(), 0x8000_1000);
    assert_eq!(named[0].1.to_string(), "quarantined, last used by VM 3");
    assert_eq!(ledger.counts().outstanding, 1);
}

#[test]
fn memory_that_is_no_ram_never_reaches_the_rmm() {
    let table = table(32);
    let banks = [bank(0x8000_0000, 16), bank(0x9_0000_0000, 16)];
    let ledger = Ledger::new(&banks, &table).unwrap();
    let rmm = Partial {
        delegates: 99,
        keeps: 0,
    };
    // Outside, and half outside.
    assert!(ledger.delegate(&rmm, run(0x7fff_f000, 1), VM).is_err());
    assert!(ledger.delegate(&rmm, run(0x8000_f000, 2), VM).is_err());
    assert_eq!(ledger.counts(), Counts::default());
    let high = ledger.delegate(&rmm, run(0x9_0000_f000, 1), VM).unwrap();
    assert_eq!(ledger.held().next().unwrap().0, high.base());
    let _ = ledger.place(high, Kind::Rd, VM);
    let owner = ledger.owner(PhysAddr::new(0x9_0000_f123)).unwrap();
    assert_eq!(owner.to_string(), "Realm descriptor of VM 3");
    assert_eq!(ledger.owner(PhysAddr::new(0x1000)), None);
}

#[test]
fn a_granule_is_reclaimed_once_and_only_as_what_it_is() {
    let table = table(16);
    let ledger = Ledger::new(&[bank(0x8000_0000, 16)], &table).unwrap();
    let rmm = Partial {
        delegates: 99,
        keeps: 0,
    };
    let held = ledger.delegate(&rmm, run(0x8000_0000, 1), VM).unwrap();
    let granule = ledger.place(held, Kind::Data, VM);
    assert!(ledger.reclaim(granule, Kind::Rtt3, VM).is_none());
    assert!(ledger.reclaim(granule, Kind::Data, VmId(4)).is_none());
    assert!(ledger.reclaim(granule, Kind::Data, VM).is_some());
    assert!(ledger.reclaim(granule, Kind::Data, VM).is_none());
}

#[test]
fn a_table_too_short_for_the_ram_is_refused() {
    let table = table(15);
    let banks = [bank(0x8000_0000, 16)];
    assert_eq!(
        Ledger::new(&banks, &table).err(),
        Some(LedgerError::TableTooShort { needed: 16 })
    );
}
