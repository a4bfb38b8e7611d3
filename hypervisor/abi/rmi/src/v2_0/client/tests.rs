use super::*;
use crate::client::{Absurd, Contents, PsciAnswer, RmiError};
use crate::rtt::UnprotectedAttr;
use crate::v2_0::range::{Access, BlockSize, LIST_ENTRIES, ListPage, MemState, Oaddr, RangeDesc};
use crate::v2_0::sro::{Held, Reserve};
use crate::v2_0::{Command, MemRequest, Status};
use addr::{GranuleAddr, Ipa, PhysAddr};
use conduit::{Conduit, Regs};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::string::ToString;
use std::vec::Vec;

extern crate std;

/// Answers in turn, the last answer forever, and remembers what it was asked.
struct Script {
    answers: RefCell<VecDeque<Vec<u64>>>,
    calls: RefCell<Vec<[u64; 8]>>,
}

impl Conduit for Script {
    fn call(&self, regs: Regs) -> Regs {
        self.calls.borrow_mut().push(regs.0);
        let mut answers = self.answers.borrow_mut();
        let answer = if answers.len() > 1 {
            answers.pop_front().unwrap()
        } else {
            answers[0].clone()
        };
        let mut out = [0; 8];
        out[..answer.len()].copy_from_slice(&answer);
        Regs(out)
    }
}

fn rmm(answers: &[&[u64]]) -> Rmi<Script> {
    Rmi::new(Script {
        answers: RefCell::new(answers.iter().map(|answer| answer.to_vec()).collect()),
        calls: RefCell::default(),
    })
}

fn asked(rmi: &Rmi<Script>) -> Vec<Vec<u64>> {
    let calls = rmi.conduit().calls.borrow();
    calls.iter().map(|call| call[..6].to_vec()).collect()
}

struct Page([u64; LIST_ENTRIES]);

impl ListPage for Page {
    fn page(&self) -> GranuleAddr {
        granule(0x7000)
    }
    fn put(&mut self, index: usize, raw: u64) {
        self.0[index] = raw;
    }
    fn get(&self, index: usize) -> u64 {
        self.0[index]
    }
}

fn granule(raw: u64) -> GranuleAddr {
    GranuleAddr::from_raw(raw).unwrap()
}

fn block(base: u64) -> RangeDesc {
    RangeDesc::new(granule(base), BlockSize::Size2M, 2, MemState::Delegated).unwrap()
}

const RD: u64 = 0x8000_0000;
const MORE: u64 = 13;

fn ipa(raw: u64) -> Ipa {
    Ipa::new(raw)
}

#[test]
fn arguments_stand_in_the_registers_of_the_specification() {
    let rmi = rmm(&[&[0, 0x60_0000]]);
    let (rd, base, top) = (granule(RD), ipa(0x20_0000), ipa(0x60_0000));
    let desc = block(0x9000_0000);
    rmi.rtt_data_map(rd, base, top, Oaddr::Single(Some(desc)))
        .unwrap();
    let shared = Oaddr::List {
        page: granule(0x7000),
        entries: 5,
    };
    rmi.rtt_unprot_map(
        rd,
        base,
        top,
        shared,
        UnprotectedAttr::WriteBack,
        Access::ReadWrite,
    )
    .unwrap();
    rmi.rtt_data_map_init(
        rd,
        granule(0x1000),
        ipa(0x2000),
        granule(0x3000),
        Contents::Measured,
    )
    .unwrap();
    rmi.psci_complete_target(granule(0x1000), granule(0x2000), PsciAnswer::Denied)
        .unwrap();
    rmi.psci_complete(granule(0x1000), PsciAnswer::Success)
        .unwrap();
    let expected = [
        [
            0xc400_01f5,
            RD,
            0x20_0000,
            0x60_0000,
            1,
            0x9000_0000 | 2 << 2 | 1,
        ],
        [
            0xc400_01fb,
            RD,
            0x20_0000,
            0x60_0000,
            2 | 5 << 2 | 6 << 16 | 3 << 19,
            0x7000,
        ],
        [0xc400_0153, RD, 0x1000, 0x2000, 0x3000, 1],
        [0xc400_0164, 0x1000, 0x2000, -3i64 as u64, 0, 0],
        [0xc400_0164, 0x1000, 0, 0, 0, 0],
    ];
    assert_eq!(asked(&rmi), expected);
}

