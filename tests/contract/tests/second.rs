//! RMI 2.0 on the RMM core.

mod host2;

use contract::model::{Action, Event};
use host2::{
    CONTINUE, DONATE, Host, MIB2, READY, RECLAIM, Realm, decoded, delegated_range, described,
};
use rmi::v2_0::range::{BlockSize, MemState};
use rmi::v2_0::{Command, HashAlgo, RecParams, Status};
use rmm_core::{Behaviour, Completion, GicState, Known};
use sha2::{Digest, Sha384};
use zerocopy::{FromZeros, IntoBytes};

const SHARED: u64 = 1 << 32;
const INPUT: Status = Status::ErrorInput;
const SINGLE: u64 = 1;

fn list(entries: u64) -> u64 {
    2 | entries << 2
}

fn known() -> Behaviour {
    Behaviour::default()
}

/// The ways that RMMs are known to behave, and one more.
fn behaviours() -> impl Iterator<Item = Behaviour> {
    let odd = Behaviour {
        granules_per_call: 600,
        granules_per_map: 1,
        rec_granules: 5,
        completion: Completion::ByRmm,
        ..known()
    };
    let all = Known::ALL.map(Known::behaviour);
    all.into_iter().chain([odd])
}

/// A new Realm with code at 0, a table for it, and 2 MiB of RAM behind, mapped
/// as one block. Its tables are returned for the end.
fn build(host: &mut Host) -> (Realm, u64) {
    let mut realm = host.realm();
    realm.table(host, 0);
    let source = host.page(b"code");
    let data = host.delegated(0x1000);
    host.ok(Command::RttDataMapInit, &[realm.rd, data, 0, source, 1]);
    let [top, ..] = host.ok(Command::RttInitRipas, &[realm.rd, MIB2, 2 * MIB2]);
    assert_eq!(top, 2 * MIB2);
    let block = host.delegated(MIB2);
    let desc = delegated_range(block, BlockSize::Size2M, 1);
    let map = [realm.rd, MIB2, 2 * MIB2, SINGLE, desc];
    let [top, ..] = host.ok(Command::RttDataMap, &map);
    assert_eq!(top, 2 * MIB2);
    realm.rec(host, 1);
    host.ok(Command::RealmActivate, &[realm.rd]);
    (realm, block)
}

/// Takes the memory of [`build`] back.
fn unbuild(host: &Host, realm: Realm) {
    for base in [0, MIB2] {
        let unmap = [realm.rd, base, base + MIB2, SINGLE, 0];
        let [top, range, ..] = host.ok(Command::RttDataUnmap, &unmap);
        assert_eq!(top, base + MIB2);
        let (base, granules) = decoded(range);
        host.undelegate(base, granules * 0x1000);
    }
    realm.destroy(host, &[0]);
}

#[test]
fn a_realm_lives_and_dies_on_every_behaviour() {
    for behaviour in behaviours() {
        let mut host = Host::new(behaviour);
        let (realm, block) = build(&mut host);
        let machine = host.model.machine;
        let last = 2 * MIB2 - 8;
        let actions = [
            Action::read(0),
            Action::write(MIB2, 1),
            Action::write(last, 2),
            Action::read(last),
        ];
        machine.script(0, 0, actions);
        realm.enter(&host, 0);
        let code = u64::from_le_bytes(*b"code\0\0\0\0");
        let seen = [
            Event::Loaded(code),
            Event::Done,
            Event::Done,
            Event::Loaded(2),
        ];
        assert_eq!(machine.events(0, 0), seen);
        let entry = host.ok(Command::RttReadEntry, &[realm.rd, MIB2, 3]);
        assert_eq!(entry, [2, 1, block, 1], "{behaviour:?}");
        unbuild(&host, realm);
        assert_eq!(machine.realm_granules(), 0, "{behaviour:?}");
        assert_eq!(host.read(block), 0, "scrubbed");
    }
}

