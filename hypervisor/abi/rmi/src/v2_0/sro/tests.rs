use super::*;
use crate::v2_0::range::{BlockSize, MemState};
use addr::GranuleAddr;
use std::collections::BTreeSet;
use std::string::ToString;
use std::vec::Vec;

extern crate std;

const BASE: u64 = 0x8800_0000;
const HANDLE: u64 = 7;

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

fn at(n: u64) -> GranuleAddr {
    granule(BASE + n * 0x1000)
}

fn reserve(count: u64) -> Reserve<32> {
    let mut reserve = Reserve::new();
    for n in 0..count {
        reserve.add(at(n), MemState::Delegated).unwrap();
    }
    reserve
}

fn incomplete(request: MemRequest, can_cancel: bool) -> u64 {
    Status::Incomplete {
        request,
        can_cancel,
    }
    .raw()
}

const MORE: MemRequest = MemRequest::None;
const DONATE: MemRequest = MemRequest::Donate;
const RECLAIM: MemRequest = MemRequest::Reclaim;

fn regs(values: &[u64]) -> [u64; 8] {
    let mut regs = [0; 8];
    regs[..values.len()].copy_from_slice(values);
    regs
}

fn rec_create() -> Operation {
    Operation::new(Command::RecCreate, &[1, 2, 3], Limits::default())
}

/// Makes the next call, which must be `command`, and answers it.
fn play<const N: usize>(
    op: &mut Operation,
    reserve: &mut Reserve<N>,
    page: &mut Page,
    command: Command,
    answer: &[u64],
) -> [u64; 7] {
    let Step::Call(call) = op.next(reserve, page) else {
        panic!("no call: {:?}", op.next(reserve, page));
    };
    assert_eq!(call.command, command);
    op.answer(&regs(answer), reserve, page);
    call.args
}

fn done<const N: usize>(
    op: &mut Operation,
    reserve: &mut Reserve<N>,
    page: &mut Page,
) -> Result<Outcome, Failure> {
    match op.next(reserve, page) {
        Step::Done(result) => result,
        other => panic!("not done: {other:?}"),
    }
}

fn list(base: u64, count: u64) -> u64 {
    RangeDesc::new(at(base), BlockSize::Size4K, count, MemState::Delegated)
        .unwrap()
        .encode(StateField::OneBit)
}

#[test]
fn a_rec_takes_its_memory_and_gives_it_back_when_destroyed() {
    let (mut reserve, mut page) = (reserve(20), Page([0; LIST_ENTRIES]));
    let op = &mut rec_create();
    let args = play(
        op,
        &mut reserve,
        &mut page,
        Command::RecCreate,
        &[incomplete(DONATE, false), HANDLE, 16 << 2],
    );
    assert_eq!(args, [1, 2, 3, 0, 0, 0, 0]);
    let args = play(
        op,
        &mut reserve,
        &mut page,
        Command::OpMemDonate,
        &[incomplete(MORE, false), 16, 0],
    );
    assert_eq!(args[..3], [HANDLE, 0x7000, 1]);
    assert_eq!(page.0[0], list(0, 16), "one range of 16 pages");
    let args = play(op, &mut reserve, &mut page, Command::OpContinue, &[0]);
    assert_eq!(args[..2], [HANDLE, 0]);
    let outcome = done(op, &mut reserve, &mut page).unwrap();
    assert_eq!((outcome.status, outcome.donated), (Status::Success, 16));
    assert_eq!(reserve.out(), 16);

    let op = &mut Operation::new(Command::RecDestroy, &[2], Limits::default());
    let (reserve, page) = (&mut reserve, &mut page);
    let ask = incomplete(RECLAIM, false);
    play(op, reserve, page, Command::RecDestroy, &[ask, 9]);
    page.0[0] = list(8, 8);
    page.0[1] = list(0, 8);
    play(
        op,
        reserve,
        page,
        Command::OpMemReclaim,
        &[incomplete(MORE, false), 2],
    );
    play(op, reserve, page, Command::OpContinue, &[0]);
    let outcome = done(op, reserve, page).unwrap();
    assert_eq!(outcome.reclaimed, 16);
    assert_eq!(reserve.out(), 0);
}

