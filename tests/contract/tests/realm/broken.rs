//! One call goes wrong, whichever it is.

use crate::host::*;
use contract::model::Action;
use realm::{Realm, State};
use rmi::rtt::Ripas;
use rmi::v1_0::Command;

const NOT_SUPPORTED: u64 = u64::MAX;

/// A life of 4 MiB with every kind of call; returns how many calls it took.
fn live(broken: Option<(usize, Break)>) -> (World, usize) {
    let world = World::new();
    let ledger = world.ledger();
    let (mut pool, mut slots) = (world.pool(), regions());
    world.rmm.conduit().broken.set(broken);
    let mut realm = Realm::new(&world.rmm, &ledger, vm(), spec(4), &mut slots).unwrap();
    if realm.build(&mut pool, &mut |_| {}).is_ok() {
        let at = RAM + 2 * MIB;
        let actions = [
            Action::write(at, 1),
            set_state(at, 0x3000, Ripas::Empty),
            Action::write(at + SHARED, 2),
            set_state(at, 0x1000, Ripas::Ram),
        ];
        let _ = try_run(&world, &mut realm, &mut pool, actions);
        realm.stop();
        let _ = realm.teardown(&mut pool);
    }
    assert_eq!(realm.state(), State::Dead);
    let calls = world.rmm.conduit().calls.borrow().len();
    // Whatever happened: what the monitor counts is what the ledger says, and
    // what the host has is what the RMM does not have.
    let outstanding = ledger.counts().outstanding;
    let witness = world.model.machine.realm_granules() as u64;
    let denied_delegation = matches!(broken, Some((_, Break::Deny(_)))) && outstanding != witness;
    if !denied_delegation {
        assert_eq!(outstanding, witness, "{broken:?}");
    }
    assert_eq!(ledger.held().count() as u64, outstanding, "{broken:?}");
    assert_eq!(
        pool.is_full(),
        outstanding == 0 && pool.aside == 0,
        "{broken:?}"
    );
    drop(realm);
    (world, calls)
}

/// Numbers of calls worth breaking: all that are not the thirtieth of a row.
fn interesting(world: &World) -> Vec<usize> {
    let calls = world.rmm.conduit().calls.borrow();
    let mut row = 0;
    let mut last = None;
    let mut numbers = Vec::new();
    for (number, (command, _)) in calls.iter().enumerate() {
        row = if last == Some(*command) { row + 1 } else { 0 };
        last = Some(*command);
        if row < 2 {
            numbers.push(number);
        }
    }
    numbers
}

#[test]
fn a_call_that_is_refused_leaves_nothing_with_the_rmm_but_what_is_named() {
    let (world, _) = live(None);
    assert_eq!(world.failures().len(), 0, "{:?}", world.failures());
    for number in interesting(&world) {
        let command = world.rmm.conduit().calls.borrow()[number].0;
        // The kinds of refusal in turn: each life takes its time.
        let status = [1, NOT_SUPPORTED, 0x5555][number % 3];
        let (after, _) = live(Some((number, Break::Refuse(status))));
        let left = after.model.machine.realm_granules();
        let taking = matches!(
            command,
            Command::GranuleUndelegate
                | Command::DataDestroy
                | Command::RttDestroy
                | Command::RecDestroy
                | Command::RealmDestroy
                | Command::RttFold
                | Command::RttCreate
        );
        assert!(
            left == 0 || taking,
            "call {number}, {}, answered {status:#x}: {left} granules left",
            command.name()
        );
    }
}

#[test]
fn a_call_that_is_made_but_denied_never_makes_the_host_use_what_it_lost() {
    let (world, calls) = live(None);
    for number in interesting(&world) {
        let (_, after) = live(Some((number, Break::Deny(1))));
        assert!(after <= 2 * calls, "call {number}: {after} calls");
    }
}

#[test]
fn the_model_answers_as_an_rmm_of_1_0() {
    let world = World::new();
    let probe = world.rmm.probe();
    let text = probe.to_string();
    assert!(text.starts_with("RMI 1.0"), "{text}");
}