#[test]
fn before_it_is_active_an_rmm_only_talks() {
    let mut host = Host::inactive(known());
    let page = host.granule();
    let range = [page, page + 0x1000];
    host.is(Command::GranuleRangeDelegate, &range, Status::ErrorGlobal);
    host.is(Command::RealmCreate, &range, Status::ErrorGlobal);
    let version = host.ok(Command::Version, &[0x2_0000]);
    assert_eq!(version[..2], [0x2_0000, 0x2_0000]);
    let version = host.is(Command::Version, &[0x1_0000], INPUT);
    assert_eq!(version[..2], [0x2_0000, 0x2_0000]);
    let [features, ..] = host.ok(Command::Features, &[1]);
    assert_eq!(features & 0b11_1001, 0b11_1001, "4 KiB, three hashes");
    assert_eq!(host.ok(Command::Features, &[5])[0], 0);
    host.ok(Command::RmmConfigGet, &[page]);
    host.ok(Command::RmmConfigSet, &[page]);
    host.write(page + 8, &1u64.to_le_bytes());
    host.is(Command::RmmConfigSet, &[page], INPUT);
    host.is(Command::RmmConfigSet, &[0x0900_0000], INPUT);
    let tracked = host.ok(Command::GranuleTrackingGet, &range);
    assert_eq!(tracked[..2], [0, 2]);
    host.ok(Command::RmmActivate, &[]);
    host.is(Command::RmmActivate, &[], Status::ErrorGlobal);
    host.is(Command::RmmConfigSet, &[page], Status::ErrorGlobal);
    host.ok(Command::GranuleRangeDelegate, &range);
    // What RMI 1.0 had and 2.0 has not.
    let old = rmi::v1_0::Command::GranuleDelegate.fid();
    let reply = conduit::Conduit::call(&host.conduit, conduit::Regs::call(old, &range));
    assert_eq!(reply.0[0], u64::MAX);
}

#[test]
fn registers_that_no_output_needs_come_back_as_they_were() {
    let mut host = Host::new(known());
    let realm = host.realm();
    let call = |command: Command, args: [u64; 7]| {
        let regs = conduit::Regs::call(command.fid(), &args);
        conduit::Conduit::call(&host.conduit, regs).0
    };
    let given = [0x2_0000, 2, 3, 4, 5, 6, 7];
    let back = call(Command::Version, given);
    assert_eq!(back, [0, 0x2_0000, 0x2_0000, 0, 4, 5, 6, 7]);
    // x4 is an output here.
    let back = call(Command::RttReadEntry, [realm.rd, 0, 2, 9, 5, 6, 7]);
    assert_eq!(back, [0, 2, 0, 0, 0, 5, 6, 7]);
    // What a realm handle that is none meets, whatever the command.
    for command in [
        Command::RttUnprotMap,
        Command::RttDataUnmap,
        Command::RealmTerminate,
    ] {
        let back = call(command, [8, 0, 0x1000, 0, 0, 6, 7]);
        assert_eq!((back[0], back[6]), (1, 6), "{}", command.name());
    }
}

#[test]
fn a_range_goes_as_far_as_it_can() {
    let mut host = Host::new(known());
    let base = host.memory(0x8000);
    host.delegate(base + 0x3000, 0x1000);
    let all = [base, base + 0x8000];
    let [reached, ..] = host.ok(Command::GranuleRangeDelegate, &all);
    assert_eq!(reached, base + 0x3000);
    let [reached, ..] = host.is(Command::GranuleRangeDelegate, &[reached, all[1]], INPUT);
    assert_eq!(reached, base + 0x3000);
    let [reached, ..] = host.ok(Command::GranuleRangeUndelegate, &all);
    assert_eq!(reached, base + 0x4000);
    for bad in [
        [base, base],
        [base + 0x1000, base],
        [base + 1, base + 0x1000],
        [base, base + 0x1001],
        [0x0900_0000, 0x0900_1000],
        [!0xfff, 0],
    ] {
        host.is(Command::GranuleRangeDelegate, &bad, INPUT);
    }
    assert_eq!(host.model.machine.realm_granules(), 0);
}