#[test]
fn memory_taken_in_portions_is_offered_again_from_where_it_stopped() {
    let (reserve, page) = (&mut reserve(20), &mut Page([0; LIST_ENTRIES]));
    let op = &mut rec_create();
    let ask = incomplete(DONATE, false);
    play(
        op,
        reserve,
        page,
        Command::RecCreate,
        &[ask, HANDLE, 16 << 2],
    );
    play(op, reserve, page, Command::OpMemDonate, &[ask, 5, 11 << 2]);
    assert_eq!(reserve.out(), 5);
    play(
        op,
        reserve,
        page,
        Command::OpMemDonate,
        &[incomplete(MORE, false), 11],
    );
    assert_eq!(page.0[0], list(5, 11));
    assert_eq!(reserve.out(), 16);
}

#[test]
fn an_operation_that_turns_round_returns_what_it_took_and_its_error() {
    let (reserve, page) = (&mut reserve(16), &mut Page([0; LIST_ENTRIES]));
    let op = &mut rec_create();
    let ask = incomplete(DONATE, false);
    play(
        op,
        reserve,
        page,
        Command::RecCreate,
        &[ask, HANDLE, 16 << 2],
    );
    play(op, reserve, page, Command::OpMemDonate, &[ask, 4, 12 << 2]);
    let back = incomplete(RECLAIM, false);
    play(op, reserve, page, Command::OpMemDonate, &[back, 99]);
    page.0[0] = list(0, 4);
    play(
        op,
        reserve,
        page,
        Command::OpMemReclaim,
        &[incomplete(MORE, false), 1],
    );
    play(op, reserve, page, Command::OpContinue, &[1]);
    let outcome = done(op, reserve, page).unwrap();
    assert_eq!(outcome.status, Status::ErrorInput);
    let unsure = reserve.iter().filter(|(_, held)| *held == Held::Unsure);
    assert_eq!(unsure.count(), 12, "nobody said what became of the rest");
    assert!(reserve.settle(at(15), Held::Host(MemState::Undelegated)));
    assert!(!reserve.settle(at(0), Held::Rmm), "that one is known");
}

#[test]
fn busy_and_blocked_repeat_the_same_call_until_the_limit() {
    let (reserve, page) = (&mut reserve(16), &mut Page([0; LIST_ENTRIES]));
    let op = &mut rec_create();
    let ask = incomplete(DONATE, false);
    play(op, reserve, page, Command::RecCreate, &[10]);
    play(op, reserve, page, Command::RecCreate, &[14]);
    play(
        op,
        reserve,
        page,
        Command::RecCreate,
        &[ask, HANDLE, 16 << 2],
    );
    for _ in 0..10_000 {
        play(op, reserve, page, Command::OpMemDonate, &[10]);
        assert_eq!(page.0[0], list(0, 16));
    }
    play(op, reserve, page, Command::OpMemDonate, &[10]);
    let failure = done(op, reserve, page).unwrap_err();
    assert_eq!(failure.fault, Fault::Busy { tries: 10_001 });
    assert_eq!((failure.handle, failure.out), (Some(HANDLE), 0));
    assert!(failure.to_string().contains("operation 0x7 is still open"));
}

#[test]
fn a_command_that_ends_at_once_is_an_operation_of_one_call() {
    let (reserve, page) = (&mut reserve(0), &mut Page([0; LIST_ENTRIES]));
    let op = &mut Operation::new(Command::RttDataMap, &[1, 2, 3], Limits::default());
    play(op, reserve, page, Command::RttDataMap, &[0, 0x2000]);
    let outcome = done(op, reserve, page).unwrap();
    assert_eq!((outcome.outputs[0], outcome.calls), (0x2000, 1));
}

#[test]
fn an_operation_that_never_advances_ends() {
    let (reserve, page) = (&mut reserve(4), &mut Page([0; LIST_ENTRIES]));
    let op = &mut Operation::new(Command::RmmActivate, &[], Limits::default());
    let again = regs(&[incomplete(MORE, false), HANDLE]);
    while let Step::Call(_) = op.next(reserve, page) {
        op.answer(&again, reserve, page);
    }
    let failure = done(op, reserve, page).unwrap_err();
    assert_eq!(failure.fault, Fault::NoProgress { rounds: 4097 });
}

