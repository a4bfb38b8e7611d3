//! The memory of a plain VM, over a memory that counts.

use crate::{GuestMemory, MemoryError, Spec};
use addr::{GRANULE_SIZE, GranuleAddr, Ipa, IpaRange, PhysAddr};
use realm::rim::PageSource;
use realm::{Granules, Memory, Undelegated};
use stage2::{Features, Maintenance, Registers, Vmids};
use std::collections::HashMap;
use std::vec::Vec;
use vm_config::{Name, Populate, RealmSettings, Region, RegionKind, VmKind, VmPlan};

const RAM: u64 = 0x4000_0000;
const BUNDLE: PhysAddr = PhysAddr::new(0x10_0000);
const PAGE: u64 = GRANULE_SIZE;
const FEATURES: Features = Features {
    pa_range: 5,
    vmid16: true,
    fwb: true,
};

/// Memory by pages of words; pages that were never written are zero.
struct Pool {
    words: HashMap<(u64, usize), u64>,
    next: u64,
    room: usize,
    /// Runs this long are not to be had.
    longest: usize,
    out: usize,
}

impl Pool {
    fn new(room: usize) -> Self {
        Self {
            words: HashMap::new(),
            next: 0x8000_0000,
            room,
            longest: 512,
            out: 0,
        }
    }
}

impl Memory for Pool {
    fn alloc(&mut self, count: usize) -> Option<Granules<Undelegated>> {
        if count > self.longest {
            return None;
        }
        self.room = self.room.checked_sub(count)?;
        self.out += count;
        let base = self.next.next_multiple_of(count as u64 * PAGE);
        self.next = base + count as u64 * PAGE;
        Granules::from_allocator(GranuleAddr::from_raw(base).unwrap(), count)
    }

    fn alloc_zeroed(&mut self, count: usize) -> Option<Granules<Undelegated>> {
        self.alloc(count)
    }

    fn free(&mut self, granules: Granules<Undelegated>) {
        self.room += granules.count();
        self.out -= granules.count();
    }

    fn set_aside(&mut self, _: Granules<Undelegated>) {}

    fn write(&mut self, page: GranuleAddr, bytes: &[u8; PAGE as usize]) {
        for (index, word) in bytes.chunks_exact(8).enumerate() {
            let word = u64::from_le_bytes(word.try_into().unwrap());
            self.words.insert((page.raw(), index), word);
        }
    }

    fn put(&mut self, page: GranuleAddr, index: usize, word: u64) {
        self.words.insert((page.raw(), index), word);
    }

    fn get(&self, page: GranuleAddr, index: usize) -> u64 {
        self.words.get(&(page.raw(), index)).copied().unwrap_or(0)
    }
}

#[derive(Default)]
struct Caches {
    executable: Vec<u64>,
    forgotten: usize,
}

impl Maintenance for Caches {
    fn publish(&mut self) {}
    fn forget(&mut self, _: &Registers, _: Ipa) {}
    fn forget_all(&mut self, _: &Registers) {
        self.forgotten += 1;
    }
    fn written(&mut self, _: GranuleAddr, _: usize) {}
    fn executable(&mut self, page: GranuleAddr) {
        self.executable.push(page.raw());
    }
}

/// A bundle whose every page says in each byte which it is.
struct Pages(Vec<[u8; PAGE as usize]>);

impl PageSource for Pages {
    fn page(&self, source: GranuleAddr) -> Option<&[u8; PAGE as usize]> {
        let offset = source.address().offset_from(BUNDLE)?;
        self.0.get((offset / PAGE) as usize)
    }
}

fn pages(count: u8) -> Pages {
    Pages((0..count).map(|n| [n; PAGE as usize]).collect())
}

fn plan(populate: Populate) -> VmPlan {
    let region = |kind, at: u64, pages: u64, offset| Region {
        kind,
        range: IpaRange::with_size(Ipa::new(RAM + at), pages * PAGE).unwrap(),
        offset,
        measured: false,
    };
    VmPlan {
        name: Name::try_from("vm").unwrap(),
        kind: VmKind::Normal,
        vcpus: 1,
        memory: IpaRange::with_size(Ipa::new(RAM), 8 << 20).unwrap(),
        ipa_bits: 33,
        entry: Ipa::new(RAM),
        x0: 0,
        restarts: 0,
        populate,
        realm: RealmSettings::new(33).unwrap(),
        regions: [
            region(RegionKind::Payload, 0, 3, 0x1000),
            region(RegionKind::Dtb, 4 << 20, 1, 0x4000),
        ]
        .into_iter()
        .collect(),
        cpus: Default::default(),
        devices: Default::default(),
    }
}

struct Vm {
    memory: GuestMemory,
    pool: Pool,
    caches: Caches,
}

impl Vm {
    fn new(populate: Populate, room: usize) -> Self {
        Self {
            memory: GuestMemory::new(Spec::of_plan(&plan(populate), BUNDLE).unwrap()),
            pool: Pool::new(room),
            caches: Caches::default(),
        }
    }