#[test]
fn two_hundred_and_fifty_six_mebibytes_take_few_calls() {
    let mut host = Host::new(known());
    let realm = host.realm();
    let size = 256 << 20;
    let memory = host.memory(size);
    let mut calls = 0;
    let mut at = memory;
    while at < memory + size {
        [at, ..] = host.ok(Command::GranuleRangeDelegate, &[at, memory + size]);
        calls += 1;
    }
    let mut ipa = 0;
    while ipa < size {
        let left = (size - ipa) / MIB2;
        let desc = delegated_range(memory + ipa, BlockSize::Size2M, left);
        [ipa, ..] = host.ok(Command::RttDataMap, &[realm.rd, ipa, size, SINGLE, desc]);
        calls += 1;
    }
    assert!(calls <= 300, "{calls} calls");
}

#[test]
fn a_mapping_that_cannot_be_leaves_everything_as_it_was() {
    let mut host = Host::new(known());
    let realm = host.realm();
    realm.table(&mut host, 0);
    let block = host.delegated(MIB2);
    let desc = delegated_range(block, BlockSize::Size2M, 1);
    let page = delegated_range(block, BlockSize::Size4K, 1);
    let own = host.granule();
    let rtt = |level| Status::ErrorRtt { level };
    let map = |args: [u64; 4], expected| {
        let [base, top, flags, oaddr] = args;
        host.is(
            Command::RttDataMap,
            &[realm.rd, base, top, flags, oaddr],
            expected,
        );
    };
    // A block where there is a table, in too small a range, at a bad place.
    map([0, MIB2, SINGLE, desc], rtt(2));
    map([MIB2, MIB2 + 0x1000, SINGLE, desc], rtt(2));
    map([MIB2 + 0x1000, 2 * MIB2, SINGLE, desc], INPUT);
    // A page where there is no table.
    map([MIB2, MIB2 + 0x1000, SINGLE, page], rtt(2));
    // The wrong half, across the halves, no range, no memory, nonsense.
    map([SHARED, SHARED + 0x1000, SINGLE, page], INPUT);
    map([SHARED - 0x1000, SHARED + 0x1000, SINGLE, page], INPUT);
    map([0x1000, 0x1000, SINGLE, page], INPUT);
    map([0, 0x1000, 0, 0], INPUT);
    map([0, 0x1000, 3, page], INPUT);
    map([0, 0x1000, SINGLE, 0], INPUT);
    map([0, 0x1000, SINGLE, page | 1 << 62], INPUT);
    map([0, 0x1000, list(0), own], INPUT);
    map([0, 0x1000, list(1), own + 4], INPUT);
    map([0, 0x1000, list(1), block], INPUT);
    // Memory of the host's, of nobody's, or said to be the host's.
    let host_page = delegated_range(own, BlockSize::Size4K, 1);
    map([0, 0x1000, SINGLE, host_page], INPUT);
    let nowhere = delegated_range(0x0900_0000, BlockSize::Size4K, 1);
    map([0, 0x1000, SINGLE, nowhere], INPUT);
    let lie = described(block, BlockSize::Size4K, 1, MemState::Undelegated);
    map([0, 0x1000, SINGLE, lie], INPUT);
    // A block with one granule missing goes back as a whole.
    host.undelegate(block + 0x1f_f000, 0x1000);
    map([MIB2, 2 * MIB2, SINGLE, desc], INPUT);
    host.undelegate(block, MIB2 - 0x1000);
    realm.destroy(&host, &[0]);
    assert_eq!(host.model.machine.realm_granules(), 0);
}

