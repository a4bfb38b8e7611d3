//! Realms and RECs on all CPUs.

use super::realm::{Came, Realm};
use super::{MAX_WORKERS, PRIVATE, Worker, Wrong, expect};
use crate::case::Dialect;
use core::sync::atomic::Ordering;

/// VMIDs of the scenarios begin here.
const VMID: u64 = 16;
const REALMS: u64 = 3;
const ROUNDS: u64 = 8;
/// Entries in a row of one REC on one CPU.
const STEPS: u64 = 4;
/// Entries that a contest is about.
const CONTEST: u64 = 64;
/// Rounds that a REC waits in a contest: long enough for the others to try.
const WAIT: u64 = 20_000;
/// Attempts after which something that must come is not coming.
const PATIENCE: u64 = 1_000_000;

/// `RMI_ERROR_INPUT`.
const ERROR_INPUT: u64 = 1;
/// `RMI_ERROR_REC`.
const ERROR_REC: u64 = 3;

impl<'a> Worker<'a> {
    /// The Realm in worker `number`'s memory.
    pub(super) fn realm(&self, number: u64) -> Realm<'a> {
        Realm::at(self.host, self.area(number), VMID + number)
    }
}

/// Enters a REC and expects it to come out with a count.
pub(super) fn count(realm: &Realm<'_>, rec: u64, expected: u64) -> Result<(), Wrong> {
    match realm.enter(rec, expected == 1) {
        Came::Counted(found) => expect("the count a REC came out with", found, expected),
        Came::Missing(hpfar) => expect("the HPFAR of an exit", hpfar, 0),
        Came::Not(x0) => expect("the status of REC_ENTER", x0, 0),
    }
}

/// Builds a Realm with memory at [`PRIVATE`] and so many RECs, and activates it.
pub(super) fn build(realm: &Realm<'_>, memory: u64, recs: u64, wait: u64) -> Result<(), Wrong> {
    realm.create()?;
    realm.host.delegate(memory)?;
    realm.data_create(memory, PRIVATE)?;
    for rec in 0..recs {
        realm.rec_create(rec, wait)?;
    }
    realm.activate()
}

/// Takes such a Realm apart.
pub(super) fn unbuild(realm: &Realm<'_>, recs: u64) -> Result<(), Wrong> {
    realm.terminate()?;
    for rec in 0..recs {
        realm.rec_destroy(rec)?;
    }
    let memory = realm.data_destroy(PRIVATE)?;
    realm.host.undelegate(memory)?;
    realm.destroy()
}

/// A Realm for each worker, again and again.
pub fn apart(worker: &Worker<'_>) -> Result<(), Wrong> {
    let realm = worker.realm(worker.number);
    for _ in 0..REALMS {
        build(&realm, realm.data(), 1, 0)?;
        for step in 1..=ROUNDS {
            count(&realm, 0, step)?;
        }
        unbuild(&realm, 1)?;
    }
    Ok(())
}

/// Each REC of a Realm on each CPU in turn.
pub fn rounds(worker: &Worker<'_>) -> Result<(), Wrong> {
    let workers = worker.hall.workers();
    let realm = worker.realm(0);
    if worker.is_first() {
        build(&realm, realm.data(), workers, 0)?;
    }
    for round in 0..ROUNDS.max(2 * workers) {
        worker.meet()?;
        let rec = (worker.number + round) % workers;
        for step in 1..=STEPS {
            count(&realm, rec, round * STEPS + step)?;
        }
    }
    worker.meet()?;
    if worker.is_first() {
        unbuild(&realm, workers)?;
    }
    Ok(())
}