#[test]
fn a_range_is_delegated_in_as_many_calls_as_it_takes() {
    let rmi = rmm(&[&[0, 0x2000], &[10], &[14], &[0, 0x5000], &[1, 0x5000]]);
    assert_eq!(rmi.delegate(granule(0x1000), 8), (4, Err(RmiError::Input)));
    let bases: Vec<_> = asked(&rmi).iter().map(|call| call[1]).collect();
    assert_eq!(bases, [0x1000, 0x2000, 0x2000, 0x2000, 0x5000]);
    assert_eq!(rmi.calls().of_v2_0(Command::GranuleRangeDelegate), 5);
}

#[test]
fn progress_that_cannot_be_is_an_error() {
    for out in [0, 0x1000, 0x1001, 0xa000, u64::MAX] {
        let absurd = Err(RmiError::Absurd {
            what: Absurd::Progress,
            value: out,
        });
        let rmi = rmm(&[&[0, out]]);
        assert_eq!(rmi.delegate(granule(0x1000), 8), (0, absurd));
        let (rd, base, top) = (granule(RD), ipa(0x1000), ipa(0x9000));
        assert_eq!(rmi.rtt_init_ripas(rd, base, top), absurd.map(|()| base));
        let blocked = rmi.rtt_data_unmap(rd, base, top, Oaddr::None).unwrap_err();
        assert_eq!(Err(blocked.error), absurd);
    }
}

#[test]
fn what_was_unmapped_must_fit_where_it_was() {
    let (rd, base, top) = (granule(RD), ipa(0), ipa(0x40_0000));
    let two_blocks = block(0x9000_0000).encode(Default::default());
    let unmap = |answer: &[u64], how| rmm(&[answer]).rtt_data_unmap(rd, base, top, how);
    let single = Oaddr::Single(None);
    let unmapped = unmap(&[0, 0x40_0000, two_blocks], single).unwrap();
    assert_eq!(unmapped.range, Some(block(0x9000_0000)));
    assert_eq!(unmap(&[0, 0x40_0000, 0], single).unwrap().range, None);
    let blocked = unmap(&[0, 0x20_0000, two_blocks], single).unwrap_err();
    assert!(matches!(
        blocked.error,
        RmiError::Absurd {
            what: Absurd::Range,
            ..
        }
    ));
    let list = Oaddr::List {
        page: granule(0x7000),
        entries: 2,
    };
    assert_eq!(unmap(&[0, 0x1000, 0, 2], list).unwrap().entries, 2);
    assert!(unmap(&[0, 0x1000, 0, 3], list).is_err());
    // A hole: the late flavour says where it ends, the early one nothing.
    let blocked = unmap(&[0x204, 0x20_0000], single).unwrap_err();
    assert_eq!(blocked.error, RmiError::Rtt { level: 2 });
    assert_eq!(blocked.top, Some(ipa(0x20_0000)));
    assert_eq!(unmap(&[0x204, 0], single).unwrap_err().top, None);
    assert_eq!(unmap(&[0x204, 0x80_0000], single).unwrap_err().top, None);
}

#[test]
fn a_command_the_rmm_interrupts_is_continued() {
    let rmi = rmm(&[&[MORE, 9], &[10], &[MORE, 77], &[0, 0x3000]]);
    let (rd, base, top) = (granule(RD), ipa(0x1000), ipa(0x9000));
    let unmapped = rmi.rtt_data_unmap(rd, base, top, Oaddr::None).unwrap();
    assert_eq!(unmapped.top, ipa(0x3000));
    let continued = [0xc400_0203, 9, 0, 0, 0, 0];
    assert_eq!(asked(&rmi)[1..], [continued; 3]);
}

#[test]
fn a_command_that_wants_memory_nobody_provides_is_cancelled_or_given_up() {
    let cannot = Status::Incomplete {
        request: MemRequest::Reclaim,
        can_cancel: false,
    };
    let can = Status::Incomplete {
        request: MemRequest::Donate,
        can_cancel: true,
    };
    for (first, calls) in [(cannot, 1), (can, 2)] {
        let rmi = rmm(&[&[first.raw(), 9, 4 << 2], &[1]]);
        let error = rmi.realm_create(granule(RD), granule(0x1000)).unwrap_err();
        assert!(
            matches!(
                error,
                RmiError::Absurd {
                    what: Absurd::Operation,
                    ..
                }
            ),
            "{error}"
        );
        assert_eq!(asked(&rmi).len(), calls);
    }
}

