//! A Realm against an RMM that answers anything.
//!
//! Its life on an RMM that works is tested in `tests/contract`, on the RMM core
//! itself; here nothing the RMM says may hurt the host.

use crate::intent::Backend;
use crate::*;
use addr::{GRANULE_SIZE, GranuleAddr, Ipa, IpaRange, PhysAddr, PhysRange};
use conduit::{Conduit, Regs};
use core::cell::{Cell, RefCell};
use core::sync::atomic::AtomicU16;
use rmi::client::{Contents, Rmi};
use rmi::rtt::{IpaSpace, Ripas};
use rmi::v1_0::{Command, HashAlgo};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::vec::Vec;

extern crate std;

pub(crate) const RAM: u64 = 0x8000_0000;
pub(crate) const RAM_PAGES: u64 = 0x4000;

/// Words of pages, as host and RMM see them.
pub(crate) type Words = Rc<RefCell<BTreeMap<(u64, usize), u64>>>;

/// A Realm of 16 MiB with a measured and an unmeasured image.
pub(crate) fn spec() -> RealmSpec {
    let image = |ipa, source, pages, contents| Image {
        ipa: Ipa::new(ipa),
        source: GranuleAddr::from_raw(source).unwrap(),
        pages,
        contents,
    };
    let images = [
        image(0x4000_0000, 0x6000_0000, 600, Contents::Measured),
        image(0x4080_0000, 0x6100_0000, 3, Contents::Unmeasured),
    ];
    RealmSpec {
        vmid: 1,
        ipa: IpaSpace::new(33).unwrap(),
        start_level: 2,
        start_tables: 8,
        hash: HashAlgo::Sha256,
        num_bps: 1,
        num_wps: 1,
        rpv: [0; 64],
        ram: IpaRange::new(Ipa::new(0x4000_0000), Ipa::new(0x4100_0000)).unwrap(),
        images: images.into_iter().collect(),
        vcpus: 1,
        pc: Ipa::new(0x4000_0000),
        gprs: [0; 8],
        populate: Populate::Block,
        ram_requests: RamRequests::Accept,
    }
}

/// Memory that notices every granule freed twice or never given out.
#[derive(Default)]
pub(crate) struct Pool {
    pub(crate) free: BTreeSet<u64>,
    out: BTreeSet<u64>,
    aside: BTreeSet<u64>,
    pub(crate) words: Words,
}

impl Pool {
    pub(crate) fn new() -> Self {
        Self {
            free: (0..RAM_PAGES).collect(),
            ..Self::default()
        }
    }

    fn take_back(&mut self, run: &Granules<Undelegated>) -> core::ops::Range<u64> {
        let first = (run.base().raw() - RAM) / GRANULE_SIZE;
        let pages = first..first + run.count() as u64;
        for page in pages.clone() {
            assert!(self.out.remove(&page), "page {page} was not given out");
        }
        pages
    }
}

impl Memory for Pool {
    fn alloc(&mut self, count: usize) -> Option<Granules<Undelegated>> {
        let count = count as u64;
        let fits = |first: &u64| (*first..*first + count).all(|page| self.free.contains(&page));
        let first = self
            .free
            .iter()
            .copied()
            .filter(|page| page % count == 0)
            .find(fits)?;
        for page in first..first + count {
            self.free.remove(&page);
            self.out.insert(page);
        }
        let base = GranuleAddr::from_raw(RAM + first * GRANULE_SIZE).unwrap();
        Granules::from_allocator(base, count as usize)
    }

    fn alloc_zeroed(&mut self, count: usize) -> Option<Granules<Undelegated>> {
        self.alloc(count)
    }

    fn free(&mut self, granules: Granules<Undelegated>) {
        for page in self.take_back(&granules) {
            self.free.insert(page);
        }
    }

    fn set_aside(&mut self, granules: Granules<Undelegated>) {
        for page in self.take_back(&granules) {
            self.aside.insert(page);
        }
    }

    fn write(&mut self, page: GranuleAddr, _: &[u8; 4096]) {
        let page = (page.raw() - RAM) / GRANULE_SIZE;
        assert!(
            self.out.contains(&page),
            "write to page {page} not given out"
        );
    }

    fn put(&mut self, page: GranuleAddr, index: usize, word: u64) {
        assert!(index < 512, "word {index} is outside a page");
        self.words.borrow_mut().insert((page.raw(), index), word);
    }

    fn get(&self, page: GranuleAddr, index: usize) -> u64 {
        let words = self.words.borrow();
        words.get(&(page.raw(), index)).copied().unwrap_or(0)
    }
}