#[test]
fn pages_are_mapped_from_a_list_and_come_back_in_one() {
    let mut host = Host::new(known());
    let realm = host.realm();
    realm.table(&mut host, 0);
    let first = host.delegated(0x4000);
    let second = host.delegated(0x2000);
    for (entry, (base, count)) in [(first, 3), (second, 2)].into_iter().enumerate() {
        let desc = delegated_range(base, BlockSize::Size4K, count);
        host.write(realm.list + entry as u64 * 8, &desc.to_le_bytes());
    }
    let map = [realm.rd, 0x1000, 0x10_0000, list(2), realm.list];
    let [top, ..] = host.ok(Command::RttDataMap, &map);
    assert_eq!(top, 0x6000, "as much as there was memory for");
    // The same again changes nothing and is no error.
    let [top, ..] = host.ok(Command::RttDataMap, &map);
    assert_eq!(top, 0x6000);

    // As one range: up to where the memory breaks off.
    let unmap = |flags, oaddr| [realm.rd, 0, MIB2, flags, oaddr];
    let [top, range, ..] = host.ok(Command::RttDataUnmap, &unmap(SINGLE, 0));
    assert_eq!((top, decoded(range)), (0x4000, (first, 3)));
    let args = [realm.rd, 0x4000, MIB2, list(10), realm.list + 8];
    let [top, single, entries, ..] = host.ok(Command::RttDataUnmap, &args);
    assert_eq!((top, single, entries), (MIB2, 0, 1));
    assert_eq!(decoded(host.read(realm.list + 8)), (second, 2));
    // Nothing is left, and that is progress.
    let [top, range, ..] = host.ok(Command::RttDataUnmap, &unmap(SINGLE, 0));
    assert_eq!((top, range), (MIB2, 0));

    host.undelegate(first, 0x4000);
    host.undelegate(second, 0x2000);
    realm.destroy(&host, &[0]);
    assert_eq!(host.model.machine.realm_granules(), 0);
}

#[test]
fn a_list_that_cannot_be_written_loses_no_memory() {
    let mut host = Host::new(known());
    let (realm, _) = build(&mut host);
    let own = addr::GranuleAddr::from_raw(realm.list).unwrap();
    host.model.machine.set_pas(own, addr::Pas::Root);
    let unmap = [realm.rd, 0, MIB2, list(1), realm.list];
    host.is(Command::RttDataUnmap, &unmap, INPUT);
    host.model.machine.set_pas(own, addr::Pas::NonSecure);
    for bad in [
        [SINGLE, 8],
        [SINGLE | 1 << 2, 0],
        [list(1), 0x0900_0000],
        [list(0), realm.list],
    ] {
        let unmap = [realm.rd, 0, MIB2, bad[0], bad[1]];
        host.is(Command::RttDataUnmap, &unmap, INPUT);
    }
    // Part of a block is no range.
    let stuck = Status::ErrorRtt { level: 2 };
    let unmap = [realm.rd, MIB2, MIB2 + 0x1000, SINGLE, 0];
    host.is(Command::RttDataUnmap, &unmap, stuck);
    let unmap = [realm.rd, MIB2 + 0x1000, 2 * MIB2, SINGLE, 0];
    host.is(Command::RttDataUnmap, &unmap, stuck);
    unbuild(&host, realm);
    assert_eq!(host.model.machine.realm_granules(), 0);
}

#[test]
fn unmapped_memory_is_out_of_reach_at_once() {
    let mut host = Host::new(known());
    let (realm, _) = build(&mut host);
    let machine = host.model.machine;
    machine.script(0, 0, [Action::read(MIB2)]);
    realm.enter(&host, 0);
    let unmap = [realm.rd, MIB2, 2 * MIB2, SINGLE, 0];
    let [_, range, ..] = host.ok(Command::RttDataUnmap, &unmap);
    let (base, granules) = decoded(range);
    host.undelegate(base, granules * 0x1000);
    machine.script(0, 0, [Action::read(MIB2)]);
    let exit = realm.enter(&host, 0);
    assert_eq!((exit.exit_reason, exit.hpfar), (0, MIB2 >> 8));
    let entry = host.ok(Command::RttReadEntry, &[realm.rd, MIB2, 2]);
    assert_eq!(entry, [2, 0, 0, 2], "destroyed");
}