#[test]
fn a_request_larger_than_the_reserve_can_be_served_later_or_given_up() {
    let (reserve, page) = (&mut reserve(15), &mut Page([0; LIST_ENTRIES]));
    let op = &mut rec_create();
    let ask = incomplete(DONATE, true);
    play(
        op,
        reserve,
        page,
        Command::RecCreate,
        &[ask, HANDLE, 16 << 2],
    );
    assert!(matches!(
        op.next(reserve, page),
        Step::Short { have: 15, .. }
    ));
    reserve.add(at(30), MemState::Delegated).unwrap();
    let mut other = op.clone();
    play(
        op,
        reserve,
        page,
        Command::OpMemDonate,
        &[incomplete(MORE, true), 16],
    );
    assert_eq!(page.0[..2], [list(0, 15), list(30, 1)]);

    let reserve = &mut self::reserve(15);
    other.give_up(reserve);
    play(
        &mut other,
        reserve,
        page,
        Command::OpCancel,
        &[incomplete(MORE, false)],
    );
    play(&mut other, reserve, page, Command::OpContinue, &[1]);
    let failure = done(&mut other, reserve, page).unwrap_err();
    assert!(matches!(
        failure.fault,
        Fault::ReserveTooSmall { have: 15, .. }
    ));
    assert_eq!(failure.status, Some(Status::ErrorInput));
    assert_eq!((failure.handle, failure.out), (None, 0));
}

#[test]
fn a_contiguous_request_gets_one_self_aligned_range_or_nothing() {
    let page = &mut Page([0; LIST_ENTRIES]);
    let mut reserve = Reserve::<32>::new();
    for n in [1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12] {
        reserve.add(at(n), MemState::Delegated).unwrap();
    }
    let reserve = &mut reserve;
    let wanted = 1 << 16 | 4 << 2;
    let op = &mut rec_create();
    let ask = incomplete(DONATE, false);
    play(
        op,
        reserve,
        page,
        Command::RecCreate,
        &[ask, HANDLE, wanted],
    );
    play(op, reserve, page, Command::OpMemDonate, &[ask, 4, wanted]);
    assert_eq!(page.0[0], list(4, 4));
    assert!(matches!(
        op.next(reserve, page),
        Step::Short { have: 7, .. }
    ));
}

#[test]
fn memory_the_rmm_was_not_given_is_not_taken_from_it() {
    let lists: [&[u64]; 6] = [
        &[list(4, 1)],
        &[list(0, 5)],
        &[list(40, 1)],
        &[list(0, 2), list(1, 1)],
        &[0x4000_0000 | 3 << 2 | 3],
        &[list(0, 1) | 1 << 2 | 1 << 60],
    ];
    for entries in lists {
        let (reserve, page) = (&mut reserve(8), &mut Page([0; LIST_ENTRIES]));
        let op = &mut rec_create();
        let ask = incomplete(DONATE, false);
        play(
            op,
            reserve,
            page,
            Command::RecCreate,
            &[ask, HANDLE, 4 << 2],
        );
        let back = incomplete(RECLAIM, false);
        play(
            op,
            reserve,
            page,
            Command::OpMemDonate,
            &[incomplete(MORE, false), 4],
        );
        play(op, reserve, page, Command::OpContinue, &[back]);
        page.0[..entries.len()].copy_from_slice(entries);
        let count = entries.len() as u64;
        play(op, reserve, page, Command::OpMemReclaim, &[back, count]);
        let failure = done(op, reserve, page).unwrap_err();
        assert!(
            matches!(failure.fault, Fault::NotGiven { .. } | Fault::Entry { .. }),
            "{failure}"
        );
        assert_eq!(failure.out, if count == 2 { 2 } else { 4 });
    }
}

#[test]
fn what_the_rmm_cannot_have_taken_or_listed_is_a_fault() {
    let ask = incomplete(DONATE, false);
    for (answer, wanted) in [
        (
            [ask, 5, 4 << 2],
            Fault::Consumed {
                consumed: 5,
                offered: 4,
            },
        ),
        ([ask, 0, 0], Fault::BadRequest { raw: 0 }),
        (
            [1, 0, 0],
            Fault::Refused {
                command: Command::OpMemDonate,
                status: Status::ErrorInput,
            },
        ),
    ] {
        let (reserve, page) = (&mut reserve(8), &mut Page([0; LIST_ENTRIES]));
        let op = &mut rec_create();
        play(
            op,
            reserve,
            page,
            Command::RecCreate,
            &[ask, HANDLE, 4 << 2],
        );
        play(op, reserve, page, Command::OpMemDonate, &answer);
        assert_eq!(done(op, reserve, page).unwrap_err().fault, wanted);
    }
    let (reserve, page) = (&mut reserve(8), &mut Page([0; LIST_ENTRIES]));
    let op = &mut Operation::new(Command::RecDestroy, &[2], Limits::default());
    let back = incomplete(RECLAIM, false);
    play(op, reserve, page, Command::RecDestroy, &[back, 9]);
    play(op, reserve, page, Command::OpMemReclaim, &[back, 513]);
    let failure = done(op, reserve, page).unwrap_err();
    assert_eq!(failure.fault, Fault::Entries { entries: 513 });
}