pub(crate) struct Random(Cell<u64>);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Cell::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1))
    }

    pub(crate) fn next(&self) -> u64 {
        let mut x = self.0.get();
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        self.0.set(x);
        x >> 8
    }

    pub(crate) fn below(&self, bound: u64) -> u64 {
        self.next() % bound
    }
}

/// Says yes to everything, with outputs that fit what it was told – and, as
/// often as asked, with any status or any output instead.
struct Liar {
    random: Random,
    lies_per_1000: u64,
    calls: Cell<u64>,
    seen: RefCell<BTreeMap<(Command, u64), u64>>,
}

impl Liar {
    fn new(seed: u64, lies_per_1000: u64) -> Self {
        Self {
            random: Random::new(seed),
            lies_per_1000,
            calls: Cell::new(0),
            seen: RefCell::default(),
        }
    }

    fn obliging(&self, regs: Regs) -> Regs {
        let [_, x1, x2, x3, ..] = regs.0;
        let mut seen = self.seen.borrow_mut();
        let mut out = [0; 8];
        match Command::from_fid(regs.fid()) {
            Some(Command::DataCreate | Command::DataCreateUnknown) => {
                seen.insert((Command::DataCreate, x3), x2);
            }
            Some(Command::DataDestroy) => {
                out[1] = seen.remove(&(Command::DataCreate, x2)).unwrap_or(0);
            }
            Some(Command::RttCreate) => {
                seen.insert((Command::RttCreate, x3), x2);
            }
            Some(Command::RttDestroy | Command::RttFold) => {
                out[1] = seen.remove(&(Command::RttCreate, x2)).unwrap_or(0);
            }
            Some(Command::RttInitRipas) => out[1] = x3,
            Some(Command::RttSetRipas) => out[1] = regs.0[4],
            Some(Command::RecAuxCount) => out[1] = 16,
            _ => {
                let _ = x1;
            }
        }
        Regs(out)
    }

    fn lie(&self, honest: Regs) -> Regs {
        let mut out = honest.0;
        let statuses = [
            0,
            1,
            2,
            0x102,
            3,
            0x204,
            0x304,
            0x104,
            0xff04,
            0x704,
            5,
            13,
            u64::MAX,
        ];
        out[0] = statuses[self.random.below(statuses.len() as u64) as usize];
        for slot in &mut out[1..5] {
            *slot = match self.random.below(5) {
                0 => *slot,
                1 => RAM + self.random.below(RAM_PAGES) * GRANULE_SIZE,
                2 => 0x4000_0000 + self.random.below(0x1000) * GRANULE_SIZE,
                3 => self.random.below(20),
                _ => self.random.next(),
            };
        }
        Regs(out)
    }
}

impl Conduit for Liar {
    fn call(&self, regs: Regs) -> Regs {
        self.calls.set(self.calls.get() + 1);
        let honest = self.obliging(regs);
        if self.random.below(1000) < self.lies_per_1000 {
            self.lie(honest)
        } else {
            honest
        }
    }
}

/// What a run against a [`Liar`] left behind.
pub(crate) struct Outcome {
    pub(crate) built: bool,
    calls: u64,
    pub(crate) kept: u64,
    pub(crate) pool: Pool,
}

/// Builds a Realm, lets it fault and convert at random, takes it down.
fn live(seed: u64, lies_per_1000: u64, populate: Populate) -> Outcome {
    let rmm = Rmi::new(Liar::new(seed, lies_per_1000));
    let random = Random::new(seed + 1);
    let outcome = live_on(&rmm, &random, Pool::new(), populate);
    Outcome {
        calls: rmm.conduit().calls.get(),
        ..outcome
    }
}

/// The same on any RMM.
pub(crate) fn live_on(
    rmm: &impl Backend,
    random: &Random,
    mut pool: Pool,
    populate: Populate,
) -> Outcome {
    let table: Vec<AtomicU16> = (0..RAM_PAGES).map(|_| AtomicU16::new(0)).collect();
    let bank = PhysRange::with_size(PhysAddr::new(RAM), RAM_PAGES * GRANULE_SIZE).unwrap();
    let ledger = Ledger::new(&[bank], &table).unwrap();
    let mut regions = [Region::default(); 8];
    let spec = RealmSpec { populate, ..spec() };
    let vm = VmId::new(1).unwrap();
    let mut realm = Realm::new(rmm, &ledger, vm, spec, &mut regions).unwrap();
    let built = realm.build(&mut pool, &mut |_| {}).is_ok();
    if built {
        for _ in 0..random.below(40) {
            act(&mut realm, &mut pool, random);
        }
        realm.stop();
        let _ = realm.teardown(&mut pool);
    }
    assert_eq!(realm.state(), State::Dead);
    let held: BTreeSet<u64> = ledger
        .held()
        .map(|(granule, owner)| {
            assert_eq!(owner.kind, Kind::Quarantined, "{granule}: {owner}");
            (granule.raw() - RAM) / GRANULE_SIZE
        })
        .collect();
    // Every granule is free, set aside or quarantined, and in one place only.
    assert_eq!(pool.out, held);
    assert_eq!(ledger.counts().outstanding, held.len() as u64);
    Outcome {
        built,
        calls: 0,
        kept: held.len() as u64,
        pool,
    }
}

