//! Tables that change while RECs run below them.

use super::realm::{Came, Realm};
use super::realms::{build, count};
use super::{PRIVATE, Worker, Wrong, expect};
use addr::GRANULE_SIZE;
use core::sync::atomic::Ordering;
use rmi::{v1_0, v2_0};

/// The private block of 2 MiB.
const BLOCK: u64 = 2 << 20;
const PAGES: u64 = BLOCK / GRANULE_SIZE;
/// How often the block is split and folded.
const RESHAPES: u64 = 32;
/// How often memory is taken away.
const TAKES: u64 = 4;
/// Counts of each REC before that.
const WARM: u64 = 4;
/// Attempts after which something that must come is not coming.
const PATIENCE: u64 = 1_000_000;
/// Stores of a REC before each count: it stays in its Realm for so long that
/// something happens to its memory meanwhile.
const WAIT: u64 = 20_000;
/// Looks at a page that nobody may write any more.
const LOOKS: u64 = 2_000;

/// While all others run RECs on a block of memory, the first splits it into pages
/// and folds them into the block again. The RECs must not notice.
pub fn reshape(worker: &Worker<'_>) -> Result<(), Wrong> {
    let realm = worker.realm(0).using(BLOCK);
    let others = worker.hall.workers() - 1;
    let is_over = worker.hall.tally(0);
    if worker.is_first() {
        build_block(&realm, others)?;
    }
    worker.meet()?;
    if worker.is_first() {
        for _ in 0..RESHAPES {
            split(&realm)?;
            fold(&realm)?;
        }
        is_over.store(1, Ordering::Release);
    } else {
        run_until(worker, &realm, |_| is_over.load(Ordering::Acquire) != 0)?;
    }
    worker.meet()?;
    if worker.is_first() {
        unbuild_block(&realm, others)?;
    }
    Ok(())
}

/// Runs the worker's REC until `is_over` of the count; a fault that is over when
/// the REC is entered again is none.
fn run_until(
    worker: &Worker<'_>,
    realm: &Realm<'_>,
    is_over: impl Fn(u64) -> bool,
) -> Result<(), Wrong> {
    let rec = worker.number - 1;
    let mut counted = 0;
    let mut is_first = true;
    for _ in 0..PATIENCE {
        match realm.enter(rec, is_first) {
            Came::Counted(found) => {
                counted += 1;
                is_first = false;
                expect("the count a REC came out with", found, counted)?;
            }
            Came::Missing(hpfar) => {
                is_first = true;
                expect("the HPFAR of an exit", hpfar, BLOCK >> 8)?;
            }
            Came::Not(x0) => expect("the status of REC_ENTER", x0, 0)?,
        }
        if is_over(counted) || worker.hall.is_broken() {
            return Ok(());
        }
    }
    expect("the entries after which a REC is still wanted", PATIENCE, 0)
}

fn build_block(realm: &Realm<'_>, recs: u64) -> Result<(), Wrong> {
    realm.create()?;
    realm.init_ram(BLOCK, 2 * BLOCK)?;
    split(realm)?;
    for page in 0..PAGES {
        let memory = realm.block() + page * GRANULE_SIZE;
        realm.host.delegate(memory)?;
        realm.data_create(memory, BLOCK + page * GRANULE_SIZE)?;
    }
    fold(realm)?;
    for rec in 0..recs {
        realm.rec_create(rec, WAIT / 100)?;
    }
    realm.activate()
}

fn unbuild_block(realm: &Realm<'_>, recs: u64) -> Result<(), Wrong> {
    realm.terminate()?;
    for rec in 0..recs {
        realm.rec_destroy(rec)?;
    }
    split(realm)?;
    for page in 0..PAGES {
        let memory = realm.data_destroy(BLOCK + page * GRANULE_SIZE)?;
        realm.host.undelegate(memory)?;
    }
    let (old, new) = (v1_0::Command::RttDestroy, v2_0::Command::RttDestroy);
    realm.rtt_end(old, new, BLOCK)?;
    realm.destroy()
}

fn split(realm: &Realm<'_>) -> Result<(), Wrong> {
    realm.host.delegate(realm.spare())?;
    realm.rtt_create(realm.spare(), BLOCK)
}

fn fold(realm: &Realm<'_>) -> Result<(), Wrong> {
    realm.rtt_end(v1_0::Command::RttFold, v2_0::Command::RttFold, BLOCK)
}

/// While all others run RECs that write to a page, the first takes the page out
/// of the Realm. From then on the page is zero and stays so, and the RECs stop.
pub fn take_away(worker: &Worker<'_>) -> Result<(), Wrong> {
    for _ in 0..TAKES {
        worker.meet()?;
        if worker.is_first() {
            worker.hall.clear();
        }
        worker.meet()?;
        take_once(worker)?;
    }
    Ok(())
}

fn take_once(worker: &Worker<'_>) -> Result<(), Wrong> {
    let realm = worker.realm(0);
    let others = worker.hall.workers() - 1;
    let [warm, is_gone] = [0, 1].map(|number| worker.hall.tally(number));
    let page = worker.page(3);
    if worker.is_first() {
        build(&realm, page, others, WAIT)?;
    }
    worker.meet()?;
    if worker.is_first() {
        while warm.load(Ordering::Acquire) < others && !worker.hall.is_broken() {
            worker.seat.pause();
        }
        let taken = realm.data_destroy(PRIVATE)?;
        expect("the page that came back", taken, page)?;
        realm.host.undelegate(page)?;
        is_gone.store(1, Ordering::Release);
        for _ in 0..LOOKS {
            for rec in 0..others {
                expect(
                    "what a running REC left",
                    worker.seat.read(page + rec * 8),
                    0,
                )?;
            }
        }
    } else {
        for step in 1..=WARM {
            count(&realm, worker.number - 1, step)?;
        }
        warm.fetch_add(1, Ordering::AcqRel);
        run_out(worker, &realm, || is_gone.load(Ordering::Acquire) != 0)?;
    }
    worker.meet()?;
    if worker.is_first() {
        realm.terminate()?;
        for rec in 0..others {
            realm.rec_destroy(rec)?;
        }
        realm.destroy()?;
    }
    Ok(())
}

/// Runs the worker's REC until it misses its memory, which it must once the
/// memory is gone.
fn run_out(
    worker: &Worker<'_>,
    realm: &Realm<'_>,
    is_gone: impl Fn() -> bool,
) -> Result<(), Wrong> {
    for _ in 0..PATIENCE {
        let was_gone = is_gone();
        match realm.enter(worker.number - 1, false) {
            Came::Counted(found) if was_gone => {
                return expect("the count of a REC without memory", found, 0);
            }
            Came::Counted(_) => {}
            Came::Missing(hpfar) => {
                return expect("the HPFAR of an exit", hpfar, PRIVATE >> 8);
            }
            Came::Not(x0) => expect("the status of REC_ENTER", x0, 0)?,
        }
        if worker.hall.is_broken() {
            return Err(Wrong::Elsewhere);
        }
    }
    expect(
        "the entries after which a REC still has memory",
        PATIENCE,
        0,
    )
}
