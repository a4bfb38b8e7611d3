//! A Realm against RMMs of RMI 2.0 that answer anything, and the questions that
//! find out which RMM it is.

use super::{Arity, Host, Quirks};
use crate::intent::{Backend, RecMemory};
use crate::open::{Opened, Refusal, open};
use crate::tests::{Pool, RAM, RAM_PAGES, Random, Words, live_on};
use crate::{Memory, Populate};
use addr::{GRANULE_SIZE, GranuleAddr, PhysAddr, PhysRange};
use conduit::{Conduit, Regs};
use core::cell::{Cell, RefCell};
use rmi::client::PsciAnswer;
use rmi::v2_0::range::{BlockSize, DonateRequest, MemState, RangeDesc, StateField};
use rmi::v2_0::{Command, MemRequest, Status};
use std::collections::BTreeMap;
use std::format;
use std::vec::Vec;

extern crate std;

const HANDLE: u64 = 0x77;
const REC_GRANULES: u16 = 16;

/// Does what it is told, as far as its habits go – and, as often as asked,
/// answers anything instead.
struct Model {
    random: Random,
    lies_per_1000: u64,
    /// Whether one call on a range does one granule.
    single: bool,
    blocks: bool,
    pages: Words,
    data: RefCell<BTreeMap<u64, u64>>,
    tables: RefCell<BTreeMap<u64, u64>>,
    /// Memory of the REC.
    rec: RefCell<Vec<RangeDesc>>,
    calls: Cell<u64>,
    terminated: Cell<bool>,
}

impl Model {
    fn new(seed: u64, lies_per_1000: u64, pool: &Pool) -> Self {
        Self {
            random: Random::new(seed),
            lies_per_1000,
            single: seed.is_multiple_of(2),
            blocks: !seed.is_multiple_of(3),
            pages: pool.words.clone(),
            data: RefCell::default(),
            tables: RefCell::default(),
            rec: RefCell::default(),
            calls: Cell::new(0),
            terminated: Cell::new(false),
        }
    }

    fn incomplete(request: MemRequest) -> u64 {
        let can_cancel = false;
        Status::Incomplete {
            request,
            can_cancel,
        }
        .raw()
    }

    fn map(&self, [_, _, base, top, _, desc, ..]: [u64; 8]) -> [u64; 8] {
        let desc = RangeDesc::decode(desc, StateField::OneBit).unwrap();
        if desc.size() != BlockSize::Size4K && !self.blocks {
            return [1, 0, 0, 0, 0, 0, 0, 0];
        }
        let all = desc.granules().min((top - base) / GRANULE_SIZE);
        let count = if self.single && desc.size() == BlockSize::Size4K {
            1
        } else {
            all
        };
        for page in 0..count {
            let pa = desc.base().raw() + page * GRANULE_SIZE;
            self.data
                .borrow_mut()
                .insert(base + page * GRANULE_SIZE, pa);
        }
        [0, base + count * GRANULE_SIZE, 0, 0, 0, 0, 0, 0]
    }

    fn unmap(&self, [_, _, base, top, ..]: [u64; 8]) -> [u64; 8] {
        let mut data = self.data.borrow_mut();
        let Some(first) = data.get(&base).copied() else {
            return [0, top, 0, 0, 0, 0, 0, 0];
        };
        let pages = (top - base) / GRANULE_SIZE;
        let count = (0..pages)
            .take_while(|page| {
                let at = page * GRANULE_SIZE;
                data.get(&(base + at)) == Some(&(first + at))
            })
            .count() as u64;
        for page in 0..count {
            data.remove(&(base + page * GRANULE_SIZE));
        }
        let base_pa = GranuleAddr::from_raw(first).unwrap();
        let block = count == 512 && base_pa.is_aligned(BlockSize::Size2M.bytes());
        let (size, blocks) = match block {
            true => (BlockSize::Size2M, 1),
            false => (BlockSize::Size4K, count),
        };
        let desc = RangeDesc::new(base_pa, size, blocks, MemState::Delegated).unwrap();
        let raw = desc.encode(StateField::OneBit);
        [0, base + count * GRANULE_SIZE, raw, 0, 0, 0, 0, 0]
    }