#[test]
fn an_rmm_that_is_always_busy_is_an_error_in_the_end() {
    let rmi = rmm(&[&[10]]);
    let error = rmi.realm_terminate(granule(RD)).unwrap_err();
    assert_eq!(error, RmiError::Status(Status::Busy));
    assert_eq!(error.to_string(), "BUSY");
}

#[test]
fn a_recs_memory_comes_from_its_reserve_and_returns_there() {
    let donate = 13 | 1 << 8;
    let reclaim = 13 | 2 << 8;
    let mut reserve = Reserve::<16>::new();
    for n in 0..16 {
        let granule = granule(0x9000_0000 + n * 0x1000);
        reserve.add(granule, MemState::Delegated).unwrap();
    }
    let (page, rec) = (&mut Page([0; LIST_ENTRIES]), granule(0x2000));
    let rmi = rmm(&[&[donate, 3, 16 << 2], &[MORE, 16], &[0]]);
    rmi.rec_create(granule(RD), rec, granule(0x3000), &mut reserve, page)
        .unwrap();
    assert_eq!(reserve.out(), 16);
    // The page still holds the list that was given: one range of 16.
    let rmi = rmm(&[&[reclaim, 4], &[MORE, 1], &[0]]);
    rmi.rec_destroy(rec, &mut reserve, page).unwrap();
    assert_eq!(reserve.out(), 0);
    let names: Vec<_> = rmi.calls().iter().collect();
    assert_eq!(
        names,
        [
            ("REC_DESTROY", 1),
            ("OP_CONTINUE", 1),
            ("OP_MEM_RECLAIM", 1)
        ]
    );
    let rmi = rmm(&[&[3]]);
    let error = rmi.rec_destroy(rec, &mut reserve, page).unwrap_err();
    assert_eq!(error, OpError::Ended(RmiError::Rec));
}

/// Undelegates what is not in use, and delegates it again.
struct InUse(u64);

impl Conduit for InUse {
    fn call(&self, regs: Regs) -> Regs {
        let [_, base, top, ..] = regs.0;
        let [status, out] = if base == self.0 { [1, base] } else { [0, top] };
        Regs([status, out, 0, 0, 0, 0, 0, 0])
    }
}

#[test]
fn what_an_operation_left_in_doubt_is_found_out() {
    let mut reserve = Reserve::<4>::new();
    for n in 0..4 {
        let granule = granule(0x9000_0000 + n * 0x1000);
        reserve.add(granule, MemState::Delegated).unwrap();
    }
    let page = &mut Page([0; LIST_ENTRIES]);
    // It turns round when it gets memory, gives none back, and ends.
    let rmi = rmm(&[&[13 | 1 << 8, 3, 3 << 2], &[13 | 2 << 8], &[MORE, 0], &[1]]);
    let (rd, rec, params) = (granule(RD), granule(0x2000), granule(0x3000));
    let error = rmi.rec_create(rd, rec, params, &mut reserve, page);
    assert_eq!(error, Err(OpError::Ended(RmiError::Input)));
    assert_eq!(reserve.out(), 3);
    let rmi = Rmi::new(InUse(0x9000_1000));
    assert_eq!(rmi.settle(&mut reserve), 1);
    let held: Vec<_> = reserve.iter().map(|(_, held)| held).collect();
    let ours = Held::Host(MemState::Delegated);
    assert_eq!(held, [ours, Held::Rmm, ours, ours]);
}

/// Answers anything, and counts the calls since it was last asked.
struct Hostile {
    seed: Cell<u64>,
    calls: Cell<u32>,
}

impl Hostile {
    fn random(&self) -> u64 {
        let mut seed = self.seed.get();
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        self.seed.set(seed);
        seed >> 3
    }

    fn output(&self, regs: &Regs) -> u64 {
        let near = regs.0[1 + self.random() as usize % 3];
        match self.random() % 6 {
            0 => self.random() << 3,
            1 => self.random() % 20,
            2 => near,
            _ => near.wrapping_add((self.random() % 4) << 12),
        }
    }
}

impl Conduit for Hostile {
    fn call(&self, regs: Regs) -> Regs {
        self.calls.set(self.calls.get() + 1);
        let status = match self.random() % 8 {
            0 => self.random(),
            1 => self.random() % 0x800,
            2 => 10 + 4 * (self.random() % 2),
            3 => 13 | (self.random() % 8) << 8,
            _ => 0,
        };
        let mut answer = [0; 8];
        answer.fill_with(|| self.output(&regs));
        answer[0] = status;
        Regs(answer)
    }
}

