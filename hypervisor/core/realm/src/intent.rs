//! What a host wants of an RMM, apart from how one dialect says it.
//!
//! A Realm's life is written against these traits; [`v1_0`](crate::v1_0)
//! implements them for RMI 1.0. They are cut where dialects differ: 1.0 moves
//! one granule per call, makes blocks by folding and takes auxiliary memory
//! with the parameters, later revisions move ranges and map blocks directly.
//! The transport of the virtual GIC differs too, but belongs to the vCPU: in
//! 1.0 it is fields of the run page.

use crate::RealmSpec;
use addr::{GRANULE_SIZE, GranuleAddr, Ipa, PhysAddr};
use rmi::client::{Blocked, Contents, PsciAnswer, Removed, RmiError};

/// A page of parameters.
pub type Page = [u8; GRANULE_SIZE as usize];

/// How far a call on a run came, and why it stopped.
pub type Reached = (usize, Result<(), RmiError>);

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

/// Giving a Realm private memory and taking it back.
pub trait Population {
    /// How private blocks come about.
    const BLOCKS: Blocks;

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

    /// Takes the granule at `ipa` out.
    fn take_out(&self, rd: GranuleAddr, ipa: Ipa) -> Result<Removed, Blocked>;
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
pub struct RecStart<'a> {
    /// The number of the vCPU.
    pub index: u32,
    /// Whether it runs when the Realm starts.
    pub runnable: bool,
    /// Entry point.
    pub pc: Ipa,
    /// x0 to x7.
    pub gprs: [u64; 8],
    /// The auxiliary granules.
    pub aux: &'a [u64],
}

/// Creating, running and destroying RECs.
pub trait RecMemory {
    /// Auxiliary granules each REC of the Realm needs.
    fn aux_count(&self, rd: GranuleAddr) -> Result<usize, RmiError>;

    /// Makes `rec` a REC. `write` puts parameters into the page `params`.
    fn create_rec(
        &self,
        rd: GranuleAddr,
        rec: GranuleAddr,
        params: GranuleAddr,
        start: &RecStart<'_>,
        write: &mut dyn FnMut(&Page),
    ) -> Result<(), RmiError>;

    /// Destroys a REC.
    fn destroy_rec(&self, rec: GranuleAddr) -> Result<(), RmiError>;

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

/// The beginning and the end of a Realm.
pub trait Life {
    /// Makes `rd` a Realm. `write` puts parameters into the page `params`.
    fn create_realm(
        &self,
        rd: GranuleAddr,
        params: GranuleAddr,
        spec: &RealmSpec,
        start_tables: GranuleAddr,
        write: &mut dyn FnMut(&Page),
    ) -> Result<(), RmiError>;

    /// Makes the Realm runnable.
    fn activate(&self, rd: GranuleAddr) -> Result<(), RmiError>;

    /// Destroys a Realm that owns nothing any more.
    fn destroy_realm(&self, rd: GranuleAddr) -> Result<(), RmiError>;
}

/// All a Realm's life needs.
pub trait Backend: Delegation + Population + Tables + Sharing + RecMemory + Life {}

impl<T: Delegation + Population + Tables + Sharing + RecMemory + Life> Backend for T {}
