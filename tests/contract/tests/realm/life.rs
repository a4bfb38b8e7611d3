//! Building and taking down.

use crate::host::*;
use contract::model::{Action, Event};
use realm::rim::{self, Portable};
use realm::{Kind, Populate, Progress, Realm, State};
use rmi::v1_0::Command;

const SYSTEM_OFF: u32 = 0x8400_0008;

#[test]
fn a_whole_life_makes_its_calls_in_the_order_that_is_written_down() {
    let world = World::new();
    let ledger = world.ledger();
    let (mut pool, mut slots) = (world.pool(), regions());
    let mut realm = Realm::new(&world.rmm, &ledger, vm(), spec(8), &mut slots).unwrap();
    realm.build(&mut pool, &mut |_| {}).unwrap();
    let (stop, _) = run(
        &world,
        &mut realm,
        &mut pool,
        [
            Action::read(RAM),
            Action::write(RAM + 2 * MIB, 7),
            Action::smc(SYSTEM_OFF, &[]),
        ],
    );
    assert_eq!(stop, Stop::Psci(u64::from(SYSTEM_OFF)));
    realm.stop();
    let report = realm.teardown(&mut pool);
    assert_eq!(report.kept, 0);
    let golden = include_str!("life.golden");
    let transcript = world.transcript();
    assert!(
        transcript == golden,
        "the calls changed; if that is meant, put this into life.golden:\n{transcript}"
    );
}

#[test]
fn after_a_life_nothing_is_left_anywhere() {
    let world = World::new();
    let ledger = world.ledger();
    let (mut pool, mut slots) = (world.pool(), regions());
    let mut realm = Realm::new(&world.rmm, &ledger, vm(), spec(16), &mut slots).unwrap();
    realm.build(&mut pool, &mut |_| {}).unwrap();
    assert!(world.model.machine.realm_granules() > 0);
    let counts = ledger.counts();
    let realm_granules = world.model.machine.realm_granules() as u64;
    assert_eq!(counts.outstanding, realm_granules);
    let report = realm.teardown(&mut pool);
    assert_eq!(report.returned, counts.outstanding);
    assert_eq!(realm.state(), State::Dead);
    assert_eq!(world.model.machine.realm_granules(), 0);
    assert_eq!(ledger.counts().outstanding, 0);
    assert!(pool.is_full());
    assert_eq!(world.failures(), []);
}

#[test]
fn the_host_knows_the_measurement_the_realm_reads() {
    for (mib, populate) in [(8, Populate::Block), (2, Populate::Page)] {
        let world = World::new();
        let ledger = world.ledger();
        let (mut pool, mut slots) = (world.pool(), regions());
        let mut spec = spec(mib);
        spec.populate = populate;
        spec.gprs[0] = RAM + 0x1000;
        let planned = rim::of(&spec, realm::v1_0::MEASURED, &world.sources, &Portable).unwrap();
        let mut realm = Realm::new(&world.rmm, &ledger, vm(), spec, &mut slots).unwrap();
        realm.build(&mut pool, &mut |_| {}).unwrap();
        let read = Action::rsi(rsi::Command::MeasurementRead, &[0]);
        let (_, events) = run(&world, &mut realm, &mut pool, [read]);
        let [Event::Returned(registers)] = events[..] else {
            panic!("{events:?}");
        };
        assert_eq!(registers[0], 0);
        let read: Vec<u8> = registers[1..5]
            .iter()
            .flat_map(|x| x.to_le_bytes())
            .collect();
        let _ = realm.teardown(&mut pool);
        let computed = realm.rim(&world.sources, &Portable).unwrap();
        assert_eq!(computed[..], read);
        assert_eq!(planned, computed);
    }
}