#[test]
fn host_memory_is_shared_by_the_block_and_taken_back() {
    let mut host = Host::new(known());
    let (realm, _) = build(&mut host);
    let memory = host.memory(MIB2);
    host.write(memory + 0x5000, &9u64.to_le_bytes());
    // Write-back, read and write.
    let flags = SINGLE | 6 << 16 | 3 << 19;
    let desc = described(memory, BlockSize::Size2M, 1, MemState::Undelegated);
    let map = |flags, desc| [realm.rd, SHARED, SHARED + MIB2, flags, desc];
    let [top, ..] = host.ok(Command::RttUnprotMap, &map(flags, desc));
    assert_eq!(top, SHARED + MIB2);
    host.ok(Command::RttUnprotMap, &map(flags, desc));
    let there = Status::ErrorRtt { level: 2 };
    let read_only = SINGLE | 6 << 16 | 2 << 19;
    host.is(Command::RttUnprotMap, &map(read_only, desc), there);
    host.is(Command::RttUnprotMap, &map(SINGLE | 4 << 16, desc), INPUT);
    host.is(Command::RttUnprotMap, &map(flags | 1 << 23, desc), INPUT);
    let machine = host.model.machine;
    let actions = [Action::read(SHARED + 0x5000), Action::write(SHARED, 4)];
    machine.script(0, 0, actions);
    realm.enter(&host, 0);
    assert_eq!(machine.events(0, 0), [Event::Loaded(9), Event::Done]);
    assert_eq!(host.read(memory), 4);
    let unmap = [realm.rd, SHARED, SHARED + MIB2, 0, 0];
    let [top, range, ..] = host.ok(Command::RttUnprotUnmap, &unmap);
    assert_eq!((top, range), (SHARED + MIB2, 0));
    machine.script(0, 0, [Action::read(SHARED)]);
    let exit = realm.enter(&host, 0);
    assert_eq!(exit.hpfar, SHARED >> 8);
    unbuild(&host, realm);
    assert_eq!(machine.realm_granules(), 0);
}

#[test]
fn an_operation_takes_only_what_it_asked_for_and_from_whom_it_knows() {
    let behaviour = Behaviour {
        rec_granules: 3,
        ..known()
    };
    let mut host = Host::new(behaviour);
    let realm = host.realm();
    let rec = host.delegated(0x1000);
    let page = host.granule();
    let begin = [realm.rd, rec, page];
    let [handle, request, ..] = host.is(Command::RecCreate, &begin, DONATE);
    assert_eq!(request, 3 << 2);
    // The granule is nobody else's meanwhile.
    host.is(Command::RecCreate, &begin, INPUT);
    host.is(Command::GranuleRangeUndelegate, &[rec, rec + 0x1000], INPUT);
    host.is(Command::RecDestroy, &[rec], INPUT);
    host.is(Command::RttCreate, &[realm.rd, rec, 0, 3], INPUT);
    // Calls that do not fit.
    let memory = host.delegated(0x4000);
    let give = |base, count| {
        let desc = delegated_range(base, BlockSize::Size4K, count);
        host.write(realm.list, &desc.to_le_bytes());
    };
    give(memory, 4);
    let donate = [handle, realm.list, 1];
    host.is(Command::OpMemDonate, &donate, INPUT);
    host.is(Command::OpContinue, &[handle, 0], INPUT);
    host.is(Command::OpMemReclaim, &donate, INPUT);
    host.is(Command::OpCancel, &[handle + 1], INPUT);
    give(memory, 1);
    for bad in [
        [0, realm.list, 1],
        [handle + 1, realm.list, 1],
        [handle + 0x100, realm.list, 1],
        [u64::MAX, realm.list, 1],
        [handle, realm.list + 1, 1],
        [handle, realm.list, 0],
        [handle, memory, 1],
    ] {
        host.is(Command::OpMemDonate, &bad, INPUT);
    }
    // In two parts; the second has a granule that is not delegated.
    let [taken, more, ..] = host.is(Command::OpMemDonate, &donate, DONATE);
    assert_eq!((taken, more), (1, 2 << 2));
    host.undelegate(memory + 0x2000, 0x1000);
    give(memory + 0x1000, 2);
    let [taken, ..] = host.is(Command::OpMemDonate, &donate, RECLAIM);
    assert_eq!(taken, 1);
    let [entries, ..] = host.is(Command::OpMemReclaim, &[handle, realm.list, 1], RECLAIM);
    assert_eq!(entries, 1);
    assert_eq!(decoded(host.read(realm.list)), (memory, 1));
    host.is(Command::OpMemReclaim, &[handle, realm.list, 8], CONTINUE);
    assert_eq!(decoded(host.read(realm.list)), (memory + 0x1000, 1));
    host.is(Command::OpContinue, &[handle, 0], INPUT);
    host.is(Command::OpContinue, &[handle, 0], INPUT);
    host.undelegate(memory, 0x2000);
    host.undelegate(memory + 0x3000, 0x1000);
    host.undelegate(rec, 0x1000);
    realm.destroy(&host, &[]);
    assert_eq!(host.model.machine.realm_granules(), 0);
}