    fn donate(&self, list: u64, entries: u64) -> [u64; 8] {
        let mut taken = 0;
        for index in 0..entries as usize {
            let raw = self.pages.borrow()[&(list, index)];
            let desc = RangeDesc::decode(raw, StateField::OneBit).unwrap();
            taken += desc.granules();
            self.rec.borrow_mut().push(desc);
        }
        let next = Self::incomplete(MemRequest::None);
        [next, taken, 0, 0, 0, 0, 0, 0]
    }

    fn reclaim(&self, list: u64) -> [u64; 8] {
        let ranges = core::mem::take(&mut *self.rec.borrow_mut());
        for (index, desc) in ranges.iter().enumerate() {
            let raw = desc.encode(StateField::OneBit);
            self.pages.borrow_mut().insert((list, index), raw);
        }
        let next = Self::incomplete(MemRequest::None);
        [next, ranges.len() as u64, 0, 0, 0, 0, 0, 0]
    }

    fn obliging(&self, regs: Regs) -> [u64; 8] {
        let [_, x1, x2, x3, x4, ..] = regs.0;
        let reply = |x1: u64| [0, x1, 0, 0, 0, 0, 0, 0];
        match Command::from_fid(regs.fid()) {
            Some(Command::GranuleRangeDelegate | Command::GranuleRangeUndelegate) => {
                reply(if self.single { x1 + GRANULE_SIZE } else { x2 })
            }
            Some(Command::RttDataMapInit) => {
                self.data.borrow_mut().insert(x3, x2);
                reply(0)
            }
            Some(Command::RttDataMap) => self.map(regs.0),
            Some(Command::RttDataUnmap) => self.unmap(regs.0),
            Some(Command::RttUnprotMap | Command::RttUnprotUnmap) => reply(x3),
            Some(Command::RttInitRipas) => reply(x3),
            Some(Command::RttSetRipas) => reply(x4),
            Some(Command::RttCreate) => {
                self.tables.borrow_mut().insert(x3, x2);
                reply(0)
            }
            Some(Command::RttDestroy | Command::RttFold) => {
                reply(self.tables.borrow_mut().remove(&x2).unwrap_or(0))
            }
            Some(Command::RecCreate) => {
                let request = DonateRequest {
                    size: BlockSize::Size4K,
                    count: REC_GRANULES,
                    contiguous: false,
                    state: MemState::Delegated,
                };
                let status = Self::incomplete(MemRequest::Donate);
                [status, HANDLE, request.encode(), 0, 0, 0, 0, 0]
            }
            Some(Command::RecDestroy) => {
                let status = Self::incomplete(MemRequest::Reclaim);
                [status, HANDLE, 0, 0, 0, 0, 0, 0]
            }
            Some(Command::OpMemDonate) => self.donate(x2, x3),
            Some(Command::OpMemReclaim) => self.reclaim(x2),
            Some(Command::RealmTerminate) => {
                self.terminated.set(true);
                reply(0)
            }
            Some(Command::RealmDestroy) if !self.terminated.get() => [0x2, 0, 0, 0, 0, 0, 0, 0],
            _ => reply(0),
        }
    }

    fn lie(&self, mut out: [u64; 8]) -> [u64; 8] {
        let statuses = [
            0,
            1,
            2,
            3,
            0x204,
            0x304,
            0x704,
            5,
            7,
            10,
            11,
            13,
            0x10d,
            0x20d,
            0x40d,
            0x50d,
            0x60d,
            14,
            15,
            16,
            99,
            u64::MAX,
        ];
        out[0] = statuses[self.random.below(statuses.len() as u64) as usize];
        for slot in &mut out[1..5] {
            *slot = match self.random.below(6) {
                0 => *slot,
                1 => RAM + self.random.below(RAM_PAGES) * GRANULE_SIZE,
                2 => 0x4000_0000 + self.random.below(0x1000) * GRANULE_SIZE,
                3 => (RAM + self.random.below(RAM_PAGES) * GRANULE_SIZE) | (16 << 2),
                4 => self.random.below(100),
                _ => self.random.next(),
            };
        }
        out
    }
}

