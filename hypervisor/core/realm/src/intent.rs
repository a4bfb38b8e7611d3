//! What a host wants of an RMM, apart from how one dialect says it.
//!
//! A Realm's life is written against these traits; [`v1_0`](crate::v1_0) and
//! [`v2_0`](crate::v2_0) implement them. They are cut where dialects differ:
//! 1.0 moves one granule per call, makes blocks by folding and takes auxiliary
//! memory with the parameters, 2.0 moves ranges, maps blocks directly and asks
//! for memory when it needs it. The transport of the virtual GIC differs too,
//! but belongs to the vCPU: in 1.0 it is fields of the run page.

use crate::{Memory, RealmSpec};
use addr::{GRANULE_SIZE, GranuleAddr, Ipa, PhysAddr};
use rmi::client::{Blocked, Contents, PsciAnswer, Removed, RmiError};

/// A page of parameters.
pub type Page = [u8; GRANULE_SIZE as usize];

/// How far a call on a run came, and why it stopped.
pub type Reached = (usize, Result<(), RmiError>);

/// Two Non-secure pages of the host in which parameters and lists travel. They
/// are there for a Realm's whole life, so that its end needs no memory.
pub struct Desk<'m> {
    memory: &'m mut dyn Memory,
    params: GranuleAddr,
    list: GranuleAddr,
}

impl<'m> Desk<'m> {
    /// The pages `params` and `list`, which came out of `memory`.
    pub fn new(memory: &'m mut dyn Memory, params: GranuleAddr, list: GranuleAddr) -> Self {
        Self {
            memory,
            params,
            list,
        }
    }

    /// Writes parameters; returns where they are.
    pub fn params(&mut self, bytes: &[u8]) -> GranuleAddr {
        if let Ok(page) = bytes.try_into() {
            self.memory.write(self.params, page);
        }
        self.params
    }

    /// The page for lists.
    pub fn list(&self) -> GranuleAddr {
        self.list
    }

    /// Writes word `index` of the list.
    pub fn put(&mut self, index: usize, word: u64) {
        self.memory.put(self.list, index, word);
    }

    /// Reads word `index` of the list.
    pub fn get(&self, index: usize) -> u64 {
        self.memory.get(self.list, index)
    }
}

/// Delegated granules set aside for one REC, and which of them the RMM uses.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Reserve {
    base: Option<GranuleAddr>,
    count: usize,
    held: u64,
}

impl Reserve {
    /// Granules a reserve can have at most.
    pub const MAX: usize = 64;

    /// `count` granules from `base`, of which the RMM uses none.
    pub fn new(base: GranuleAddr, count: usize) -> Self {
        Self {
            base: Some(base),
            count: count.min(Self::MAX),
            held: 0,
        }
    }

    /// Granules in it.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Granule `index`.
    pub fn get(&self, index: usize) -> Option<GranuleAddr> {
        let index = (index < self.count).then_some(index)?;
        self.base?.checked_add(index as u64)
    }

    /// Whether the RMM uses granule `index`.
    pub fn holds(&self, index: usize) -> bool {
        index < Self::MAX && self.held >> index & 1 != 0
    }

    /// Notes that the RMM uses granule `index`, or does no more.
    pub fn note(&mut self, index: usize, held: bool) {
        if index < self.count {
            self.held = self.held & !(1 << index) | u64::from(held) << index;
        }
    }

    /// Notes that the RMM uses all, or none.
    pub fn note_all(&mut self, held: bool) {
        for index in 0..self.count {
            self.note(index, held);
        }
    }

    /// Which granule of it `granule` is.
    pub fn index_of(&self, granule: GranuleAddr) -> Option<usize> {
        let index = granule.number().checked_sub(self.base?.number())?;
        usize::try_from(index).ok().filter(|at| *at < self.count)
    }
}

/// Moving granules between the worlds.
pub trait Delegation {
    /// Delegates `count` granules from `base`.
    fn delegate(&self, base: GranuleAddr, count: usize) -> Reached;

    /// Undelegates `count` granules from `base`.
    fn undelegate(&self, base: GranuleAddr, count: usize) -> Reached;
}

/// How a dialect maps private blocks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Blocks {
    /// Pages are mapped into a table, which is then folded.
    ByFold,
    /// A block is mapped by one call, without a table.
    Direct,
}

/// Private memory was taken out of a Realm.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Taken {
    /// The first granule, delegated again. It was at the address asked for.
    pub base: GranuleAddr,
    /// How many granules there are, at as many pages in a row.
    pub count: usize,
}

/// Giving a Realm private memory and taking it back.
pub trait Population {
    /// How private blocks come about.
    fn blocks(&self) -> Blocks;

    /// Makes `base..top` RAM before activation; returns how far it came.
    fn init_ripas(&self, rd: GranuleAddr, base: Ipa, top: Ipa) -> Result<Ipa, RmiError>;

    /// Changes `base..top` as `rec` asked; returns how far it came.
    fn set_ripas(
        &self,
        rd: GranuleAddr,
        rec: GranuleAddr,
        base: Ipa,
        top: Ipa,
    ) -> Result<Ipa, RmiError>;