#[test]
fn a_rec_that_cannot_be_made_gives_its_memory_back_first() {
    let mut host = Host::new(known());
    let mut realm = host.realm();
    // The parameters are read last: by then they are wrong.
    let (handle, rec) = realm.begin_rec(&mut host, 2);
    host.is(Command::OpContinue, &[handle, 0], RECLAIM);
    let [entries, ..] = host.is(Command::OpMemReclaim, &[handle, realm.list, 512], CONTINUE);
    assert_eq!(entries, 1);
    host.is(Command::OpContinue, &[handle, 0], INPUT);
    let (base, granules) = decoded(host.read(realm.list));
    host.undelegate(base, granules * 0x1000);
    host.undelegate(rec, 0x1000);
    // Its Realm is gone by then.
    let (handle, rec) = realm.begin_rec(&mut host, 1);
    let list = realm.list;
    realm.destroy(&host, &[]);
    host.is(Command::OpContinue, &[handle, 0], RECLAIM);
    host.is(Command::OpMemReclaim, &[handle, list, 512], CONTINUE);
    host.is(Command::OpContinue, &[handle, 0], INPUT);
    let (base, granules) = decoded(host.read(list));
    host.undelegate(base, granules * 0x1000);
    host.undelegate(rec, 0x1000);
    assert_eq!(host.model.machine.realm_granules(), 0);
}

/// Takes back what an operation that ends badly holds, and sees its end.
fn give_up(host: &Host, handle: u64, list: u64) {
    let reclaim = [handle, list, 512];
    let [entries, ..] = host.is(Command::OpMemReclaim, &reclaim, CONTINUE);
    for entry in 0..entries {
        let (base, granules) = decoded(host.read(list + entry * 8));
        host.undelegate(base, granules * 0x1000);
    }
    while host.call(Command::OpContinue, &[handle, 0]).0 == CONTINUE {}
    host.is(Command::OpContinue, &[handle, 0], INPUT);
}

#[test]
fn the_creation_of_a_rec_is_called_off_with_and_without_its_memory() {
    let mut host = Host::new(Behaviour {
        rec_granules: 2,
        pauses: 1,
        ..known()
    });
    let mut realm = host.realm();
    // Before anything was given there is nothing to give back.
    let rec = host.delegated(0x1000);
    let page = host.page(RecParams::new_zeroed().as_bytes());
    let begin = [realm.rd, rec, page];
    let [handle, ..] = host.is(Command::RecCreate, &begin, DONATE);
    host.is(Command::OpCancel, &[handle], CONTINUE);
    host.is(Command::OpCancel, &[handle], INPUT);
    host.is(Command::OpMemDonate, &[handle, realm.list, 1], INPUT);
    host.is(Command::OpContinue, &[handle, 0], CONTINUE);
    host.is(Command::OpContinue, &[handle, 0], INPUT);
    host.is(Command::OpCancel, &[handle], INPUT);
    host.undelegate(rec, 0x1000);
    // With all it asked for, between two steps.
    let (handle, rec) = realm.begin_rec(&mut host, 1);
    host.is(Command::OpContinue, &[handle, 0], READY);
    host.is(Command::OpCancel, &[handle], RECLAIM);
    give_up(&host, handle, realm.list);
    host.undelegate(rec, 0x1000);
    // The next one has the index that this one would have had.
    realm.rec(&mut host, 1);
    // A REC that has begun to go away does not come back.
    let rec = realm.recs[0];
    let [handle, ..] = host.is(Command::RecDestroy, &[rec], RECLAIM);
    host.is(Command::OpCancel, &[handle], INPUT);
    see_off(&host, handle, realm.list);
    host.undelegate(rec, 0x1000);
    realm.recs.clear();
    realm.destroy(&host, &[]);
    assert_eq!(host.model.machine.realm_granules(), 0);
}