#[test]
fn ram_with_unaligned_ends_is_measured_as_the_realm_reads_it() {
    let world = World::new();
    let ledger = world.ledger();
    let (mut pool, mut slots) = (world.pool(), regions());
    let mut spec = spec(2);
    spec.ram = addr::IpaRange::new(
        addr::Ipa::new(RAM - 0x3000),
        addr::Ipa::new(RAM + 4 * MIB + 0x5000),
    )
    .unwrap();
    let mut realm = Realm::new(&world.rmm, &ledger, vm(), spec, &mut slots).unwrap();
    realm.build(&mut pool, &mut |_| {}).unwrap();
    let read = Action::rsi(rsi::Command::MeasurementRead, &[0]);
    let (_, events) = run(&world, &mut realm, &mut pool, [read]);
    let [Event::Returned(registers)] = events[..] else {
        panic!("{events:?}");
    };
    let read: Vec<u8> = registers[1..5]
        .iter()
        .flat_map(|x| x.to_le_bytes())
        .collect();
    let computed = realm.rim(&world.sources, &Portable).unwrap();
    assert_eq!(computed[..], read);
    assert_eq!(world.failures(), []);
    assert_eq!(realm.teardown(&mut pool).kept, 0);
    assert!(pool.is_full());
}

#[test]
fn tables_between_start_level_and_pages_are_made_and_destroyed() {
    let world = World::new();
    let ledger = world.ledger();
    let (mut pool, mut slots) = (world.pool(), regions());
    let mut spec = spec(8);
    spec.start_level = 1;
    spec.start_tables = 1;
    let mut realm = Realm::new(&world.rmm, &ledger, vm(), spec, &mut slots).unwrap();
    realm.build(&mut pool, &mut |_| {}).unwrap();
    let level_2 = |kind| {
        ledger
            .held()
            .filter(|(_, owner)| owner.kind == kind)
            .count()
    };
    assert_eq!(level_2(Kind::Rtt2), 1);
    let actions = [
        Action::write(RAM + 2 * MIB, 7),
        set_state(RAM + 2 * MIB, 4 * MIB, rmi::rtt::Ripas::Empty),
        Action::write(RAM + 2 * MIB + SHARED, 8),
        Action::read(RAM + 2 * MIB + SHARED),
    ];
    let (_, events) = run(&world, &mut realm, &mut pool, actions);
    assert_eq!(events.last(), Some(&Event::Loaded(8)), "{events:?}");
    assert_eq!(level_2(Kind::Rtt2), 2);
    let computed = realm.rim(&world.sources, &Portable).unwrap();
    assert_eq!(
        computed,
        rim::of(
            realm.spec(),
            realm::v1_0::MEASURED,
            &world.sources,
            &Portable
        )
        .unwrap()
    );
    assert_eq!(realm.teardown(&mut pool).kept, 0);
    assert!(pool.is_full());
    assert_eq!(world.model.machine.realm_granules(), 0);
}

#[test]
fn the_realm_finds_its_images_and_zeroes_elsewhere() {
    let world = World::new();
    let ledger = world.ledger();
    let (mut pool, mut slots) = (world.pool(), regions());
    let mut realm = Realm::new(&world.rmm, &ledger, vm(), spec(8), &mut slots).unwrap();
    realm.build(&mut pool, &mut |_| {}).unwrap();
    let actions = [
        Action::read(RAM + 0x7000),
        Action::read(RAM + 4 * MIB + 0x2000),
        Action::read(RAM + 4 * MIB + 0x3000),
    ];
    let (_, events) = run(&world, &mut realm, &mut pool, actions);
    let pattern = |byte: u8| Event::Loaded(u64::from_le_bytes([byte; 8]));
    assert_eq!(events, [pattern(8), pattern(11), Event::Loaded(0)]);
    let _ = realm.teardown(&mut pool);
}

#[test]
fn building_can_stop_anywhere_and_be_taken_down() {
    for steps in 0..16 {
        let world = World::new();
        let ledger = world.ledger();
        let (mut pool, mut slots) = (world.pool(), regions());
        let mut realm = Realm::new(&world.rmm, &ledger, vm(), spec(8), &mut slots).unwrap();
        let mut last = 0;
        for _ in 0..steps {
            let Progress { done, total, .. } = realm.advance(&mut pool, 3).unwrap();
            assert!(last <= done && done <= total);
            last = done;
        }
        assert_eq!(realm.teardown(&mut pool).kept, 0, "{steps} steps");
        assert_eq!(world.model.machine.realm_granules(), 0, "{steps} steps");
        assert!(pool.is_full(), "{steps} steps");
        assert_eq!(world.failures(), []);
    }
}

