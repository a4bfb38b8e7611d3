//! Faults, changes of RIPAS, sharing.

use crate::host::*;
use addr::{Ipa, PhysAddr};
use contract::model::{Action, Event};
use realm::{Fault, Populate, RamRequests, Realm};
use rmi::rtt::Ripas;
use rmi::v1_0::Command;

/// Runs `test` with a Realm of `mib` MiB that has been built, and takes it
/// down; nothing may be left and no call may have failed.
fn with_realm(
    mib: u64,
    populate: Populate,
    test: impl FnOnce(&World, &mut HostRealm<'_>, &mut Pool),
) {
    let world = World::new();
    let ledger = world.ledger();
    let (mut pool, mut slots) = (world.pool(), regions());
    let mut spec = spec(mib);
    spec.populate = populate;
    let mut realm = Realm::new(&world.rmm, &ledger, vm(), spec, &mut slots).unwrap();
    realm.build(&mut pool, &mut |_| {}).unwrap();
    world.forget_calls();
    test(&world, &mut realm, &mut pool);
    assert_eq!(realm.teardown(&mut pool).kept, 0);
    assert_eq!(world.model.machine.realm_granules(), 0);
    assert!(pool.is_full());
    assert_eq!(world.failures(), []);
}

#[test]
fn a_fault_populates_two_mebibytes_with_two_calls_a_page_and_two_more() {
    with_realm(16, Populate::Block, |world, realm, pool| {
        let (_, events) = run(world, realm, pool, [Action::read(RAM + 9 * MIB)]);
        assert_eq!(events, [Event::Loaded(0)]);
        let counts = world.counts();
        let expected = [
            ("GRANULE_DELEGATE", 512 + 1),
            ("DATA_CREATE_UNKNOWN", 512),
            ("REC_ENTER", 2),
            ("RTT_CREATE", 1),
            ("RTT_FOLD", 1),
        ];
        assert_eq!(counts, expected);
        // The table's granule was kept: the next region needs none.
        world.forget_calls();
        run(world, realm, pool, [Action::read(RAM + 11 * MIB)]);
        assert_eq!(world.counts()[0], ("GRANULE_DELEGATE", 512));
    });
}

#[test]
fn a_region_that_holds_an_image_is_completed_around_it_and_folded() {
    with_realm(8, Populate::Block, |world, realm, pool| {
        // Eight pages of 512 are there already.
        run(world, realm, pool, [Action::read(RAM + MIB)]);
        let counts = world.counts();
        assert!(counts.contains(&("DATA_CREATE_UNKNOWN", 504)), "{counts:?}");
        assert!(counts.contains(&("RTT_FOLD", 1)), "{counts:?}");
        let (_, events) = run(world, realm, pool, [Action::read(RAM + 0x1000)]);
        assert_eq!(events, [Event::Loaded(u64::from_le_bytes([2; 8]))]);
    });
}

#[test]
fn by_pages_a_fault_populates_one() {
    with_realm(8, Populate::Page, |world, realm, pool| {
        run(world, realm, pool, [Action::read(RAM + 6 * MIB)]);
        let counts = world.counts();
        assert!(counts.contains(&("DATA_CREATE_UNKNOWN", 1)), "{counts:?}");
        assert!(
            !counts.iter().any(|(name, _)| *name == "RTT_FOLD"),
            "{counts:?}"
        );
    });
}

#[test]
fn memory_given_up_inside_a_block_comes_back_to_the_host() {
    with_realm(16, Populate::Block, |world, realm, pool| {
        let at = RAM + 8 * MIB;
        let touch = [Action::write(at, 0x5ec2e7), Action::write(at + 0x8000, 2)];
        run(world, realm, pool, touch);
        let before = world.model.machine.realm_granules();
        world.forget_calls();
        run(
            world,
            realm,
            pool,
            [set_state(at + 0x4000, 0x4000, Ripas::Empty)],
        );
        let counts = world.counts();
        assert!(counts.contains(&("DATA_DESTROY", 4)), "{counts:?}");
        assert!(counts.contains(&("RTT_CREATE", 1)), "{counts:?}");
        // Four pages came back; the table had been in reserve.
        assert_eq!(world.model.machine.realm_granules(), before - 4);
        // The rest is as it was.
        let (_, events) = run(
            world,
            realm,
            pool,
            [Action::read(at), Action::read(at + 0x8000)],
        );
        assert_eq!(events, [Event::Loaded(0x5ec2e7), Event::Loaded(2)]);
        // A page given up aborts inside the Realm.
        let (_, events) = run(world, realm, pool, [Action::read(at + 0x4000)]);
        assert!(
            matches!(events[..], [Event::Exception { .. }]),
            "{events:?}"
        );
    });
}

#[test]
fn a_region_given_up_whole_is_one_entry_again() {
    with_realm(16, Populate::Block, |world, realm, pool| {
        let at = RAM + 8 * MIB;
        run(world, realm, pool, [Action::write(at, 1)]);
        world.forget_calls();
        run(world, realm, pool, [set_state(at, 4 * MIB, Ripas::Empty)]);
        let expected = [
            ("GRANULE_UNDELEGATE", 512),
            ("DATA_DESTROY", 512),
            ("REC_ENTER", 2),
            ("RTT_CREATE", 1),
            ("RTT_FOLD", 1),
            ("RTT_SET_RIPAS", 1),
        ];
        assert_eq!(world.counts(), expected);
    });
}

#[test]
fn old_bytes_are_not_visible_through_the_shared_alias_nor_after_coming_back() {
    with_realm(16, Populate::Block, |world, realm, pool| {
        let at = RAM + 8 * MIB + 0x3000;
        let actions = [
            Action::write(at, 0x5ec2e7),
            set_state(at, 0x1000, Ripas::Empty),
            Action::read(at + SHARED),
            Action::write(at + SHARED, 0x0af7),
            set_state(at, 0x1000, Ripas::Ram),
            Action::read(at),
        ];
        let (_, events) = run(world, realm, pool, actions);
        let loads: Vec<_> = events
            .iter()
            .filter(|event| matches!(event, Event::Loaded(_)))
            .collect();
        assert_eq!(loads, [&Event::Loaded(0), &Event::Loaded(0)], "{events:?}");
        assert_eq!(realm.shared_address(Ipa::new(at + SHARED)), None);
    });
}

#[test]
fn host_and_realm_see_each_others_writes_in_shared_memory() {
    with_realm(16, Populate::Block, |world, realm, pool| {
        let at = RAM + 10 * MIB + 0x5000;
        let actions = [
            set_state(at, 0x2000, Ripas::Empty),
            Action::write(at + SHARED + 8, 0x1234),
        ];
        run(world, realm, pool, actions);
        let page = realm.shared_address(Ipa::new(at + 8)).unwrap();
        let mut seen = [0; 8];
        world.model.machine.read(page, &mut seen).unwrap();
        assert_eq!(u64::from_le_bytes(seen), 0x1234);
        let other = PhysAddr::new(page.raw() + 0x1000);
        world
            .model
            .machine
            .write(other, &77u64.to_le_bytes())
            .unwrap();
        let read = Action::read(at + SHARED + 0x1008);
        let (_, events) = run(world, realm, pool, [read]);
        assert_eq!(events, [Event::Loaded(77)]);
    });
}

#[test]
fn a_pool_of_bounce_buffers_is_shared_in_blocks() {
    // As Linux does it: 64 MiB whose ends are not 2 MiB aligned.
    with_realm(24, Populate::Block, |world, realm, pool| {
        let (base, size) = (RAM + 8 * MIB + 0x1e_0000, 8 * MIB);
        run(world, realm, pool, [set_state(base, size, Ripas::Empty)]);
        let counts = world.counts();
        // Two ends are split, nothing is destroyed.
        assert!(counts.contains(&("RTT_CREATE", 2)), "{counts:?}");
        assert!(!counts.iter().any(|(name, _)| *name == "DATA_DESTROY"));
        world.forget_calls();
        let touch = (0..size / 0x1000).map(|page| Action::write(base + SHARED + page * 0x1000, 1));
        run(world, realm, pool, touch);
        // Three regions by block, 32 and 480 pages at the ends.
        let counts = world.counts();
        assert!(
            counts.contains(&("RTT_MAP_UNPROTECTED", 3 + 32 + 480)),
            "{counts:?}"
        );
    });
}

#[test]
fn an_alias_that_was_never_shared_is_refused() {
    with_realm(8, Populate::Block, |world, realm, pool| {
        let refused = realm.share_on_fault(pool, Ipa::new(RAM + SHARED));
        assert_eq!(refused, Err(Fault::NotShared(Ipa::new(RAM + SHARED))));
        let device = realm.share_on_fault(pool, Ipa::new(0x900_0000 + SHARED));
        assert_eq!(device, Err(Fault::NotMemory(Ipa::new(0x900_0000 + SHARED))));
        let (_, events) = run(world, realm, pool, [Action::read(RAM + SHARED)]);
        assert!(
            matches!(events[..], [Event::Exception { .. }]),
            "{events:?}"
        );
    });
}

#[test]
fn asking_for_ram_that_is_ram_already_costs_one_call() {
    with_realm(16, Populate::Block, |world, realm, pool| {
        // A fresh Realm has tables where its images are.
        let mut reached = RAM;
        while reached < RAM + 16 * MIB {
            let ask = set_state(reached, RAM + 16 * MIB - reached, Ripas::Ram);
            let (_, events) = run(world, realm, pool, [ask]);
            let [Event::Returned(registers)] = events[..] else {
                panic!("{events:?}");
            };
            assert_eq!((registers[0], registers[2]), (0, 0));
            assert!(registers[1] > reached);
            reached = registers[1];
        }
        let calls = world.rmm.calls().of(Command::RttSetRipas);
        // Regions with a table stop a walk: before, in and after each.
        assert!(calls <= 4, "{calls}");
    });
}

#[test]
fn ram_outside_the_vm_is_rejected_and_giving_it_up_makes_no_progress() {
    with_realm(8, Populate::Block, |world, realm, pool| {
        let outside = RAM + 64 * MIB;
        let ask = [
            set_state(outside, MIB, Ripas::Ram),
            set_state(outside, MIB, Ripas::Empty),
        ];
        let (_, events) = run(world, realm, pool, ask);
        let [Event::Returned(ram), Event::Returned(empty)] = events[..] else {
            panic!("{events:?}");
        };
        assert_eq!((ram[0], ram[1], ram[2]), (0, outside, rsi::RESPONSE_REJECT));
        assert_eq!((empty[0], empty[1]), (0, outside));
        assert_eq!(world.rmm.calls().of(Command::RttSetRipas), 0);
    });
}

#[test]
fn a_policy_may_reject_ram() {
    let world = World::new();
    let ledger = world.ledger();
    let (mut pool, mut slots) = (world.pool(), regions());
    let mut spec = spec(8);
    spec.ram_requests = RamRequests::Reject;
    let mut realm = Realm::new(&world.rmm, &ledger, vm(), spec, &mut slots).unwrap();
    realm.build(&mut pool, &mut |_| {}).unwrap();
    let ask = set_state(RAM, MIB, Ripas::Ram);
    let (_, events) = run(&world, &mut realm, &mut pool, [ask]);
    let [Event::Returned(registers)] = events[..] else {
        panic!("{events:?}");
    };
    assert_eq!(registers[2], rsi::RESPONSE_REJECT);
    let _ = realm.teardown(&mut pool);
}

#[test]
fn teardown_after_a_busy_life_allocates_nothing_and_makes_no_call_in_vain() {
    with_realm(32, Populate::Block, |world, realm, pool| {
        let mut actions = vec![
            set_state(RAM, 32 * MIB, Ripas::Ram),
            Action::write(RAM + 6 * MIB, 1),
            Action::write(RAM + 9 * MIB, 2),
            Action::write(RAM + 20 * MIB, 3),
            set_state(RAM + 8 * MIB + 0x1000, 5 * MIB, Ripas::Empty),
        ];
        for page in 0..40 {
            actions.push(Action::write(
                RAM + 8 * MIB + 0x1000 + page * 0x20_000 + SHARED,
                page,
            ));
        }
        actions.push(set_state(RAM + 10 * MIB, 2 * MIB, Ripas::Ram));
        actions.push(Action::write(RAM + 11 * MIB, 4));
        let (stop, events) = run(world, realm, pool, actions);
        assert_eq!(stop, Stop::Idle);
        assert!(
            !events
                .iter()
                .any(|event| matches!(event, Event::Exception { .. })),
            "{events:?}"
        );
        realm.stop();
    });
}