#[test]
fn the_handle_is_the_first_answers_whatever_later_ones_hold() {
    let (reserve, page) = (&mut reserve(8), &mut Page([0; LIST_ENTRIES]));
    let op = &mut Operation::new(Command::RttDataUnmap, &[1], Limits::default());
    play(
        op,
        reserve,
        page,
        Command::RttDataUnmap,
        &[incomplete(MORE, true), HANDLE],
    );
    play(
        op,
        reserve,
        page,
        Command::OpContinue,
        &[incomplete(MORE, true), 99],
    );
    op.stop();
    let args = play(op, reserve, page, Command::OpContinue, &[0, 0x5000]);
    assert_eq!(args[..2], [HANDLE, CONTINUE_STOP]);
    assert_eq!(done(op, reserve, page).unwrap().outputs[0], 0x5000);
}

#[test]
fn cancelling_waits_until_the_rmm_allows_it() {
    let (reserve, page) = (&mut reserve(16), &mut Page([0; LIST_ENTRIES]));
    let op = &mut rec_create();
    op.cancel();
    play(
        op,
        reserve,
        page,
        Command::RecCreate,
        &[incomplete(DONATE, false), HANDLE, 8 << 2],
    );
    play(
        op,
        reserve,
        page,
        Command::OpMemDonate,
        &[incomplete(DONATE, true), 4, 4 << 2],
    );
    play(
        op,
        reserve,
        page,
        Command::OpCancel,
        &[incomplete(RECLAIM, false)],
    );
    page.0[0] = list(0, 4);
    play(
        op,
        reserve,
        page,
        Command::OpMemReclaim,
        &[incomplete(MORE, false), 1],
    );
    play(op, reserve, page, Command::OpContinue, &[1]);
    let outcome = done(op, reserve, page).unwrap();
    assert!(outcome.cancelled);
    assert_eq!(
        (outcome.donated, outcome.reclaimed, reserve.out()),
        (4, 4, 0)
    );
}

#[test]
fn what_a_lost_operation_had_on_offer_is_doubtful() {
    let (reserve, page) = (&mut reserve(8), &mut Page([0; LIST_ENTRIES]));
    let op = &mut rec_create();
    let ask = incomplete(DONATE, false);
    play(
        op,
        reserve,
        page,
        Command::RecCreate,
        &[ask, HANDLE, 4 << 2],
    );
    assert!(matches!(op.next(reserve, page), Step::Call(_)));
    assert_eq!(reserve.out(), 4);
    let next = &mut rec_create();
    play(next, reserve, page, Command::RecCreate, &[0]);
    assert_eq!(reserve.out(), 4);
    assert_eq!(reserve.iter().next().unwrap().1, Held::Unsure);
}

#[test]
fn granules_enter_and_leave_by_the_hosts_hand() {
    let mut reserve = Reserve::<3>::new();
    for n in [2, 0, 1] {
        reserve.add(at(n), MemState::Undelegated).unwrap();
    }
    assert_eq!(
        reserve.add(at(1), MemState::Delegated),
        Err(ReserveFull::Known)
    );
    assert_eq!(
        reserve.add(at(3), MemState::Delegated),
        Err(ReserveFull::Full)
    );
    let order: Vec<_> = core::iter::from_fn(|| reserve.take()).collect();
    let expected: Vec<_> = (0..3).map(|n| (at(n), MemState::Undelegated)).collect();
    assert_eq!(order, expected);
    assert!(reserve.is_empty());
}

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
    fn below(&mut self, limit: u64) -> u64 {
        (self.next() >> 11) % limit
    }
    fn status(&mut self) -> u64 {
        match self.below(20) {
            0 => self.next(),
            1 => self.below(20),
            2 => self.below(0x2000),
            3 | 4 => 10 + 4 * self.below(2),
            5 => 0,
            _ => 13 | self.below(3) << 8 | self.below(2) << 10,
        }
    }
    fn request(&mut self) -> u64 {
        match self.below(8) {
            0 => self.next(),
            1 => self.below(1 << 20),
            2 => 1 << 16 | 1 << (2 + self.below(4)),
            3 => (1 + self.below(8)) << 2 | 1 << 17,
            _ => (1 + self.below(8)) << 2,
        }
    }
    fn desc(&mut self) -> u64 {
        match self.below(12) {
            0 => self.next(),
            1 => BASE | self.below(1 << 16),
            2 => list(self.below(40), 1) | self.below(4) << 62,
            3 => list(self.below(24), 1 + self.below(8)),
            _ => list(self.below(24), 1 + self.below(2)),
        }
    }
}

