use crate::{Features, MAX_LIVE, Maintenance, MapError, Place, Registers, Size, Tables, Vmids};
use addr::{GRANULE_SIZE, GranuleAddr, Ipa, PhysAddr};
use proptest::prelude::*;
use realm::{Granules, Memory, Undelegated};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;
use std::vec::Vec;

const VALID: u64 = 1;
const FEATURES: Features = Features {
    pa_range: 5,
    vmid16: true,
    fwb: true,
};
const BLOCK: u64 = 2 << 20;
/// Guest RAM as frames of the model: apart from the tables.
const FRAMES: u64 = 0x80_0000_0000;

/// Memory that holds the module's rules against every store.
#[derive(Default)]
struct Model {
    words: HashMap<(u64, usize), u64>,
    next: u64,
    room: usize,
    live: BTreeMap<u64, usize>,
    /// Entries that were valid, until the TLBs are told.
    stale: BTreeSet<(u64, usize)>,
    /// Tables whose zeroes not every CPU sees yet.
    unpublished: BTreeSet<u64>,
    calls: Vec<&'static str>,
}

#[derive(Clone)]
struct Shared(Rc<RefCell<Model>>);

impl Shared {
    fn new(room: usize) -> Self {
        Self(Rc::new(RefCell::new(Model {
            next: 0x4000_0000,
            room,
            ..Model::default()
        })))
    }

    fn take(&self, count: usize) -> Option<Granules<Undelegated>> {
        let mut model = self.0.borrow_mut();
        model.room = model.room.checked_sub(count)?;
        let size = count as u64 * GRANULE_SIZE;
        let base = model.next.next_multiple_of(size);
        model.next = base + size;
        model.live.insert(base, count);
        model
            .unpublished
            .extend((0..count as u64).map(|n| base + n * GRANULE_SIZE));
        Granules::from_allocator(GranuleAddr::from_raw(base).unwrap(), count)
    }

    fn live(&self) -> usize {
        self.0.borrow().live.values().sum()
    }
}

impl Memory for Shared {
    fn alloc(&mut self, count: usize) -> Option<Granules<Undelegated>> {
        self.take(count)
    }

    fn alloc_zeroed(&mut self, count: usize) -> Option<Granules<Undelegated>> {
        self.take(count)
    }

    fn free(&mut self, granules: Granules<Undelegated>) {
        let mut model = self.0.borrow_mut();
        assert!(model.stale.is_empty(), "freed while a TLB may lead to it");
        let base = granules.base().raw();
        if base >= FRAMES {
            return;
        }
        for n in 0..granules.count() as u64 {
            let page = base + n * GRANULE_SIZE;
            // Runs may come back in parts.
            let (first, count) = model
                .live
                .range(..=page)
                .next_back()
                .map(|(a, b)| (*a, *b))
                .unwrap();
            assert!(
                page < first + count as u64 * GRANULE_SIZE,
                "freed twice: {page:#x}"
            );
            model.live.remove(&first);
            for other in 0..count as u64 {
                if first + other * GRANULE_SIZE != page {
                    model.live.insert(first + other * GRANULE_SIZE, 1);
                }
            }
            model.room += 1;
        }
    }

    fn set_aside(&mut self, _: Granules<Undelegated>) {}

    fn write(&mut self, _: GranuleAddr, _: &[u8; GRANULE_SIZE as usize]) {}

    fn put(&mut self, page: GranuleAddr, index: usize, word: u64) {
        let mut model = self.0.borrow_mut();
        let place = (page.raw(), index);
        let old = model.words.insert(place, word).unwrap_or(0);
        if old & VALID != 0 && word & VALID != 0 {
            assert_eq!(old, word, "made before broken");
        }
        if old & VALID != 0 && word & VALID == 0 {
            model.stale.insert(place);
        }
        if word & VALID != 0 {
            assert!(!model.stale.contains(&place), "made before the TLBs forgot");
            let target = word & 0xffff_ffff_f000;
            assert!(
                !model.unpublished.contains(&target),
                "leads to a table not yet published"
            );
        }
    }

    fn get(&self, page: GranuleAddr, index: usize) -> u64 {
        let model = self.0.borrow();
        model.words.get(&(page.raw(), index)).copied().unwrap_or(0)
    }
}

impl Maintenance for Shared {
    fn publish(&mut self) {
        self.0.borrow_mut().unpublished.clear();
    }

    fn forget(&mut self, _: &Registers, _: Ipa) {
        let mut model = self.0.borrow_mut();
        model.stale.clear();
        model.calls.push("forget");
    }