/// All want to enter the same REC: who does not get it is told so, and the REC
/// counts on as if it had been alone.
pub fn contest(worker: &Worker<'_>) -> Result<(), Wrong> {
    let realm = worker.realm(0);
    let [entries, sum, refused] = [0, 1, 2].map(|number| worker.hall.tally(number));
    if worker.is_first() {
        build(&realm, realm.data(), 1, WAIT)?;
        count(&realm, 0, 1)?;
    }
    worker.meet()?;
    let is_sure = worker.seat.is_parallel() && worker.hall.workers() > 1;
    for _ in 0..PATIENCE {
        let is_over = entries.load(Ordering::Acquire) >= CONTEST
            && (!is_sure || refused.load(Ordering::Acquire) != 0);
        if is_over || worker.hall.is_broken() {
            break;
        }
        match realm.enter(0, false) {
            Came::Counted(found) => {
                entries.fetch_add(1, Ordering::AcqRel);
                sum.fetch_add(found, Ordering::AcqRel);
            }
            Came::Missing(hpfar) => expect("the HPFAR of an exit", hpfar, 0)?,
            Came::Not(x0) => {
                expect("the status of an entry that lost", x0, ERROR_REC)?;
                refused.fetch_add(1, Ordering::AcqRel);
            }
        }
    }
    worker.meet()?;
    if worker.is_first() {
        let entries = entries.load(Ordering::Acquire);
        // From 2 on, each number once.
        let expected = entries * (entries + 3) / 2;
        expect(
            "the sum of all counts",
            sum.load(Ordering::Acquire),
            expected,
        )?;
        let lost = refused.load(Ordering::Acquire) != 0;
        if is_sure {
            expect("whether a CPU was refused", u64::from(lost), 1)?;
        }
        unbuild(&realm, 1)?;
    }
    Ok(())
}

/// Each worker makes a REC of the same Realm; their order is given by the RMM,
/// which takes no other than the next. Then each ends its own.
pub fn recs(worker: &Worker<'_>) -> Result<(), Wrong> {
    let realm = worker.realm(0);
    let made = worker.hall.tally(0);
    if worker.is_first() {
        build_without_recs(&realm)?;
    }
    worker.meet()?;
    realm.host.delegate(realm.rec(worker.number))?;
    for _ in 0..PATIENCE {
        if worker.hall.is_broken() {
            return Err(Wrong::Elsewhere);
        }
        match realm.try_rec_create(worker.number, 0)? {
            0 => break,
            x0 => expect("the status of a REC_CREATE out of order", x0, ERROR_INPUT)?,
        }
        worker.seat.pause();
    }
    made.fetch_add(1, Ordering::AcqRel);
    worker.meet()?;
    if worker.is_first() {
        let made = made.load(Ordering::Acquire);
        expect("the number of RECs", made, worker.hall.workers())?;
        realm.activate()?;
    }
    worker.meet()?;
    for step in 1..=ROUNDS {
        count(&realm, worker.number, step)?;
    }
    worker.meet()?;
    if worker.is_first() {
        realm.terminate()?;
    }
    worker.meet()?;
    realm.rec_destroy(worker.number)?;
    worker.meet()?;
    if worker.is_first() {
        let memory = realm.data_destroy(PRIVATE)?;
        realm.host.undelegate(memory)?;
        realm.destroy()?;
    }
    Ok(())
}

/// Operations of RMI 2.0 that begin on one CPU and end on the next.
pub fn operations(worker: &Worker<'_>) -> Result<(), Wrong> {
    if worker.host.dialect == Dialect::V1_0 {
        return Ok(());
    }
    let own = worker.realm(worker.number);
    let next = (worker.number + 1) % worker.hall.workers();
    let [handle, demand] = [0, MAX_WORKERS]
        .map(|first| move |number: u64| worker.hall.tally((first + number) as usize));
    build_without_recs(&own)?;
    let [x0, its, wants] = own.begin_rec(0)?;
    handle(worker.number).store(its, Ordering::Release);
    demand(worker.number).store(wants, Ordering::Release);
    worker.meet()?;
    let begun = [
        x0,
        handle(next).load(Ordering::Acquire),
        demand(next).load(Ordering::Acquire),
    ];
    worker.realm(next).end_rec(begun, 0)?;
    worker.meet()?;
    own.activate()?;
    count(&own, 0, 1)?;
    unbuild(&own, 1)
}

fn build_without_recs(realm: &Realm<'_>) -> Result<(), Wrong> {
    realm.create()?;
    realm.host.delegate(realm.data())?;
    realm.data_create(realm.data(), PRIVATE)
}
