//! Folding, splitting, unmapping: what a running Realm sees of it, with TLBs
//! that remember whatever they are not told to forget.

mod host;

use contract::model::{Action, Event, Model};
use host::{Host, Realm, fault_ipa};
use rmi::status::Status;
use rmi::v1_0::{Command, RecEnter};

const VMID: u16 = 2;
const RAM: u64 = 0x4000_0000;
const MIB2: u64 = 0x20_0000;
const SHARED: u64 = 1 << 32;

fn plain(_: &mut RecEnter) {}

/// A Realm with 2 MiB of populated RAM at `RAM`, contiguous from a 2 MiB
/// boundary, below one table.
fn with_block() -> (Host, Realm, Vec<u64>) {
    with_pages(0x6000_0000)
}

/// The same with granules from `base` on.
fn with_pages(base: u64) -> (Host, Realm, Vec<u64>) {
    let model = Model::default();
    let mut host = Host::new(model);
    let mut realm = host.realm(VMID);
    realm.table(&mut host, RAM);
    host.ok(Command::RttInitRipas, &[realm.rd, RAM, RAM + MIB2]);
    let granules: Vec<u64> = (0..512).map(|page| base + page * 0x1000).collect();
    for (page, granule) in (0..).zip(&granules) {
        host.ok(Command::GranuleDelegate, &[*granule]);
        let ipa = RAM + page * 0x1000;
        host.ok(Command::DataCreateUnknown, &[realm.rd, *granule, ipa]);
    }
    realm.rec(&mut host, RAM);
    realm.activate(&mut host);
    (host, realm, granules)
}

fn run(host: &mut Host, realm: &Realm, actions: &[Action]) -> Vec<Event> {
    host.model.machine.script(VMID, 0, actions.iter().copied());
    realm.enter(host, plain);
    host.model.machine.events(VMID, 0)
}

#[test]
fn a_block_is_folded_used_split_and_taken_apart() {
    let (mut host, mut realm, granules) = with_block();
    let last = RAM + MIB2 - 8;
    let write = [Action::write(RAM, 1), Action::write(last, 2)];
    run(&mut host, &realm, &write);
    let [table, ..] = host.ok(Command::RttFold, &[realm.rd, RAM, 3]);
    assert_eq!(table, realm.tables.pop().unwrap().1);
    let [level, state, desc, ripas] = host.ok(Command::RttReadEntry, &[realm.rd, RAM, 3]);
    assert_eq!((level, state, desc, ripas), (2, 1, granules[0], 1));
    let read = [Action::read(RAM), Action::read(last)];
    let loaded = [Event::Loaded(1), Event::Loaded(2)];
    assert_eq!(run(&mut host, &realm, &read), loaded);

    // A page cannot be taken out of a block.
    let (status, out) = host.call(Command::DataDestroy, &[realm.rd, RAM + 0x3000]);
    assert_eq!(status, Status::ErrorRtt { level: 2 });
    assert_eq!(out[1], RAM + 0x3000, "here, not further");
    let (status, out) = host.call(Command::RttDestroy, &[realm.rd, RAM, 3]);
    assert_eq!((status, out[1]), (Status::ErrorRtt { level: 2 }, RAM));

    host.ok(Command::RttCreate, &[realm.rd, table, RAM, 3]);
    assert_eq!(run(&mut host, &realm, &read), loaded);
    let [granule, top, ..] = host.ok(Command::DataDestroy, &[realm.rd, RAM]);
    assert_eq!((granule, top), (granules[0], RAM + 0x1000));
    host.undelegate(granule);
    // The Realm cannot reach it through what its TLB remembers.
    host.model.machine.script(VMID, 0, [Action::read(RAM)]);
    let exit = realm.enter(&mut host, plain);
    assert_eq!(fault_ipa(&exit).raw(), RAM);

    realm.tables.push((RAM, table));
    for (page, granule) in (0..).zip(&granules).skip(1) {
        realm.pages.push((RAM + page * 0x1000, *granule));
    }
    realm.destroy(&mut host);
    assert_eq!(host.model.machine.realm_granules(), 0);
}