impl Conduit for &Model {
    fn call(&self, regs: Regs) -> Regs {
        self.calls.set(self.calls.get() + 1);
        let honest = self.obliging(regs);
        Regs(match self.random.below(1000) < self.lies_per_1000 {
            true => self.lie(honest),
            false => honest,
        })
    }
}

#[test]
fn an_rmm_that_obliges_gets_everything_back_to_the_host() {
    for seed in 1..10 {
        for populate in [Populate::Block, Populate::Page] {
            let pool = Pool::new();
            let model = Model::new(seed, 0, &pool);
            let rmm = Host::new(&model, Quirks::EARLY);
            let outcome = live_on(&rmm, &Random::new(seed), pool, populate);
            assert!(outcome.built);
            assert_eq!(outcome.kept, 0, "seed {seed}");
            assert_eq!(outcome.pool.free.len() as u64, RAM_PAGES);
            assert!(model.rec.borrow().is_empty());
        }
    }
}

#[test]
fn no_answer_of_an_rmm_loses_a_granule_or_loops() {
    let mut built = 0;
    for seed in 1..25 {
        for lies in [1, 10, 300, 1000] {
            let pool = Pool::new();
            let model = Model::new(seed, lies, &pool);
            let rmm = Host::new(&model, Quirks::EARLY);
            let outcome = live_on(&rmm, &Random::new(seed), pool, Populate::Block);
            built += u64::from(outcome.built);
            let calls = model.calls.get();
            assert!(calls < 200_000, "seed {seed}, {lies} lies: {calls} calls");
        }
    }
    assert!(built > 10, "too few lives got past building: {built}");
}

/// Answers one command in its own way, and all others as a model does.
struct Stubborn<'m> {
    model: &'m Model,
    command: Command,
    answer: [u64; 8],
}

impl Conduit for &Stubborn<'_> {
    fn call(&self, regs: Regs) -> Regs {
        match Command::from_fid(regs.fid()) {
            Some(command) if command == self.command => {
                self.model.calls.set(self.model.calls.get() + 1);
                Regs(self.answer)
            }
            _ => self.model.call(regs),
        }
    }
}

/// A life on an RMM that answers `command` with `answer`; what stays with it.
fn stubborn(command: Command, answer: [u64; 8]) -> (bool, u64, u64) {
    let pool = Pool::new();
    let model = Model::new(1, 0, &pool);
    let conduit = Stubborn {
        model: &model,
        command,
        answer,
    };
    let rmm = Host::new(&conduit, Quirks::EARLY);
    let outcome = live_on(&rmm, &Random::new(1), pool, Populate::Block);
    (outcome.built, outcome.kept, model.calls.get())
}

#[test]
fn an_operation_without_end_is_given_up() {
    let busy = [10, 0, 0, 0, 0, 0, 0, 0];
    for endless in [
        Command::OpContinue,
        Command::OpMemDonate,
        Command::RealmCreate,
    ] {
        let (built, _, calls) = stubborn(endless, busy);
        assert!(!built);
        assert!(calls < 100_000, "{} {calls}", endless.name());
    }
    let (built, _, calls) = stubborn(Command::OpContinue, [13, 0, 0, 0, 0, 0, 0, 0]);
    assert!(!built && calls < 100_000);
}

/// Gives back, as memory of a REC, a page of the Realm.
struct Thief<'m>(&'m Model);

