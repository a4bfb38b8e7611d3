//! Granules that change hands.

use super::{Worker, Wrong, expect};
use addr::GRANULE_SIZE;
use core::sync::atomic::Ordering;

const ROUNDS: u64 = 16;
/// Granules of each worker, neighbours of the others' in the protection tables.
const OWN: u64 = 3;

/// Neighbours of one word of the granule protection tables, moved at once.
pub fn apart(worker: &Worker<'_>) -> Result<(), Wrong> {
    let first = worker.area(0) + worker.number * OWN * GRANULE_SIZE;
    let own = (0..OWN).map(|number| first + number * GRANULE_SIZE);
    for _ in 0..ROUNDS {
        for granule in own.clone() {
            worker.host.delegate(granule)?;
        }
        for granule in own.clone() {
            worker.host.undelegate(granule)?;
        }
    }
    Ok(())
}

/// All want the same granule, then all want to give it back.
pub fn together(worker: &Worker<'_>) -> Result<(), Wrong> {
    let granule = worker.area(0);
    let [given, taken] = [0, 1].map(|number| worker.hall.tally(number));
    for round in 1..=ROUNDS {
        worker.meet()?;
        if worker.host.try_delegate(granule) == 0 {
            given.fetch_add(1, Ordering::AcqRel);
        }
        worker.meet()?;
        expect(
            "how often it was delegated",
            given.load(Ordering::Acquire),
            round,
        )?;
        if worker.host.try_undelegate(granule) == 0 {
            taken.fetch_add(1, Ordering::AcqRel);
        }
        worker.meet()?;
        expect(
            "how often it was undelegated",
            taken.load(Ordering::Acquire),
            round,
        )?;
    }
    Ok(())
}