#[test]
fn a_dead_realm_can_be_built_again_with_the_same_measurement() {
    let world = World::new();
    let ledger = world.ledger();
    let (mut pool, mut slots) = (world.pool(), regions());
    let mut realm = Realm::new(&world.rmm, &ledger, vm(), spec(8), &mut slots).unwrap();
    let mut rims = Vec::new();
    for _ in 0..2 {
        realm.build(&mut pool, &mut |_| {}).unwrap();
        let (_, events) = run(&world, &mut realm, &mut pool, [Action::read(RAM + 6 * MIB)]);
        assert_eq!(events, [Event::Loaded(0)]);
        realm.stop();
        assert_eq!(realm.teardown(&mut pool).kept, 0);
        rims.push(realm.rim(&world.sources, &Portable).unwrap());
    }
    assert_eq!(rims[0], rims[1]);
    assert!(pool.is_full());
}

#[test]
fn four_vcpus_have_their_recs_and_only_the_first_is_measured() {
    let world = World::new();
    let ledger = world.ledger();
    let (mut pool, mut slots) = (world.pool(), regions());
    let mut spec = spec(8);
    spec.vcpus = 4;
    let planned = rim::of(&spec, realm::v1_0::MEASURED, &world.sources, &Portable).unwrap();
    let mut realm = Realm::new(&world.rmm, &ledger, vm(), spec, &mut slots).unwrap();
    realm.build(&mut pool, &mut |_| {}).unwrap();
    assert!(realm.rec(3).is_some() && realm.rec(4).is_none());
    assert_eq!(world.rmm.calls().of(Command::RecCreate), 4);
    assert_eq!(realm.teardown(&mut pool).kept, 0);
    assert_eq!(realm.rim(&world.sources, &Portable), Ok(planned));
}

#[test]
fn a_granule_protection_fault_can_be_explained() {
    let world = World::new();
    let ledger = world.ledger();
    let (mut pool, mut slots) = (world.pool(), regions());
    let mut realm = Realm::new(&world.rmm, &ledger, vm(), spec(8), &mut slots).unwrap();
    realm.build(&mut pool, &mut |_| {}).unwrap();
    let rd = realm.rd().unwrap();
    assert!(world.model.machine.read(rd.address(), &mut [0]).is_err());
    let owner = ledger.owner(rd.address()).unwrap();
    assert_eq!(owner.to_string(), "Realm descriptor of VM 1");
    let (data, _) = ledger
        .held()
        .find(|(_, owner)| owner.kind == Kind::FrameData)
        .unwrap();
    let ipa = realm.ipa_of(data.address()).unwrap();
    assert_eq!(ipa.raw() % 0x1000, 0);
    assert!(realm.spec().ram.contains(ipa));
    let _ = realm.teardown(&mut pool);
}

#[test]
fn a_thousand_lives_of_one_realm_leave_nothing_behind() {
    let world = World::new();
    let ledger = world.ledger();
    let (mut pool, mut slots) = (world.pool(), regions());
    let mut realm = Realm::new(&world.rmm, &ledger, vm(), spec(2), &mut slots).unwrap();
    let mut measured = None;
    for life in 0..1000usize {
        realm.build(&mut pool, &mut |_| {}).unwrap();
        // Every third is killed before it did anything, every seventh half-built.
        if life % 3 != 0 {
            let ipa = addr::Ipa::new(RAM + MIB);
            assert!(realm.populate_on_fault(&mut pool, ipa).is_ok());
        }
        realm.stop();
        assert_eq!(realm.teardown(&mut pool).kept, 0, "life {life}");
        assert!(pool.is_full(), "life {life}");
        assert_eq!(ledger.counts().outstanding, 0);
        assert_eq!(world.model.machine.realm_granules(), 0);
        if life % 7 == 0 {
            for _ in 0..=life % 5 {
                let _ = realm.advance(&mut pool, 1).unwrap();
            }
            assert_eq!(realm.teardown(&mut pool).kept, 0, "life {life}, half-built");
            assert!(pool.is_full(), "life {life}, half-built");
        }
        world.forget_calls();
        let rim = realm.rim(&world.sources, &Portable).ok();
        if life % 7 != 0 {
            assert_eq!(*measured.get_or_insert(rim), rim, "life {life}");
        }
    }
    assert!(measured.flatten().is_some());
}