/// The granules that the descriptors in `page` name, as far as any are.
fn named(page: &Page, entries: usize, field: StateField) -> Vec<GranuleAddr> {
    let mut granules = Vec::new();
    for raw in page.0.iter().take(entries) {
        if let Ok(desc) = RangeDesc::decode(*raw, field) {
            let count = desc.granules().min(1024);
            granules.extend((0..count).filter_map(|n| desc.base().checked_add(n)));
        }
    }
    granules
}

fn holds(held: Held) -> bool {
    matches!(held, Held::Rmm | Held::Unsure)
}

#[test]
fn whatever_the_rmm_answers_it_ends_and_no_granule_is_lost() {
    let mut random = Random(0x5eed_1234_9876_0001);
    let (mut ended_well, mut faults) = (0u32, BTreeSet::new());
    for round in 0..120_000u32 {
        let field = if round % 4 == 3 {
            StateField::TwoBits
        } else {
            StateField::OneBit
        };
        let limits = Limits {
            busy: random.below(4) as u32,
            blocked: random.below(4) as u32,
            idle: random.below(6) as u32,
            calls: random.below(40) as u32,
            field,
        };
        let mut reserve = Reserve::<24>::new();
        for n in 0..24 {
            let state = if n < 18 {
                MemState::Delegated
            } else {
                MemState::Undelegated
            };
            reserve.add(at(n), state).unwrap();
        }
        let before: Vec<_> = reserve.iter().map(|(granule, _)| granule).collect();
        let mut page = Page([0; LIST_ENTRIES]);
        let mut theirs = BTreeSet::<GranuleAddr>::new();
        // Two operations share one reserve, one after the other.
        for command in [Command::RecCreate, Command::RecDestroy] {
            let mut op = Operation::new(command, &[1, 2, 3], limits);
            let mut calls = 0;
            loop {
                if random.below(50) == 0 {
                    op.cancel();
                }
                let call = match op.next(&mut reserve, &mut page) {
                    Step::Call(call) => call,
                    Step::Short { .. } => {
                        op.give_up(&mut reserve);
                        continue;
                    }
                    Step::Done(Ok(_)) => {
                        ended_well += 1;
                        break;
                    }
                    Step::Done(Err(failure)) => {
                        assert_eq!(failure.out, reserve.out());
                        let text = failure.fault.to_string();
                        faults.insert(text.chars().take(18).collect::<std::string::String>());
                        break;
                    }
                };
                calls += 1;
                assert!(calls <= 2 * limits.calls + 1, "{op:?}");
                let answer = regs(&[random.status(), random.below(7), random.request()]);
                let incomplete = Status::from_raw(answer[0]);
                let offered = named(&page, call.args[2] as usize, field);
                match (call.command, incomplete) {
                    (
                        Command::OpMemDonate,
                        Status::Incomplete {
                            request: MORE | DONATE,
                            ..
                        }
                        | Status::Success,
                    ) => theirs.extend(offered.iter().take(answer[1] as usize)),
                    (Command::OpMemReclaim, _) => {
                        for _ in 0..answer[1] {
                            let place = random.below(8) as usize;
                            page.0[place] = random.desc();
                        }
                        for granule in named(&page, answer[1] as usize, field) {
                            theirs.remove(&granule);
                        }
                    }
                    _ => {}
                }
                op.answer(&answer, &mut reserve, &page);
                let after: Vec<_> = reserve.iter().map(|(granule, _)| granule).collect();
                assert_eq!(before, after, "the reserve is the same set");
                for (granule, held) in reserve.iter() {
                    assert!(
                        holds(held) || !theirs.contains(&granule),
                        "{granule} {held:?}"
                    );
                }
            }
            assert!(
                reserve
                    .iter()
                    .all(|(_, held)| !matches!(held, Held::Offered(_))),
                "nothing stays on offer"
            );
        }
    }
    assert!(ended_well > 10_000, "{ended_well}");
    assert!(faults.len() > 8, "{faults:?}");
}