impl Conduit for &Thief<'_> {
    fn call(&self, regs: Regs) -> Regs {
        if Command::from_fid(regs.fid()) != Some(Command::OpMemReclaim) {
            return self.0.call(regs);
        }
        let page = self.0.data.borrow().values().next().copied().unwrap();
        let raw = page | 1 << 2;
        self.0.pages.borrow_mut().insert((regs.0[2], 0), raw);
        Regs([13, 1, 0, 0, 0, 0, 0, 0])
    }
}

#[test]
fn memory_that_was_never_given_is_not_taken_back() {
    let pool = Pool::new();
    let model = Model::new(1, 0, &pool);
    let thief = Thief(&model);
    let rmm = Host::new(&thief, Quirks::EARLY);
    let outcome = live_on(&rmm, &Random::new(1), pool, Populate::Block);
    assert!(outcome.built);
    // The REC and its memory stay there, and are named; all else comes back.
    assert_eq!(outcome.kept, 1 + u64::from(REC_GRANULES));
}

#[test]
fn a_list_longer_than_its_page_or_of_nothing_is_not_believed() {
    for entries in [512, 513, u64::MAX] {
        let answer = [13, entries, 0, 0, 0, 0, 0, 0];
        let (built, kept, _) = stubborn(Command::OpMemReclaim, answer);
        assert!(built);
        assert!(kept >= 1);
    }
}

#[test]
fn a_request_for_more_than_is_set_aside_ends_the_building() {
    let request = DonateRequest {
        size: BlockSize::Size2M,
        count: 0x3fff,
        contiguous: false,
        state: MemState::Delegated,
    };
    let answer = [0x10d, HANDLE, request.encode(), 0, 0, 0, 0, 0];
    let (built, ..) = stubborn(Command::RecCreate, answer);
    assert!(!built);
}

#[test]
fn progress_that_cannot_be_is_no_progress() {
    for out in [0, RAM - GRANULE_SIZE, u64::MAX, RAM + 0x7ff] {
        let answer = [0, out, 0, 0, 0, 0, 0, 0];
        let (built, _, calls) = stubborn(Command::GranuleRangeDelegate, answer);
        assert!(!built && calls < 10_000);
        let (built, _, calls) = stubborn(Command::RttDataMapInit, [0x304, out, 0, 0, 0, 0, 0, 0]);
        assert!(!built && calls < 10_000);
    }
}

#[test]
fn psci_calls_are_completed_in_the_form_the_rmm_knows() {
    /// Knows the form with `0` arguments, and notes what it was asked.
    struct Psci(usize, RefCell<Vec<usize>>);
    impl Conduit for &Psci {
        fn call(&self, regs: Regs) -> Regs {
            // A status is no address, and an address no status.
            let arguments = if regs.0[2] >= RAM && regs.0[2] < u64::MAX - 8 {
                3
            } else {
                2
            };
            self.1.borrow_mut().push(arguments);
            Regs([u64::from(arguments != self.0), 0, 0, 0, 0, 0, 0, 0])
        }
    }
    let granule = |page| GranuleAddr::from_raw(RAM + page * GRANULE_SIZE).unwrap();
    for (quirks, knows, asked) in [
        (Quirks::EARLY, 3, &[3][..]),
        (Quirks::EARLY, 2, &[3, 2]),
        (Quirks::LATE, 2, &[2]),
        (Quirks::LATE, 3, &[2, 3]),
    ] {
        let psci = Psci(knows, RefCell::default());
        let rmm = Host::new(&psci, quirks);
        rmm.complete(granule(1), granule(2), PsciAnswer::Denied)
            .unwrap();
        assert_eq!(*psci.1.borrow(), asked);
    }
}

/// An RMM before its first Realm.
#[derive(Clone, Copy)]
struct Fresh {
    speaks: u64,
    knows: &'static [Command],
    active: bool,
    config: u64,
}

const RELEASED: &[Command] = &[];
const EARLY: &[Command] = &[Command::RttUnprotMap, Command::RealmTerminate];
const LATE: &[Command] = &[Command::RttUnprotMap, Command::RmmStateGet];