    /// Puts the delegated granule `data` at `ipa`, a copy of `source`.
    fn copy_in(
        &self,
        rd: GranuleAddr,
        data: GranuleAddr,
        ipa: Ipa,
        source: GranuleAddr,
        contents: Contents,
    ) -> Result<(), RmiError>;

    /// Puts `count` delegated granules from `base` at `ipa` and up.
    fn fill(&self, rd: GranuleAddr, ipa: Ipa, base: GranuleAddr, count: usize) -> Reached;

    /// Puts the delegated granule `data` at `ipa`: [`fill`](Self::fill) of one, which a
    /// Realm that gets its memory by pages waits for at each fault.
    fn fill_page(&self, rd: GranuleAddr, ipa: Ipa, data: GranuleAddr) -> Result<(), RmiError>;

    /// Puts a block of 2 MiB of delegated granules at `ipa`; only for those who
    /// map blocks directly. Nothing is there after a failure.
    fn fill_block(&self, rd: GranuleAddr, ipa: Ipa, base: GranuleAddr) -> Result<(), RmiError>;

    /// Takes granules at and after `base` out, at least one and none at or past
    /// `top`. All of `base..top` is populated.
    fn take_out(&self, rd: GranuleAddr, base: Ipa, top: Ipa) -> Result<Taken, Blocked>;
}

/// Shaping a Realm's translation tables.
pub trait Tables {
    /// Makes `table` the table of `level` over `ipa`.
    fn create(
        &self,
        rd: GranuleAddr,
        table: GranuleAddr,
        ipa: Ipa,
        level: i8,
    ) -> Result<(), RmiError>;

    /// Takes the table of `level` over `ipa` out.
    fn destroy(&self, rd: GranuleAddr, ipa: Ipa, level: i8) -> Result<Removed, Blocked>;

    /// Replaces the table of `level` over `ipa` by one entry of its parent.
    fn fold(&self, rd: GranuleAddr, ipa: Ipa, level: i8) -> Result<GranuleAddr, RmiError>;
}

/// Sharing host memory with a Realm.
pub trait Sharing {
    /// Maps the page (level 3) or block (level 2) at `address` at `ipa`.
    fn map(&self, rd: GranuleAddr, ipa: Ipa, level: i8, address: PhysAddr) -> Result<(), RmiError>;

    /// Removes the mapping of `level` at `ipa`.
    fn unmap(&self, rd: GranuleAddr, ipa: Ipa, level: i8) -> Result<(), RmiError>;
}

/// What a REC starts from.
#[derive(Clone, Debug)]
pub struct RecStart {
    /// The number of the vCPU.
    pub index: u32,
    /// Whether it runs when the Realm starts.
    pub runnable: bool,
    /// Entry point.
    pub pc: Ipa,
    /// x0 to x7.
    pub gprs: [u64; 8],
}

/// Creating, running and destroying RECs.
pub trait RecMemory {
    /// Granules to set aside for each REC of the Realm, at most
    /// [`Reserve::MAX`].
    fn reserve(&self, rd: GranuleAddr) -> Result<usize, RmiError>;

    /// Makes `rec` a REC with memory of `reserve`, and notes what it uses,
    /// after a failure too.
    fn create_rec(
        &self,
        rd: GranuleAddr,
        rec: GranuleAddr,
        start: &RecStart,
        reserve: &mut Reserve,
        desk: &mut Desk<'_>,
    ) -> Result<(), RmiError>;

    /// Destroys a REC and notes which of its memory came back, delegated.
    fn destroy_rec(
        &self,
        rec: GranuleAddr,
        reserve: &mut Reserve,
        desk: &mut Desk<'_>,
    ) -> Result<(), RmiError>;

    /// Runs a REC until it exits.
    fn enter(&self, rec: GranuleAddr, run: GranuleAddr) -> Result<(), RmiError>;

    /// Completes a PSCI call that named another REC.
    fn complete(
        &self,
        calling: GranuleAddr,
        target: GranuleAddr,
        answer: PsciAnswer,
    ) -> Result<(), RmiError>;
}

/// Which steps of building a Realm extend its measurement, beside parameters,
/// contents and RECs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Measured {
    /// Making RAM of its memory.
    pub ripas: bool,
}

/// The beginning and the end of a Realm.
pub trait Life {
    /// Which steps of building extend the measurement.
    fn measured(&self) -> Measured;

    /// Makes `rd` a Realm.
    fn create_realm(
        &self,
        rd: GranuleAddr,
        spec: &RealmSpec,
        start_tables: GranuleAddr,
        desk: &mut Desk<'_>,
    ) -> Result<(), RmiError>;

    /// Makes the Realm runnable.
    fn activate(&self, rd: GranuleAddr) -> Result<(), RmiError>;

    /// Ends a Realm for good; none of its RECs can be entered any more.
    fn terminate(&self, rd: GranuleAddr) -> Result<(), RmiError>;

    /// Destroys a terminated Realm that owns nothing any more.
    fn destroy_realm(&self, rd: GranuleAddr) -> Result<(), RmiError>;
}

/// All a Realm's life needs.
pub trait Backend: Delegation + Population + Tables + Sharing + RecMemory + Life {}

impl<T: Delegation + Population + Tables + Sharing + RecMemory + Life> Backend for T {}