    fn forget_all(&mut self, _: &Registers) {
        let mut model = self.0.borrow_mut();
        model.stale.clear();
        model.calls.push("forget all");
    }

    fn written(&mut self, _: GranuleAddr, _: usize) {}

    fn executable(&mut self, _: GranuleAddr) {}
}

fn frame(index: u64) -> GranuleAddr {
    GranuleAddr::from_raw(FRAMES + index * BLOCK).unwrap()
}

fn tables(memory: &Shared, ipa_bits: u8) -> Tables {
    let vmid = Vmids::new(&FEATURES).take().unwrap();
    let (mut memory, mut maintenance) = (memory.clone(), memory.clone());
    Tables::new(&mut memory, &mut maintenance, ipa_bits, FEATURES, &vmid)
        .unwrap()
        .unwrap()
}

#[test]
fn a_33_bit_space_starts_at_level_2_with_eight_tables() {
    let memory = Shared::new(8);
    let tables = tables(&memory, 33);
    let Registers { vtcr, vttbr } = tables.registers();
    assert_eq!(vtcr & 0x3f, 64 - 33, "T0SZ");
    assert_eq!(vtcr >> 6 & 3, 0, "SL0: level 2");
    assert_eq!(vtcr >> 16 & 7, 5, "PS");
    assert_eq!(vtcr >> 31, 1, "RES1, and no DS");
    assert_eq!(vttbr >> 48, 1, "VMID");
    assert_eq!(vttbr & 0x7fff, 0, "aligned to all of them");
    assert_eq!(memory.live(), 8);
}

#[test]
fn wider_than_the_cpu_is_refused_in_words() {
    let narrow = Features::of_cpu(2, 0, 0);
    let refusal = narrow.geometry(44).unwrap_err();
    assert!(std::format!("{refusal}").contains("lower ipa_bits"));
    assert!(narrow.geometry(40).is_ok());
    // 52 bits of address are 48 without LPA2.
    assert_eq!(Features::of_cpu(6, 2 << 4, 1 << 40).pa_bits(), 48);
}

#[test]
fn what_is_mapped_translates_and_nothing_else() {
    let memory = Shared::new(64);
    let (mut ram, mut tlb) = (memory.clone(), memory.clone());
    let mut tables = tables(&memory, 40);
    let block = Ipa::new(0x4020_0000);
    tables
        .map(&mut ram, &mut tlb, block, frame(3), Size::Block)
        .unwrap();
    let page = Ipa::new(0x80_0000_3000);
    tables
        .map(&mut ram, &mut tlb, page, frame(4), Size::Page)
        .unwrap();
    let at = |ipa| tables.translate(&memory, Ipa::new(ipa));
    assert_eq!(
        at(0x4031_2345),
        Some(PhysAddr::new(frame(3).raw() + 0x11_2345))
    );
    assert_eq!(
        at(0x80_0000_3abc),
        Some(PhysAddr::new(frame(4).raw() + 0xabc))
    );
    assert_eq!(
        (at(0x401f_ffff), at(0x4040_0000), at(0x80_0000_4000)),
        (None, None, None)
    );
    assert_eq!(tables.place(&memory, Ipa::new(1 << 40)), Place::Outside);
    assert_eq!(
        tables.place(&memory, Ipa::new(0x80_0000_0000)),
        Place::Free(Size::Page)
    );
    assert_eq!(
        tables.place(&memory, Ipa::new(0x4000_0000)),
        Place::Free(Size::Block)
    );
}

#[test]
fn unaligned_outside_and_occupied_are_refused() {
    let memory = Shared::new(64);
    let (mut ram, mut tlb) = (memory.clone(), memory.clone());
    let mut tables = tables(&memory, 33);
    let mut map = |ipa, frame, size| tables.map(&mut ram, &mut tlb, Ipa::new(ipa), frame, size);
    assert_eq!(
        map(0x1000, frame(0), Size::Block),
        Err(MapError::BadAddress)
    );
    assert_eq!(
        map(1 << 33, frame(0), Size::Page),
        Err(MapError::BadAddress)
    );
    map(0, frame(0), Size::Block).unwrap();
    assert_eq!(map(0x1000, frame(1), Size::Page), Err(MapError::Occupied));
    map(BLOCK, frame(1), Size::Page).unwrap();
    assert_eq!(map(BLOCK, frame(2), Size::Block), Err(MapError::Occupied));
}