#[test]
fn a_block_of_pages_out_of_order_does_not_fold() {
    let (host, mut realm, _) = with_block();
    let swap = [RAM, RAM + 0x1000];
    let taken: Vec<u64> = swap
        .iter()
        .map(|ipa| host.ok(Command::DataDestroy, &[realm.rd, *ipa])[0])
        .collect();
    // DESTROYED first becomes RAM by the Realm's consent; here it is enough
    // that neither order folds.
    for (ipa, granule) in swap.iter().zip(taken.iter().rev()) {
        host.ok(Command::DataCreateUnknown, &[realm.rd, *granule, *ipa]);
    }
    let status = Status::ErrorRtt { level: 3 };
    host.fails(Command::RttFold, &[realm.rd, RAM, 3], status);
    realm.tables.clear();
}

#[test]
fn a_block_must_be_aligned_as_blocks_are() {
    let (host, realm, _) = with_pages(0x6000_1000);
    let status = Status::ErrorRtt { level: 3 };
    host.fails(Command::RttFold, &[realm.rd, RAM, 3], status);
}

#[test]
fn a_source_that_vanishes_leaves_nothing_of_itself() {
    let model = Model::default();
    let mut host = Host::new(model);
    let mut realm = host.realm(VMID);
    realm.table(&mut host, RAM);
    let source = host.page(&[7; 4096]);
    let data = host.delegated();
    // EL3 took it: the RMM's table does not know.
    let granule = |raw| addr::GranuleAddr::from_raw(raw).unwrap();
    model.machine.set_pas(granule(source), addr::Pas::Root);
    let args = [realm.rd, data, RAM, source, 1];
    host.fails(Command::DataCreate, &args, Status::ErrorInput);
    let entry = host.ok(Command::RttReadEntry, &[realm.rd, RAM, 3]);
    assert_eq!(entry, [3, 0, 0, 0]);
    host.undelegate(data);
    assert_eq!(model.machine.bytes(granule(data)), [0; 4096]);
    realm.destroy(&mut host);
}

#[test]
fn nothing_that_is_shared_is_executable() {
    let model = Model::default();
    let mut host = Host::new(model);
    let mut realm = host.realm(VMID);
    realm.populate(&mut host, RAM, b"code");
    let page = host.granule();
    realm.share(&mut host, SHARED, page);
    realm.rec(&mut host, RAM);
    realm.activate(&mut host);
    let seen = run(&mut host, &realm, &[Action::Fetch { ipa: SHARED }]);
    assert!(matches!(seen[..], [Event::Exception { far: SHARED, .. }]));
}

#[test]
fn shared_pages_fold_into_a_block_and_unmap_as_one() {
    let model = Model::default();
    let mut host = Host::new(model);
    let mut realm = host.realm(VMID);
    realm.populate(&mut host, RAM, b"code");
    realm.rec(&mut host, RAM);
    realm.activate(&mut host);
    let base = 0x7000_0000;
    for page in 0..512 {
        realm.share(&mut host, SHARED + page * 0x1000, base + page * 0x1000);
    }
    host.write(base + 0x5000, &77u64.to_le_bytes());
    let read = [Action::read(SHARED + 0x5000)];
    assert_eq!(run(&mut host, &realm, &read), [Event::Loaded(77)]);
    let [table, ..] = host.ok(Command::RttFold, &[realm.rd, SHARED, 3]);
    host.undelegate(table);
    realm.tables.pop();
    assert_eq!(run(&mut host, &realm, &read), [Event::Loaded(77)]);
    let out = host.ok(Command::RttReadEntry, &[realm.rd, SHARED, 2]);
    assert_eq!(out, [2, 1, base | 0xd8, 0]);

    host.ok(Command::RttUnmapUnprotected, &[realm.rd, SHARED, 2]);
    host.model.machine.script(VMID, 0, read);
    let exit = realm.enter(&mut host, plain);
    assert_eq!(fault_ipa(&exit).raw(), SHARED + 0x5000);
    realm.destroy(&mut host);
    assert_eq!(model.machine.realm_granules(), 0);
}