/// Follows the destruction of a REC to its good end.
fn see_off(host: &Host, handle: u64, list: u64) {
    let [entries, ..] = host.is(Command::OpMemReclaim, &[handle, list, 512], CONTINUE);
    for entry in 0..entries {
        let (base, granules) = decoded(host.read(list + entry * 8));
        host.undelegate(base, granules * 0x1000);
    }
    while host.call(Command::OpContinue, &[handle, 0]).0 != Status::Success {}
}

#[test]
fn operations_are_finite_and_the_next_one_waits() {
    let mut host = Host::new(known());
    let realm = host.realm();
    let page = host.page(RecParams::new_zeroed().as_bytes());
    for _ in 0..16 {
        let rec = host.delegated(0x1000);
        host.is(Command::RecCreate, &[realm.rd, rec, page], DONATE);
    }
    let rec = host.delegated(0x1000);
    host.is(Command::RecCreate, &[realm.rd, rec, page], Status::Blocked);
    host.undelegate(rec, 0x1000);
}

#[test]
fn a_realm_is_ended_before_it_is_destroyed() {
    let mut host = Host::new(known());
    let (realm, _) = build(&mut host);
    let state = Status::ErrorRealm { index: 0 };
    host.is(Command::RealmDestroy, &[realm.rd], state);
    host.ok(Command::RealmTerminate, &[realm.rd]);
    let (status, _) = realm.try_enter(&host, 0, |_| ());
    assert_eq!(status, state);
    let page = host.delegated(0x1000);
    let desc = delegated_range(page, BlockSize::Size4K, 1);
    let map = [realm.rd, 0x1000, 0x2000, SINGLE, desc];
    host.is(Command::RttDataMap, &map, state);
    host.is(Command::RealmDestroy, &[realm.rd], state);
    host.undelegate(page, 0x1000);
    unbuild(&host, realm);
    assert_eq!(host.model.machine.realm_granules(), 0);
}

#[test]
fn the_host_programs_the_interrupt_controller_itself() {
    let mut host = Host::new(known());
    let (realm, _) = build(&mut host);
    let machine = host.model.machine;
    machine.script(0, 0, [Action::TakeInterrupt, Action::TakeInterrupt]);
    let mut gic = GicState::new_zeroed();
    gic.hcr = 1;
    gic.vmcr = 0x1234;
    gic.lrs[2] = 1 << 62 | 1 << 60 | 1 << 41 | 33;
    machine.set_gic(0, gic.clone());
    realm.enter(&host, 0);
    let after = machine.gic(0);
    assert_eq!(machine.events(0, 0)[0], Event::Interrupt(33));
    assert_eq!((after.hcr, after.vmcr), (0, 0x1234));
    assert_eq!(after.lrs[2] >> 62, 0);
    assert_eq!(after.misr, 1);
    // A physical interrupt is as forbidden as ever.
    gic.lrs[0] = 1 << 62 | 1 << 61 | 27;
    machine.set_gic(0, gic);
    let (status, _) = realm.try_enter(&host, 0, |_| ());
    assert_eq!(status, Status::ErrorRec);
}

#[test]
fn a_cpu_is_switched_on_with_two_arguments_or_three() {
    for completion in [Completion::ByHost, Completion::ByRmm] {
        let mut host = Host::new(Behaviour {
            completion,
            ..known()
        });
        let mut realm = host.realm();
        realm.rec(&mut host, 1);
        realm.rec(&mut host, 0);
        host.ok(Command::RealmActivate, &[realm.rd]);
        let machine = host.model.machine;
        let on = Action::smc(rsi::psci::CPU_ON_64, &[1, 0, 7]);
        machine.script(0, 0, [on]);
        let exit = realm.enter(&host, 0);
        assert_eq!(exit.exit_reason, 3);
        let [caller, target] = [realm.recs[0], realm.recs[1]];
        let (good, bad) = match completion {
            Completion::ByHost => ([caller, target, 0], [caller, 0, 0]),
            Completion::ByRmm => ([caller, 0, 0], [caller, target, 0]),
        };
        host.is(Command::PsciComplete, &bad, INPUT);
        host.ok(Command::PsciComplete, &good);
        realm.enter(&host, 1);
        realm.enter(&host, 0);
        assert!(matches!(machine.events(0, 0)[0], Event::Returned([0, ..])));
        realm.destroy(&host, &[]);
        assert_eq!(machine.realm_granules(), 0);
    }
}

