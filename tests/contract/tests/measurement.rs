//! Measurements against values computed here, byte by byte, from the
//! specification's layouts and an independent SHA-256.

mod host;

use contract::model::{Action, Event, Model};
use host::Host;
use rmi::v1_0::Command;
use sha2::{Digest, Sha256};

const RAM: u64 = 0x4000_0000;

fn hash(bytes: &[u8]) -> [u8; 64] {
    let mut padded = [0; 64];
    padded[..32].copy_from_slice(&Sha256::digest(bytes));
    padded
}

fn put(bytes: &mut [u8], offset: usize, value: u64) {
    bytes[offset..offset + 8].copy_from_slice(&value.to_le_bytes());
}

/// The measured parameters of the test host's Realm.
fn parameters() -> [u8; 64] {
    let mut page = [0; 4096];
    put(&mut page, 0x08, 33);
    put(&mut page, 0x18, 1);
    put(&mut page, 0x20, 1);
    hash(&page)
}

fn descriptor(kind: u8, rim: &[u8; 64]) -> [u8; 256] {
    let mut bytes = [0; 256];
    bytes[0] = kind;
    put(&mut bytes, 8, 0x100);
    bytes[0x10..0x50].copy_from_slice(rim);
    bytes
}

fn data(rim: &[u8; 64], ipa: u64, flags: u64, content: Option<&[u8; 4096]>) -> [u8; 64] {
    let mut bytes = descriptor(0, rim);
    put(&mut bytes, 0x50, ipa);
    put(&mut bytes, 0x58, flags);
    if let Some(content) = content {
        bytes[0x60..0xa0].copy_from_slice(&hash(content));
    }
    hash(&bytes)
}

fn ripas(rim: &[u8; 64], base: u64, top: u64) -> [u8; 64] {
    let mut bytes = descriptor(2, rim);
    put(&mut bytes, 0x50, base);
    put(&mut bytes, 0x58, top);
    hash(&bytes)
}

fn rec(rim: &[u8; 64], pc: u64) -> [u8; 64] {
    let mut page = [0; 4096];
    put(&mut page, 0, 1);
    put(&mut page, 0x200, pc);
    let mut bytes = descriptor(1, rim);
    bytes[0x50..0x90].copy_from_slice(&hash(&page));
    hash(&bytes)
}

fn words(value: &[u8; 64]) -> Vec<u64> {
    value
        .chunks_exact(8)
        .map(|word| u64::from_le_bytes(word.try_into().unwrap()))
        .collect()
}

/// What the Realm reads in a slot.
fn read(slot: u64) -> Action {
    Action::rsi(rsi::Command::MeasurementRead, &[slot])
}

fn returned(event: &Event) -> (u64, Vec<u64>) {
    match event {
        Event::Returned([status, values @ ..]) => (*status, values[..8].to_vec()),
        other => panic!("{other:?} is no answer"),
    }
}

#[test]
fn the_initial_measurement_is_the_specifications() {
    let model = Model::default();
    let mut host = Host::new(model);
    let mut realm = host.realm_with(3, |params| {
        // Neither counts.
        params.rpv = [0xab; 64];
    });
    let mut rim = parameters();

    // A whole 2 MiB entry, then, below a table, page by page.
    let args = [realm.rd, RAM + 0x20_0000, RAM + 0x40_0000];
    host.ok(Command::RttInitRipas, &args);
    rim = ripas(&rim, RAM + 0x20_0000, RAM + 0x40_0000);
    realm.table(&mut host, RAM);
    host.ok(Command::RttInitRipas, &[realm.rd, RAM, RAM + 0x3000]);
    for page in 0..3 {
        let base = RAM + page * 0x1000;
        rim = ripas(&rim, base, base + 0x1000);
    }

    let mut contents = [0; 4096];
    contents[..9].copy_from_slice(b"a program");
    realm.populate(&mut host, RAM, &contents);
    rim = data(&rim, RAM, 1, Some(&contents));

    let source = host.page(b"not measured, but placed");
    let page = host.delegated();
    host.ok(
        Command::DataCreate,
        &[realm.rd, page, RAM + 0x1000, source, 0],
    );
    realm.pages.push((RAM + 0x1000, page));
    rim = data(&rim, RAM + 0x1000, 0, None);

    realm.unknown(&mut host, RAM + 0x2000);
    realm.rec(&mut host, RAM);
    rim = rec(&rim, RAM);
    realm.rec_with(&mut host, 0, 0);
    realm.activate(&mut host);

    model.machine.script(3, 0, [read(0)]);
    realm.enter(&mut host, |_| ());
    let events = model.machine.events(3, 0);
    assert_eq!(returned(&events[0]), (0, words(&rim)));
    let hex: String = rim[..32].iter().map(|byte| format!("{byte:02x}")).collect();
    let lines = model.machine.log_lines();
    assert!(
        lines
            .iter()
            .any(|line| line.ends_with(&format!("RIM {hex}"))),
        "{lines:#?}"
    );
    realm.destroy(&mut host);
}

#[test]
fn the_same_realm_has_the_same_measurement_and_another_layout_another() {
    let measure = |vmid: u16, blocks: bool| {
        let model = Model::default();
        let mut host = Host::new(model);
        let mut realm = host.realm(vmid);
        if !blocks {
            realm.table(&mut host, RAM);
        }
        host.ok(Command::RttInitRipas, &[realm.rd, RAM, RAM + 0x20_0000]);
        realm.populate(&mut host, RAM + 0x20_0000, b"code");
        realm.rec(&mut host, RAM);
        realm.activate(&mut host);
        model.machine.script(vmid, 0, [read(0)]);
        realm.enter(&mut host, |_| ());
        returned(&model.machine.events(vmid, 0)[0])
    };
    assert_eq!(measure(1, true), measure(2, true));
    assert_ne!(measure(1, true), measure(1, false));
}

#[test]
fn a_realm_extends_its_own_measurements_and_not_the_initial_one() {
    let model = Model::default();
    let mut host = Host::new(model);
    let mut realm = host.realm(3);
    realm.populate(&mut host, RAM, b"code");
    realm.rec(&mut host, RAM);
    realm.activate(&mut host);
    let extend = |slot, size, data: &[u64]| {
        let mut args = vec![slot, size];
        args.extend(data);
        Action::rsi(rsi::Command::MeasurementExtend, &args)
    };
    let all: Vec<u64> = (1..=8).collect();
    model.machine.script(
        3,
        0,
        [
            extend(4, 5, &[0x0807_0605_0403_0201]),
            extend(4, 64, &all),
            read(4),
            read(1),
            extend(0, 8, &[1]),
            extend(5, 8, &[1]),
            extend(1, 65, &[1]),
            extend(1, u64::MAX, &[1]),
            read(5),
            read(u64::MAX),
        ],
    );
    realm.enter(&mut host, |_| ());
    let events = model.machine.events(3, 0);
    let status: Vec<u64> = events.iter().map(|event| returned(event).0).collect();
    assert_eq!(status, [0, 0, 0, 0, 1, 1, 1, 1, 1, 1]);

    let mut expected = [0; 32].to_vec();
    expected.extend([1, 2, 3, 4, 5]);
    let mut second = hash(&expected)[..32].to_vec();
    second.extend(all.iter().flat_map(|word| word.to_le_bytes()));
    assert_eq!(returned(&events[2]).1, words(&hash(&second)));
    assert_eq!(returned(&events[3]).1, [0; 8]);
    realm.destroy(&mut host);
}