#[test]
fn a_block_is_split_by_break_before_make() {
    let memory = Shared::new(64);
    let (mut ram, mut tlb) = (memory.clone(), memory.clone());
    let mut tables = tables(&memory, 33);
    tables
        .map(&mut ram, &mut tlb, Ipa::new(BLOCK), frame(7), Size::Block)
        .unwrap();
    let page = Ipa::new(BLOCK + 0x5000);
    tables.split(&mut ram, &mut tlb, page).unwrap();
    let taken = tables.unmap(&mut ram, &mut tlb, page).unwrap();
    assert_eq!(
        taken,
        (
            GranuleAddr::from_raw(frame(7).raw() + 0x5000).unwrap(),
            Size::Page
        )
    );
    assert_eq!(tables.translate(&memory, page), None);
    assert!(
        tables
            .translate(&memory, Ipa::new(BLOCK + 0x6000))
            .is_some()
    );
    assert_eq!(memory.0.borrow().calls, ["forget", "forget"]);
    assert_eq!(tables.take_down(&mut ram, &mut tlb), 8 + 1 + 511);
    assert_eq!(memory.live(), 0);
}

#[test]
fn without_memory_for_tables_nothing_is_mapped_and_nothing_leaks() {
    let memory = Shared::new(9);
    let (mut ram, mut tlb) = (memory.clone(), memory.clone());
    let mut tables = tables(&memory, 33);
    tables
        .map(&mut ram, &mut tlb, Ipa::new(0x1000), frame(0), Size::Page)
        .unwrap();
    let ipa = Ipa::new(BLOCK);
    let result = tables.map(&mut ram, &mut tlb, ipa, frame(1), Size::Page);
    assert_eq!(result, Err(MapError::OutOfMemory));
    assert_eq!(tables.take_down(&mut ram, &mut tlb), 10);
    assert_eq!(memory.live(), 0);
}

#[test]
fn a_vmid_in_use_is_never_given_twice() {
    let narrow = Features {
        vmid16: false,
        ..FEATURES
    };
    let mut vmids = Vmids::new(&narrow);
    let mut live: Vec<_> = (0..MAX_LIVE).map(|_| vmids.take().unwrap()).collect();
    assert!(vmids.take().is_none(), "as many as there can be");
    for round in 0..1000usize {
        vmids.free(live.swap_remove(round * 7 % live.len()));
        let vmid = vmids.take().unwrap();
        assert!((1..=0xff).contains(&vmid.raw()));
        assert!(!live.contains(&vmid));
        live.push(vmid);
    }
}

proptest! {
    /// Whatever is mapped, split and unmapped in whatever order: the model's
    /// rules hold, translations are what a map says, and all memory comes back.
    #[test]
    fn tables_are_a_map(steps in prop::collection::vec((0u8..4, 0u64..6, 0u64..4), 1..120)) {
        let memory = Shared::new(200);
        let (mut ram, mut tlb) = (memory.clone(), memory.clone());
        let mut tables = tables(&memory, 39);
        let mut expected: BTreeMap<u64, u64> = BTreeMap::new();
        for (step, block, page) in steps {
            // Blocks of two gigabytes, so that tables above differ.
            let base = block / 2 * (2 << 30) + block % 2 * BLOCK;
            let at = base + page * GRANULE_SIZE;
            let here = frame(block);
            match step {
                0 => if tables.map(&mut ram, &mut tlb, Ipa::new(base), here, Size::Block).is_ok() {
                    for n in 0..512 { expected.insert(base + n * GRANULE_SIZE, here.raw() + n * GRANULE_SIZE); }
                },
                1 => if tables.map(&mut ram, &mut tlb, Ipa::new(at), here, Size::Page).is_ok() {
                    prop_assert_eq!(expected.insert(at, here.raw()), None);
                },
                2 => { let _ = tables.split(&mut ram, &mut tlb, Ipa::new(at)); }
                _ => if let Some((_, size)) = tables.unmap(&mut ram, &mut tlb, Ipa::new(at)) {
                    let first = at & !(size.bytes() - 1);
                    for n in 0..size.pages() as u64 { expected.remove(&(first + n * GRANULE_SIZE)).unwrap(); }
                },
            }
        }
        for block in 0..6u64 {
            for n in 0..512 {
                let ipa = block / 2 * (2 << 30) + block % 2 * BLOCK + n * GRANULE_SIZE;
                let found = tables.translate(&memory, Ipa::new(ipa)).map(PhysAddr::raw);
                prop_assert_eq!(found, expected.get(&ipa).copied());
            }
        }
        tables.take_down(&mut ram, &mut tlb);
        prop_assert_eq!(memory.live(), 0);
    }
}