fn act<B: Backend>(realm: &mut Realm<'_, B>, pool: &mut Pool, random: &Random) {
    let page = |bound: u64| Ipa::new(0x3ff0_0000 + random.below(bound) * GRANULE_SIZE);
    match random.below(4) {
        0 => {
            let _ = realm.populate_on_fault(pool, page(0x1200));
        }
        1 => {
            let ipa = Ipa::new(page(0x1200).raw() | 1 << 32);
            let _ = realm.share_on_fault(pool, ipa);
        }
        _ => {
            let (a, b) = (page(0x1200), page(0x1200));
            let ripas = match random.below(3) {
                0 => Ripas::Ram,
                _ => Ripas::Empty,
            };
            let _ = realm.ripas_change(pool, 0, a.min(b), a.max(b), ripas);
        }
    }
}

#[test]
fn an_rmm_that_obliges_gets_everything_back_to_the_host() {
    for seed in 1..20 {
        for populate in [Populate::Block, Populate::Page] {
            let outcome = live(seed, 0, populate);
            assert!(outcome.built);
            assert_eq!(outcome.kept, 0);
            assert_eq!(outcome.pool.free.len() as u64, RAM_PAGES);
            assert!(outcome.pool.aside.is_empty());
        }
    }
}

#[test]
fn no_answer_of_an_rmm_loses_a_granule_or_loops() {
    let mut built = 0;
    for seed in 1..60 {
        for lies in [1, 10, 300, 1000] {
            let outcome = live(seed, lies, Populate::Block);
            built += u64::from(outcome.built);
            // 16 MiB are 4,096 pages of four calls, and some may come twice.
            assert!(
                outcome.calls < 60_000,
                "seed {seed}: {} calls",
                outcome.calls
            );
        }
    }
    assert!(built > 20, "too few lives got past building: {built}");
}

#[test]
fn an_rmm_that_supports_nothing_costs_a_few_calls() {
    struct Deaf;
    impl Conduit for Deaf {
        fn call(&self, _: Regs) -> Regs {
            Regs([u64::MAX; 8])
        }
    }
    let table: Vec<AtomicU16> = (0..RAM_PAGES).map(|_| AtomicU16::new(0)).collect();
    let bank = PhysRange::with_size(PhysAddr::new(RAM), RAM_PAGES * GRANULE_SIZE).unwrap();
    let ledger = Ledger::new(&[bank], &table).unwrap();
    let rmm = Rmi::new(Deaf);
    let mut regions = [Region::default(); 8];
    let mut pool = Pool::new();
    let vm = VmId::new(1).unwrap();
    let mut realm = Realm::new(&rmm, &ledger, vm, spec(), &mut regions).unwrap();
    let error = realm.build(&mut pool, &mut |_| {}).unwrap_err();
    assert_eq!(error.step, Step::Create);
    assert_eq!(
        std::format!("{error}"),
        "creating the Realm failed: the RMM answered NOT_SUPPORTED"
    );
    assert_eq!(rmm.calls().total(), 1);
    assert_eq!(pool.free.len() as u64, RAM_PAGES);
}