#[test]
fn whatever_the_rmm_answers_every_call_ends() {
    let rmi = Rmi::new(Hostile {
        seed: Cell::new(0x0123_4567_89ab_cdef),
        calls: Cell::new(0),
    });
    let (rd, other) = (granule(RD), granule(0x9000_0000));
    let (base, top) = (ipa(0x4000_0000), ipa(0x4000_8000));
    let list = Oaddr::List {
        page: granule(0x7000),
        entries: 8,
    };
    let page = &mut Page([0; LIST_ENTRIES]);
    let mut successes = 0;
    let mut inside = |at: Ipa| {
        assert!(at > base && at <= top);
        successes += 1;
    };
    for _ in 0..20_000 {
        rmi.conduit().calls.set(0);
        let _ = rmi.all_features();
        let _ = rmi.granule_tracking_get(rd, other);
        let (done, result) = rmi.delegate(other, 8);
        assert!(done <= 8 && (done == 8) == result.is_ok());
        let _ = rmi.rtt_data_map(rd, base, top, list).map(&mut inside);
        for how in [Oaddr::None, Oaddr::Single(None), list] {
            let unmapped = rmi.rtt_data_unmap(rd, base, top, how);
            let _ = unmapped.map(|unmapped| {
                assert!(unmapped.entries <= 8);
                inside(unmapped.top);
            });
        }
        let _ = rmi.rtt_init_ripas(rd, base, top).map(&mut inside);
        let _ = rmi.rtt_destroy(rd, base, 3);
        let _ = rmi.rtt_read_entry(rd, base, 3);
        let mut reserve = Reserve::<20>::new();
        for n in 0..20 {
            let granule = granule(0xa000_0000 + n * 0x1000);
            reserve.add(granule, MemState::Delegated).unwrap();
        }
        let _ = rmi.rec_create(rd, other, granule(0x1000), &mut reserve, page);
        let _ = rmi.rec_destroy(other, &mut reserve, page);
        let out = rmi.settle(&mut reserve);
        assert!(out <= 20 && reserve.len() == 20);
        assert!(reserve.iter().all(|(_, held)| held != Held::Unsure));
        assert!(rmi.conduit().calls.get() < 2_000);
    }
    assert!(successes > 1_000, "{successes}");
}

#[test]
fn tracking_is_what_the_specification_defines_and_gets_further() {
    let (base, top) = (granule(0x4000_0000), granule(0x1_0000_0000));
    let ask = |answer: &[u64]| rmm(&[answer]).granule_tracking_get(base, top);
    let tracking = ask(&[0, 0, 2, top.raw()]).unwrap();
    assert_eq!(tracking.state, TrackingState::Fine);
    assert_eq!(tracking.category, TrackingCategory::Conventional);
    for answer in [
        [0, 4, 2, top.raw()],
        [0, 0, 5, top.raw()],
        [0, 0, 2, base.raw()],
        [0, 0, 2, top.raw() + 1],
    ] {
        assert!(ask(&answer).is_err(), "{answer:x?}");
    }
}

#[test]
fn a_granule_table_that_exists_is_no_error() {
    let create = |status| rmm(&[&[status]]).gpt_l1_create(PhysAddr::new(0x4000_0000));
    assert_eq!(create(0), Ok(true));
    assert_eq!(create(15), Ok(false));
    assert_eq!(create(12), Err(RmiError::Status(Status::ErrorTracking)));
}

#[test]
fn commands_named_alike_share_one_counter() {
    let rmi = rmm(&[&[0]]);
    rmi.rtt_create(granule(RD), granule(0x1000), ipa(0), 2)
        .unwrap();
    rmi.calls().count(crate::v1_0::Command::RttCreate);
    assert_eq!(rmi.calls().of_v2_0(Command::RttCreate), 2);
    assert_eq!(rmi.calls().iter().collect::<Vec<_>>(), [("RTT_CREATE", 2)]);
    let sum = crate::client::Calls::new();
    sum.absorb(rmi.calls());
    assert_eq!(sum.total(), 2);
    for command in Command::ALL {
        let alone = crate::client::Calls::new();
        alone.count_v2_0(*command);
        assert_eq!(alone.iter().collect::<Vec<_>>(), [(command.name(), 1)]);
    }
}