impl Conduit for Fresh {
    fn call(&self, regs: Regs) -> Regs {
        let [_, x1, x2, ..] = regs.0;
        let answer = |x0, x1, x2| Regs([x0, x1, x2, 0, 0, 0, 0, 0]);
        let always = [Command::RmmConfigSet, Command::RmmActivate];
        match Command::from_fid(regs.fid()) {
            Some(Command::Version) if x1 == self.speaks => answer(0, x1, x1),
            Some(Command::Version) => answer(1, self.speaks, self.speaks),
            Some(Command::Features) if x1 == 1 => answer(0, 1 | 1 << 3 | 4 << 6, 0),
            Some(Command::Features) => answer(0, 48 | 5 << 14 | 3 << 20 | 1 << 32, 0),
            Some(command) if always.contains(&command) && self.active => answer(11, 0, 0),
            Some(command) if always.contains(&command) => answer(0, 0, 0),
            Some(Command::RmmConfigGet) => answer(self.config, 0, 0),
            Some(Command::GptL1Create) => answer(15, 0, 0),
            Some(Command::GranuleRangeDelegate | Command::GranuleRangeUndelegate) => {
                answer(0, x2, 0)
            }
            Some(command) if self.knows.contains(&command) => answer(1, 0, 0),
            _ => answer(u64::MAX, 0, 0),
        }
    }
}

fn opened(rmm: Fresh) -> Opened<Fresh> {
    let mut pool = Pool::new();
    let size = RAM_PAGES * GRANULE_SIZE;
    let ram = PhysRange::with_size(PhysAddr::new(RAM), size).unwrap();
    let opened = open(rmm, &mut pool, &[ram]);
    assert_eq!(pool.free.len() as u64, RAM_PAGES);
    assert!(pool.alloc(1).is_some());
    opened
}

const NEW: Fresh = Fresh {
    speaks: 0x2_0000,
    knows: EARLY,
    active: false,
    config: 0,
};

#[test]
fn the_dialect_is_what_the_rmm_answers() {
    let Opened::V2_0 { rmm, offer } = opened(NEW) else {
        panic!("not 2.0");
    };
    assert_eq!(rmm.quirks().psci, Arity::Three);
    assert_eq!(rmm.quirks().granules_per_call, 16);
    assert_eq!(offer.features.fields().s2sz, 48);
    assert!(offer.features.fields().hash_sha_256);
    let late = Fresh { knows: LATE, ..NEW };
    let Opened::V2_0 { rmm, .. } = opened(late) else {
        panic!("not 2.0");
    };
    assert_eq!(rmm.quirks().psci, Arity::Two);
    assert_eq!(rmm.quirks().field, StateField::TwoBits);
    let old = Fresh {
        speaks: 0x1_0000,
        ..NEW
    };
    assert!(matches!(opened(old), Opened::V1_0 { .. }));
    fn is_backend(_: &impl Backend) {}
    is_backend(&rmm);
}

#[test]
fn an_rmm_that_is_active_already_is_taken_if_it_is_configured_alike() {
    let active = Fresh {
        active: true,
        ..NEW
    };
    assert!(matches!(opened(active), Opened::V2_0 { .. }));
    let mute = Fresh {
        config: 1,
        ..active
    };
    assert!(matches!(
        opened(mute),
        Opened::Refused(Refusal::Broken { .. })
    ));
}

#[test]
fn what_cannot_be_served_is_refused_by_name() {
    let refusal = |rmm| match opened(rmm) {
        Opened::Refused(refusal) => format!("{refusal}"),
        _ => panic!("not refused"),
    };
    let released = Fresh {
        knows: RELEASED,
        ..NEW
    };
    assert!(refusal(released).contains("TF-RMM 0.9.0"));
    let newer = Fresh {
        speaks: 0x3_0000,
        ..NEW
    };
    let said = refusal(newer);
    assert!(said.contains("RMI 3.0 to 3.0"), "{said}");
    assert!(said.contains("1.0 and 2.0"), "{said}");
}