#[test]
fn a_realm_is_taken_down_in_short_steps_that_tell_of_all_that_came_back() {
    let table: Vec<AtomicU16> = (0..RAM_PAGES).map(|_| AtomicU16::new(0)).collect();
    let bank = PhysRange::with_size(PhysAddr::new(RAM), RAM_PAGES * GRANULE_SIZE).unwrap();
    let ledger = Ledger::new(&[bank], &table).unwrap();
    let rmm = Rmi::new(Liar::new(1, 0));
    let mut regions = [Region::default(); 8];
    let mut pool = Pool::new();
    let vm = VmId::new(1).unwrap();
    let mut realm = Realm::new(&rmm, &ledger, vm, spec(), &mut regions).unwrap();
    realm.build(&mut pool, &mut |_| {}).unwrap();
    // Blocks, tables and regions of which little is there.
    for ipa in [0x4060_0000, 0x40a0_0000, 0x40e0_1000] {
        realm.populate_on_fault(&mut pool, Ipa::new(ipa)).unwrap();
    }
    let (base, top) = (Ipa::new(0x40c0_0000), Ipa::new(0x40e0_0000));
    realm
        .ripas_change(&mut pool, 0, base, top, Ripas::Empty)
        .unwrap();
    realm.stop();
    let held = ledger.counts().outstanding;
    assert!(held > 3 * 512);
    let mut longest = 0;
    let done = loop {
        let before = rmm.calls().total();
        let done = realm.dismantle(&mut pool);
        longest = longest.max(rmm.calls().total() - before);
        match done {
            Some(done) => break done,
            None => assert_eq!(realm.state(), State::Dying),
        }
        // Its neighbours may still send it frames, for which it needs memory.
        let (private, alias) = (Ipa::new(0x4040_0000), Ipa::new(0x1_40c0_0000));
        assert!(realm.populate_on_fault(&mut pool, private).is_err());
        assert!(realm.share_on_fault(&mut pool, alias).is_err());
    };
    // Each page takes two calls; a table is split, destroyed and undelegated.
    assert!(longest <= 2 * 64 + 8, "{longest} calls in one step");
    assert_eq!((done.returned, done.kept), (held, 0));
    assert_eq!(realm.state(), State::Dead);
    assert_eq!(pool.free.len() as u64, RAM_PAGES);
}

#[test]
fn ram_the_rmm_refuses_is_set_aside_and_other_ram_used() {
    /// Refuses to delegate the first 2 MiB.
    struct Picky(Liar);
    impl Conduit for Picky {
        fn call(&self, regs: Regs) -> Regs {
            match Command::from_fid(regs.fid()) {
                Some(Command::GranuleDelegate) if regs.0[1] < RAM + 0x20_0000 => {
                    Regs([1, 0, 0, 0, 0, 0, 0, 0])
                }
                _ => self.0.call(regs),
            }
        }
    }
    let table: Vec<AtomicU16> = (0..RAM_PAGES).map(|_| AtomicU16::new(0)).collect();
    let bank = PhysRange::with_size(PhysAddr::new(RAM), RAM_PAGES * GRANULE_SIZE).unwrap();
    let ledger = Ledger::new(&[bank], &table).unwrap();
    let rmm = Rmi::new(Picky(Liar::new(1, 0)));
    let mut regions = [Region::default(); 8];
    let mut pool = Pool::new();
    let vm = VmId::new(1).unwrap();
    let mut realm = Realm::new(&rmm, &ledger, vm, spec(), &mut regions).unwrap();
    realm.build(&mut pool, &mut |_| {}).unwrap();
    assert_eq!(realm.state(), State::Active);
    let report = realm.teardown(&mut pool);
    assert_eq!(report.kept, 0);
    assert!(!pool.aside.is_empty());
    assert!(pool.aside.iter().all(|page| *page < 512));
    assert_eq!(pool.aside.len() + pool.free.len(), RAM_PAGES as usize);
}

#[test]
fn a_description_that_does_not_fit_is_refused_with_its_reason() {
    type Change = fn(&mut RealmSpec);
    let cases: [(Change, &str); 8] = [
        (|s| s.images[1].ipa = Ipa::new(0x4000_1000), "overlaps"),
        (|s| s.images[1].ipa = Ipa::new(0x40ff_e000), "inside RAM"),
        (|s| s.images[0].ipa = Ipa::new(0x4000_0800), "4 KiB aligned"),
        (|s| s.start_tables = 4, "do not span"),
        (|s| s.start_level = 0, "do not span"),
        (|s| s.vcpus = 17, "1 to 16"),
        (|s| s.num_bps = 0, "breakpoints"),
        (
            |s| s.ram = IpaRange::new(Ipa::new(0xf000_0000), Ipa::new(0x1_1000_0000)).unwrap(),
            "protected half",
        ),
    ];
    for (change, reason) in cases {
        let mut spec = spec();
        change(&mut spec);
        let error = std::format!("{}", spec.check().unwrap_err());
        assert!(error.contains(reason), "{error}");
    }
    spec().check().unwrap();
}

#[test]
fn what_the_rmm_lacks_is_named() {
    use rmi::features::{Features0, Features0Fields};
    let offer = Features0Fields {
        s2sz: 48,
        num_bps: 5,
        num_wps: 3,
        hash_sha_256: true,
        max_recs_order: 4,
        ..Default::default()
    };
    spec().fits(Features0::from(offer)).unwrap();
    let narrow = Features0Fields { s2sz: 32, ..offer };
    assert_eq!(
        spec().fits(Features0::from(narrow)),
        Err(SpecError::Unsupported(Lacking::IpaBits(33)))
    );
    let mut spec = spec();
    spec.hash = HashAlgo::Sha512;
    assert!(spec.fits(Features0::from(offer)).is_err());
}
