//! Scenarios in which many CPUs call the RMM at once.
//!
//! Each worker is one CPU: on the machine a real one, on the host a thread over
//! the RMM core. All of them run every scenario of [`SCENARIOS`] together and
//! check what they were answered; afterwards no granule may be missing. Like the
//! cases, this is code without allocation or std.

mod granules;
mod hall;
mod host;
mod realm;
mod realms;
mod tables;

pub use hall::{Broken, Hall};
pub use realm::{COUNTER_CODE, PRIVATE};

use crate::case::Dialect;
use conduit::Conduit;
use core::fmt;
use host::Host;

/// Workers that a crowd has room for.
pub const MAX_WORKERS: u64 = 8;
/// Pages of each worker that the host can read and write.
pub const PAGES_PER_WORKER: u64 = 4;
/// Such pages of all workers, [`Seat::pages`] being the first.
pub const PAGES: u64 = MAX_WORKERS * PAGES_PER_WORKER;
/// Bytes of the memory at [`Seat::granules`].
pub const GRANULES_SIZE: u64 = MAX_WORKERS * AREA;

/// Bytes of [`Seat::granules`] that are one worker's.
const AREA: u64 = 4 << 20;

/// What a worker has of the place it works in.
pub trait Seat: Conduit {
    /// The first of [`PAGES`] pages of Non-secure memory.
    fn pages(&self) -> u64;

    /// [`GRANULES_SIZE`] bytes of RAM that nobody but the RMM need touch, aligned
    /// to 2 MiB.
    fn granules(&self) -> u64;

    /// Writes a doubleword of a page.
    fn write(&self, address: u64, value: u64);

    /// Reads a doubleword of a page.
    fn read(&self, address: u64) -> u64;

    /// What a CPU does while it waits for others.
    fn pause(&self);

    /// Whether CPUs really run at the same time for as long as a Realm does, so
    /// that two of them are bound to want the same REC.
    fn is_parallel(&self) -> bool;
}

/// What a worker found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wrong {
    /// Something that should not be.
    Found {
        /// What was looked at.
        what: &'static str,
        /// Its value.
        found: u64,
        /// What it should have been.
        expected: u64,
    },
    /// Another worker found something.
    Elsewhere,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Found {
                what,
                found,
                expected,
            } => write!(f, "{what} is {found:#x} where {expected:#x} was expected"),
            Self::Elsewhere => f.write_str("another CPU gave up"),
        }
    }
}

impl From<Broken> for Wrong {
    fn from(_: Broken) -> Self {
        Self::Elsewhere
    }
}

/// Compares.
fn expect(what: &'static str, found: u64, expected: u64) -> Result<(), Wrong> {
    if found == expected {
        Ok(())
    } else {
        Err(Wrong::Found {
            what,
            found,
            expected,
        })
    }
}

/// One CPU of the crowd.
#[derive(Clone, Copy)]
pub struct Worker<'a> {
    host: Host<'a>,
    seat: &'a dyn Seat,
    hall: &'a Hall,
    /// Its number, from zero.
    number: u64,
}

impl<'a> Worker<'a> {
    /// The worker with a number below that of `hall`'s workers.
    pub fn new(seat: &'a dyn Seat, hall: &'a Hall, number: u64, dialect: Dialect) -> Self {
        let list = seat.pages() + number * PAGES_PER_WORKER * addr::GRANULE_SIZE;
        Self {
            host: Host::new(seat, dialect, list),
            seat,
            hall,
            number,
        }
    }

    /// Runs a scenario together with all other workers.
    pub fn run(&self, scenario: &Scenario) -> Result<(), Wrong> {
        self.meet()?;
        if self.is_first() {
            self.hall.clear();
        }
        self.meet()?;
        let outcome = (scenario.act)(self);
        if outcome.is_err() {
            self.hall.give_up();
        }
        outcome?;
        self.meet()
    }

    /// Waits until every worker is here.
    pub fn meet(&self) -> Result<(), Wrong> {
        Ok(self.hall.meet(|| self.seat.pause())?)
    }

    /// Moves a granule of the worker's to the Realm world and back.
    pub fn knock(&self) -> Result<(), Wrong> {
        self.host.delegate(self.area(self.number))?;
        self.host.undelegate(self.area(self.number))
    }

    fn is_first(&self) -> bool {
        self.number == 0
    }

    /// One of the worker's pages.
    fn page(&self, number: u64) -> u64 {
        let page = self.number * PAGES_PER_WORKER + number % PAGES_PER_WORKER;
        self.seat.pages() + page * addr::GRANULE_SIZE
    }

    /// The memory that is worker `number`'s.
    fn area(&self, number: u64) -> u64 {
        self.seat.granules() + number * AREA
    }
}

/// Something that all workers do together.
pub struct Scenario {
    /// A sentence of behaviour.
    pub name: &'static str,
    act: fn(&Worker<'_>) -> Result<(), Wrong>,
}

const ROUNDS: Scenario = Scenario {
    name: "the RECs of one Realm run on all CPUs and move between them",
    act: realms::rounds,
};

/// The scenario that takes every CPU into a Realm.
pub const ON_ALL_CPUS: &Scenario = &ROUNDS;

/// Every scenario.
pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "granules of different CPUs change hands independently of each other",
        act: granules::apart,
    },
    Scenario {
        name: "of all CPUs that want a granule one gets it",
        act: granules::together,
    },
    Scenario {
        name: "each CPU builds a Realm, runs it and takes it apart",
        act: realms::apart,
    },
    ROUNDS,
    Scenario {
        name: "a REC runs on one CPU at a time, and no step of it is lost",
        act: realms::contest,
    },
    Scenario {
        name: "RECs are made and unmade on all CPUs, one after the other in name",
        act: realms::recs,
    },
    Scenario {
        name: "an operation that has begun on one CPU ends on another",
        act: realms::operations,
    },
    Scenario {
        name: "tables change under RECs that run",
        act: tables::reshape,
    },
    Scenario {
        name: "memory that is taken from a running Realm is out of its reach",
        act: tables::take_away,
    },
];