#[test]
fn unmapped_pages_are_out_of_reach_at_once() {
    let model = Model::default();
    let mut host = Host::new(model);
    let mut realm = host.realm(VMID);
    realm.populate(&mut host, RAM, b"code");
    realm.rec(&mut host, RAM);
    realm.activate(&mut host);
    let page = host.page(&1u64.to_le_bytes());
    let read = [Action::read(SHARED)];
    let unmap = |host: &mut Host, realm: &mut Realm, by: Command| {
        realm.share(host, SHARED, page);
        assert_eq!(run(host, realm, &read), [Event::Loaded(1)]);
        let args = [realm.rd, SHARED, 3];
        let out = host.ok(by, &args);
        host.model.machine.script(VMID, 0, read);
        let exit = realm.enter(host, plain);
        assert_eq!(fault_ipa(&exit).raw(), SHARED, "{}", by.name());
        host.model.machine.forget(VMID, 0);
        out
    };
    unmap(&mut host, &mut realm, Command::RttUnmapUnprotected);
    let [table, top, ..] = unmap(&mut host, &mut realm, Command::RttDestroy);
    assert_eq!(top, SHARED + 0x4000_0000);
    host.undelegate(table);
    realm.tables.pop();
    realm.destroy(&mut host);
}

#[test]
fn memory_that_became_empty_is_out_of_reach_at_once() {
    let (mut host, realm, _) = with_block();
    run(&mut host, &realm, &[Action::read(RAM)]);
    let give_up = [RAM, RAM + 0x1000, 0, 1];
    let actions = [
        Action::rsi(rsi::Command::IpaStateSet, &give_up),
        Action::read(RAM),
        Action::read(RAM + 0x1000),
    ];
    run(&mut host, &realm, &actions);
    let range = [realm.rd, realm.recs[0].rec, RAM, RAM + 0x1000];
    host.ok(Command::RttSetRipas, &range);
    let seen = run(&mut host, &realm, &[]);
    assert!(
        matches!(seen[1], Event::Exception { far: RAM, .. }),
        "{seen:x?}"
    );
    assert_eq!(seen[2], Event::Loaded(0));
}

#[test]
fn a_realm_sees_its_own_tables_only() {
    let model = Model::default();
    let mut host = Host::new(model);
    let mut build = |vmid: u16, text: &[u8]| {
        let mut realm = host.realm(vmid);
        realm.populate(&mut host, RAM, text);
        realm.rec(&mut host, RAM);
        realm.activate(&mut host);
        realm
    };
    let one = build(21, b"realm #1");
    let two = build(22, b"realm #2");
    for (realm, vmid, text) in [(&one, 21, b"realm #1"), (&two, 22, b"realm #2")] {
        model.machine.script(vmid, 0, [Action::read(RAM)]);
        realm.enter(&mut host, plain);
        let loaded = Event::Loaded(u64::from_le_bytes(*text));
        assert_eq!(model.machine.events(vmid, 0), [loaded]);
    }
    // Each other's objects are nothing to them.
    let args = [one.rd, two.recs[0].rec, RAM, RAM + 0x1000];
    host.fails(Command::RttSetRipas, &args, Status::ErrorRec);
    let args = [one.recs[0].rec, two.recs[0].rec, 0];
    host.fails(Command::PsciComplete, &args, Status::ErrorInput);
    one.destroy(&mut host);
    two.destroy(&mut host);
    assert_eq!(model.machine.realm_granules(), 0);
}
