//! The same lives in RMI 2.0, on the RMM core.

use crate::host::*;
use addr::{GRANULE_SIZE, Ipa, PhysAddr, PhysRange};
use contract::model::{Action, Event, Model, ModelConduit};
use realm::open::{Opened, open};
use realm::rim::{self, Portable};
use realm::v2_0::Host;
use realm::{Ledger, Populate, Realm, State};
use rmi::v2_0::Command;
use rmm_core::{Behaviour, Dialect};
use std::sync::atomic::AtomicU16;

const SYSTEM_OFF: u32 = 0x8400_0008;
/// The first VMID that this RMM gives away.
const VMID: u16 = 0;

struct Second {
    model: Model,
    rmm: Host<ModelConduit>,
    table: Vec<AtomicU16>,
}

impl Second {
    fn new() -> Self {
        let model = Model::speaking(Dialect::V2_0(Behaviour::default()));
        for page in 0..16u8 {
            let at = PhysAddr::new(SOURCE + u64::from(page) * GRANULE_SIZE);
            model.machine.write(at, &[page + 1; 4096]).unwrap();
        }
        let opened = open(model.conduit(), &mut Pool::of(model), &[bank()]);
        let Opened::V2_0 { rmm, .. } = opened else {
            panic!("the model does not speak 2.0");
        };
        assert_eq!(model.machine.realm_granules(), 0);
        Self {
            model,
            rmm: rmm.sibling(),
            table: (0..POOL_PAGES).map(|_| AtomicU16::new(0)).collect(),
        }
    }

    fn ledger(&self) -> Ledger<'_> {
        Ledger::new(&[bank()], &self.table).unwrap()
    }

    /// Calls of `command` so far.
    fn calls(&self, command: Command) -> u64 {
        self.rmm.calls().of_v2_0(command)
    }
}

fn bank() -> PhysRange {
    PhysRange::with_size(PhysAddr::new(POOL), POOL_PAGES * GRANULE_SIZE).unwrap()
}

#[test]
fn a_life_in_2_0_leaves_nothing_and_measures_what_the_host_expects() {
    for populate in [Populate::Block, Populate::Page] {
        let world = Second::new();
        let ledger = world.ledger();
        let (mut pool, mut slots) = (Pool::of(world.model), regions());
        let mut spec = spec(16);
        spec.populate = populate;
        let planned = rim::of(
            &spec,
            realm::v2_0::MEASURED,
            &World::new().sources,
            &Portable,
        );
        let mut realm = Realm::new(&world.rmm, &ledger, vm(), spec, &mut slots).unwrap();
        realm.build(&mut pool, &mut |_| {}).unwrap();
        let actions = [
            Action::rsi(rsi::Command::MeasurementRead, &[0]),
            Action::write(RAM + 9 * MIB, 7),
            Action::read(RAM + 9 * MIB),
            Action::smc(SYSTEM_OFF, &[]),
        ];
        let stop = run_on(world.model, VMID, &mut realm, &mut pool, actions);
        assert_eq!(stop, Some(Stop::Psci(u64::from(SYSTEM_OFF))));
        let events = world.model.machine.events(VMID, 0);
        let Some(Event::Returned(registers)) = events.first() else {
            panic!("{events:?}");
        };
        let read: Vec<u8> = registers[1..5]
            .iter()
            .flat_map(|x| x.to_le_bytes())
            .collect();
        assert_eq!(planned.unwrap()[..], read);
        assert!(events.contains(&Event::Loaded(7)), "{events:?}");
        realm.stop();
        assert_eq!(realm.teardown(&mut pool).kept, 0);
        assert_eq!(realm.state(), State::Dead);
        assert_eq!(world.model.machine.realm_granules(), 0);
        assert_eq!(ledger.counts().outstanding, 0);
        assert!(pool.is_full());
        assert_eq!(world.calls(Command::RealmTerminate), 1);
    }
}