#[test]
fn the_late_flavour_is_told_by_its_commands_and_knows_who_is_on() {
    for completion in [Completion::ByHost, Completion::ByRmm] {
        let mut host = Host::new(Behaviour {
            completion,
            ..known()
        });
        let late = completion == Completion::ByRmm;
        let (status, _) = host.call(Command::RmmStateGet, &[]);
        assert_eq!(status == Status::Success, late);
        let (status, _) = host.call(Command::GptInfo, &[0, 1 << 30]);
        assert_eq!(status == Status::Success, late);
        let mut realm = host.realm();
        realm.rec(&mut host, 1);
        realm.rec(&mut host, 0);
        host.ok(Command::RealmActivate, &[realm.rd]);
        let machine = host.model.machine;
        let affinity = Action::smc(rsi::psci::AFFINITY_INFO_64, &[1, 0]);
        machine.script(0, 0, [affinity]);
        let exit = realm.enter(&host, 0);
        assert_eq!(exit.exit_reason == 1, late, "answered without the host");
        if late {
            let events = machine.events(0, 0);
            assert!(matches!(events[0], Event::Returned([1, ..])));
        }
        realm.destroy(&host, &[]);
    }
}

#[test]
fn the_measurement_is_made_of_parameters_data_and_recs_alone() {
    let put = |bytes: &mut [u8], offset: usize, value: u64| {
        bytes[offset..offset + 8].copy_from_slice(&value.to_le_bytes());
    };
    let hash = |bytes: &[u8]| {
        let mut padded = [0; 64];
        padded[..48].copy_from_slice(&Sha384::digest(bytes));
        padded
    };
    let mut page = [0; 4096];
    put(&mut page, 0x08, 33);
    put(&mut page, 0x18, 1);
    put(&mut page, 0x20, 1);
    put(&mut page, 0x30, HashAlgo::Sha384 as u64);
    let mut rim = hash(&page);
    let mut descriptor = [0; 256];
    put(&mut descriptor, 8, 0x100);
    descriptor[0x10..0x50].copy_from_slice(&rim);
    put(&mut descriptor, 0x58, 1);
    let mut code = [0; 4096];
    code[..4].copy_from_slice(b"code");
    descriptor[0x60..0xa0].copy_from_slice(&hash(&code));
    rim = hash(&descriptor);
    let mut page = [0; 4096];
    put(&mut page, 0, 1);
    let mut descriptor = [0; 256];
    descriptor[0] = 1;
    put(&mut descriptor, 8, 0x100);
    descriptor[0x10..0x50].copy_from_slice(&rim);
    descriptor[0x50..0x90].copy_from_slice(&hash(&page));
    rim = hash(&descriptor);

    let mut host = Host::new(known());
    let mut realm = host.realm_with(|params| params.hash_algo = HashAlgo::Sha384 as u64);
    realm.table(&mut host, 0);
    let source = host.page(b"code");
    let data = host.delegated(0x1000);
    host.ok(Command::RttInitRipas, &[realm.rd, 0, 0x3000]);
    host.ok(Command::RttDataMapInit, &[realm.rd, data, 0, source, 1]);
    // Memory may come before its RIPAS here.
    let [top, ..] = host.ok(Command::RttInitRipas, &[realm.rd, 0, 0x4000]);
    assert_eq!(top, 0x4000);
    realm.rec(&mut host, 1);
    host.ok(Command::RealmActivate, &[realm.rd]);
    let read = Action::rsi(rsi::Command::MeasurementRead, &[0]);
    host.model.machine.script(0, 0, [read]);
    realm.enter(&host, 0);
    let mut expected = [0; 11];
    for (word, bytes) in expected[1..].iter_mut().zip(rim.chunks_exact(8)) {
        *word = u64::from_le_bytes(bytes.try_into().unwrap());
    }
    let events = host.model.machine.events(0, 0);
    let Event::Returned(values) = events[0] else {
        panic!("{events:?}");
    };
    assert_eq!(values[..9], expected[..9]);
}