    fn build(&mut self, pages: &Pages) -> Result<(), MemoryError> {
        let vmid = Vmids::new(&FEATURES).take().unwrap();
        let Self {
            memory,
            pool,
            caches,
        } = self;
        memory.create(pool, caches, FEATURES, &vmid)?;
        // Two at a time, so that steps end inside an image and between two.
        for _ in 0..10 {
            if memory.advance(pool, caches, pages, 2)?.ready {
                return Ok(());
            }
        }
        panic!("never ready");
    }

    fn populate(&mut self, ipa: u64) -> Result<usize, MemoryError> {
        let Self {
            memory,
            pool,
            caches,
        } = self;
        memory.populate_on_fault(pool, caches, Ipa::new(ipa))
    }

    fn word(&self, ipa: u64) -> Option<u64> {
        let at = self.memory.translate(&self.pool, Ipa::new(ipa))?;
        let page = GranuleAddr::containing(at);
        Some(self.pool.get(page, (at.raw() % PAGE / 8) as usize))
    }

    fn teardown(&mut self) -> u64 {
        let Self {
            memory,
            pool,
            caches,
        } = self;
        memory.teardown(pool, caches).returned
    }
}

#[test]
fn images_are_copied_where_they_belong_and_may_be_executed() {
    for populate in [Populate::Blocks, Populate::Granules] {
        let mut vm = Vm::new(populate, 2000);
        vm.build(&pages(5)).unwrap();
        for (ipa, byte) in [(0, 1), (PAGE, 2), (2 * PAGE, 3), (4 << 20, 4)] {
            let word = u64::from_le_bytes([byte; 8]);
            assert_eq!(vm.word(RAM + ipa + 0xff8), Some(word), "{ipa:#x}");
            let at = vm.memory.translate(&vm.pool, Ipa::new(RAM + ipa)).unwrap();
            assert!(vm.caches.executable.contains(&at.raw()));
        }
        assert_eq!(vm.caches.executable.len(), 4);
    }
}

#[test]
fn a_fault_brings_a_block_or_a_page_once() {
    for (populate, count) in [(Populate::Blocks, 512), (Populate::Granules, 1)] {
        let mut vm = Vm::new(populate, 4000);
        vm.build(&pages(5)).unwrap();
        let ipa = RAM + (2 << 20) + 0x5008;
        assert_eq!(vm.populate(ipa), Ok(count));
        assert_eq!(vm.populate(ipa), Ok(0), "another vCPU was faster");
        assert_eq!(vm.word(ipa), Some(0));
    }
}

#[test]
fn where_no_block_is_to_be_had_pages_do() {
    let mut vm = Vm::new(Populate::Blocks, 4000);
    vm.pool.longest = 8;
    vm.build(&pages(5)).unwrap();
    vm.pool.longest = 512;
    assert_eq!(
        vm.populate(RAM + 3 * PAGE),
        Ok(1),
        "its neighbours are pages"
    );
    assert_eq!(vm.populate(RAM + (2 << 20)), Ok(512));
}

#[test]
fn what_is_no_ram_is_not_brought() {
    let mut vm = Vm::new(Populate::Blocks, 4000);
    assert!(vm.populate(RAM).is_err(), "not built yet");
    vm.build(&pages(5)).unwrap();
    for ipa in [0, RAM - 1, RAM + (8 << 20), 1 << 33, u64::MAX] {
        assert_eq!(vm.populate(ipa), Err(MemoryError::NotRam(Ipa::new(ipa))));
    }
}

#[test]
fn whatever_was_built_comes_back_and_can_be_built_again() {
    // Memory runs out at every point of building and populating that differs.
    let around = |blocks: usize| (blocks * 512).saturating_sub(4)..blocks * 512 + 16;
    for room in (0..4).flat_map(around) {
        let mut vm = Vm::new(Populate::Blocks, room);
        for _ in 0..2 {
            if vm.build(&pages(5)).is_ok() {
                let _ = vm.populate(RAM + (6 << 20));
            }
            let out = vm.pool.out as u64;
            assert_eq!(vm.teardown(), out, "with {room} pages");
            assert_eq!((vm.pool.out, vm.pool.room), (0, room));
        }
        assert_eq!(vm.teardown(), 0, "twice is as good as once");
    }
}

#[test]
fn contents_that_the_bundle_lacks_are_an_error() {
    let mut vm = Vm::new(Populate::Blocks, 2000);
    let error = vm.build(&pages(3)).unwrap_err();
    assert!(matches!(error, MemoryError::NoContents(_)), "{error}");
    vm.teardown();
    assert_eq!(vm.pool.out, 0);
}

#[test]
fn a_thousand_lives_leave_nothing_behind() {
    let mut vm = Vm::new(Populate::Blocks, 4000);
    for life in 0..1000 {
        vm.build(&pages(5)).unwrap();
        for block in 0..life % 4 {
            vm.populate(RAM + (block << 21)).unwrap();
        }
        assert_eq!(
            vm.word(RAM),
            Some(u64::from_le_bytes([1; 8])),
            "life {life}"
        );
        vm.teardown();
        assert_eq!((vm.pool.out, vm.pool.room), (0, 4000), "life {life}");
    }
}