#[test]
fn a_fault_in_2_0_populates_two_mebibytes_with_two_calls_and_teardown_with_two() {
    let world = Second::new();
    let ledger = world.ledger();
    let (mut pool, mut slots) = (Pool::of(world.model), regions());
    let mut realm = Realm::new(&world.rmm, &ledger, vm(), spec(64), &mut slots).unwrap();
    realm.build(&mut pool, &mut |_| {}).unwrap();
    let before = world.rmm.calls().total();
    for block in 4..32 {
        let ipa = Ipa::new(RAM + block * 2 * MIB);
        assert_eq!(realm.populate_on_fault(&mut pool, ipa), Ok(512));
    }
    // 256 MiB would be 256 calls.
    assert_eq!(world.rmm.calls().total() - before, 28 * 2);
    assert_eq!(world.calls(Command::RttFold), 0);
    let unmapped = world.calls(Command::RttDataUnmap);
    assert_eq!(realm.teardown(&mut pool).kept, 0);
    assert!(world.calls(Command::RttDataUnmap) - unmapped <= 28 + 4);
    assert_eq!(world.model.machine.realm_granules(), 0);
    assert!(pool.is_full());
}

#[test]
fn part_of_a_block_in_2_0_becomes_shared_and_private_again() {
    let world = Second::new();
    let ledger = world.ledger();
    let (mut pool, mut slots) = (Pool::of(world.model), regions());
    let mut realm = Realm::new(&world.rmm, &ledger, vm(), spec(16), &mut slots).unwrap();
    realm.build(&mut pool, &mut |_| {}).unwrap();
    let at = RAM + 8 * MIB;
    let ripas = |top: u64, ripas: u64| {
        let top = at + top;
        Action::rsi(rsi::Command::IpaStateSet, &[at, top, ripas, 0])
    };
    let actions = [
        Action::write(at, 1),
        Action::write(at + 0x8000, 2),
        ripas(0x4000, 0),
        Action::write(at | SHARED, 3),
        Action::read(at | SHARED),
        Action::read(at + 0x8000),
        ripas(0x4000, 1),
        Action::read(at),
        // A whole block of shared memory.
        ripas(2 * MIB, 0),
        Action::write((at + MIB) | SHARED, 4),
        Action::read((at + MIB) | SHARED),
        ripas(2 * MIB, 1),
        Action::smc(SYSTEM_OFF, &[]),
    ];
    let stop = run_on(world.model, VMID, &mut realm, &mut pool, actions);
    let events = world.model.machine.events(VMID, 0);
    assert_eq!(stop, Some(Stop::Psci(u64::from(SYSTEM_OFF))), "{events:?}");
    let loaded: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::Loaded(value) => Some(*value),
            _ => None,
        })
        .collect();
    assert_eq!(loaded, [3, 2, 0, 4]);
    realm.stop();
    assert_eq!(realm.teardown(&mut pool).kept, 0);
    assert_eq!(world.model.machine.realm_granules(), 0);
    assert!(pool.is_full());
}

#[test]
fn a_thousand_lives_in_2_0_leave_nothing_behind() {
    let world = Second::new();
    let ledger = world.ledger();
    let (mut pool, mut slots) = (Pool::of(world.model), regions());
    let mut realm = Realm::new(&world.rmm, &ledger, vm(), spec(2), &mut slots).unwrap();
    for life in 0..1000 {
        realm.build(&mut pool, &mut |_| {}).unwrap();
        if life % 3 != 0 {
            let ipa = Ipa::new(RAM + MIB);
            assert!(realm.populate_on_fault(&mut pool, ipa).is_ok());
        }
        realm.stop();
        assert_eq!(realm.teardown(&mut pool).kept, 0, "life {life}");
        assert!(pool.is_full(), "life {life}");
        assert_eq!(ledger.counts().outstanding, 0);
        assert_eq!(world.model.machine.realm_granules(), 0);
    }
}
