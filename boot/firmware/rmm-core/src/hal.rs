//! What the RMM core needs of the machine.
//!
//! R-EL2 implements [`Hal`] with hardware, `tests/contract` with a model; the
//! core between them is the same. All decisions are the core's: a [`Hal`]
//! moves bytes, changes registers and reports what happened.
//!
//! Who may touch which memory is decided by the core's granule table. The core
//! asks for [`Hal::page`] only of a granule that
//!
//! 1. it holds locked in the table, in a Realm-world state, or
//! 2. is the REC (or an auxiliary granule of it) that this CPU has marked as
//!    running, which keeps everybody else away,
//!
//! and never twice for the same granule at once. That is what makes handing
//! out a mutable reference from `&self` sound in the implementation.

use crate::context::{FpState, GicState, RecContext, Stage2};
use addr::{GranuleAddr, Ipa};
use core::fmt;
use core::ops::DerefMut;

/// Bytes in a granule.
pub const PAGE_SIZE: usize = 4096;

/// A granule's bytes, aligned as granules are, so that the core can lay its
/// structures over them without asking for more.
#[derive(
    Clone, zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout,
)]
#[repr(C, align(4096))]
pub struct PageBytes(pub [u8; PAGE_SIZE]);

impl fmt::Debug for PageBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PageBytes(..)")
    }
}

/// An access to Non-secure memory met a granule protection fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NsFault;

impl fmt::Display for NsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the page is not Non-secure: its access took a granule protection fault")
    }
}

impl core::error::Error for NsFault {}

/// EL3 refused to change a granule's physical address space.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct GptRefused;

impl fmt::Display for GptRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EL3 refused to change the granule's physical address space")
    }
}

impl core::error::Error for GptRefused {}

/// Why a REC stopped running.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RunExitKind {
    /// A synchronous exception to EL2, described by [`RunExit`]'s fields.
    Sync,
    /// A physical interrupt is pending.
    Irq,
    /// A physical FIQ is pending.
    Fiq,
    /// A physical SError was taken; `esr` describes it.
    SError,
}

/// How a REC stopped running. Fields that the kind does not name are zero.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RunExit {
    /// Why.
    pub kind: RunExitKind,
    /// `ESR_EL2`.
    pub esr: u64,
    /// `FAR_EL2`.
    pub far: u64,
    /// `HPFAR_EL2`.
    pub hpfar: u64,
}

/// What a TLB maintenance must reach.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TlbScope {
    /// Translations made by one leaf entry (page or block).
    Leaf {
        /// Any address the entry mapped, aligned to its size.
        ipa: Ipa,
        /// The entry's level.
        level: i8,
    },
    /// Everything cached of the stage 2, table walks included.
    All,
}

/// Severity of a line of log.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum LogLevel {
    /// Something is broken.
    Error,
    /// Something is odd.
    Warn,
    /// A milestone of a Realm's life.
    Info,
    /// Every call that is not part of a loop over granules.
    Debug,
    /// Every call.
    Trace,
}

/// The machine below the RMM core. Shared by all CPUs.
pub trait Hal: Sync {
    /// Exclusive access to a granule in the Realm PAS.
    type Page<'a>: DerefMut<Target = PageBytes>
    where
        Self: 'a;

    /// Maps a granule of the Realm PAS; see the module's head for who may ask.
    fn page(&self, granule: GranuleAddr) -> Self::Page<'_>;

    /// Fills a granule of the Realm PAS with zeroes. Same rule as [`Hal::page`].
    fn zero(&self, granule: GranuleAddr);

    /// Copies a whole Non-secure granule into one of the Realm PAS. The
    /// destination's contents are undefined after a fault.
    fn copy_from_ns(&self, to: GranuleAddr, from: GranuleAddr) -> Result<(), NsFault>;

    /// Reads Non-secure memory within one granule. `offset` and the length are
    /// multiples of 8 and stay within the granule; `to` is 8-byte aligned.
    fn ns_read(&self, from: GranuleAddr, offset: usize, to: &mut [u8]) -> Result<(), NsFault>;

    /// Writes Non-secure memory within one granule, as [`Hal::ns_read`] reads.
    fn ns_write(&self, to: GranuleAddr, offset: usize, from: &[u8]) -> Result<(), NsFault>;

    /// Reads an entry (`index` below 512) of a translation table.
    fn rtte_read(&self, table: GranuleAddr, index: usize) -> u64;

    /// Writes an entry of a translation table: single-copy atomic, and ordered
    /// before whatever follows for every table walker (DSB ISHST).
    fn rtte_write(&self, table: GranuleAddr, index: usize, value: u64);

    /// Makes every CPU forget translations of a stage 2, combined stage 1 and 2
    /// ones included, and waits until they have.
    fn tlb_invalidate(&self, stage2: &Stage2, scope: TlbScope);

    /// Asks EL3 to move a granule from the Non-secure to the Realm PAS.
    fn delegate(&self, granule: GranuleAddr) -> Result<(), GptRefused>;

    /// Asks EL3 to move a granule from the Realm to the Non-secure PAS.
    fn undelegate(&self, granule: GranuleAddr) -> Result<(), GptRefused>;

    /// Runs a REC on this CPU until it has to stop: loads all of `context`,
    /// `fp` and `stage2`, enters EL1, and stores them back.
    ///
    /// - HCR_EL2 is the implementation's fixed value (TSC, TID3, TACR, TIDCP,
    ///   VM, IMO, FMO, AMO, FWB, RW …) with `context.hcr` added.
    /// - A timer's output is masked (CNTHCTL_EL2.CNTVMASK, CNTPMASK) as
    ///   `context.timers.mask` says; CNTVOFF and CNTPOFF are zero.
    /// - Floating point traps are handled inside, as are spurious exits that
    ///   nobody needs to hear of.
    /// - For a trapped SMC, `context.pc` is that of the SMC instruction.
    fn run(
        &self,
        cpu: usize,
        context: &mut RecContext,
        fp: &mut FpState,
        stage2: &Stage2,
    ) -> RunExit;

    /// Where RMI 2.0 is spoken: takes what the host has programmed into this
    /// CPU's `ICH_*` registers, which both worlds share then.
    fn gic_take(&self, _cpu: usize, _gic: &mut GicState) {}

    /// Where RMI 2.0 is spoken: leaves what became of it in the registers, with
    /// `ICH_HCR_EL2` as in `gic`.
    fn gic_give(&self, _cpu: usize, _gic: &GicState) {}

    /// The physical counter (CNTPCT_EL0), on which Realm timers run.
    fn counter(&self) -> u64;

    /// Compresses whole blocks into a SHA-256 state.
    fn sha256_blocks(&self, state: &mut [u32; 8], blocks: &[[u8; 64]]) {
        sha2::block_api::compress256(state, blocks);
    }

    /// Compresses whole blocks into a SHA-512 state, which SHA-384 shares.
    fn sha512_blocks(&self, state: &mut [u64; 8], blocks: &[[u8; 128]]) {
        sha2::block_api::compress512(state, blocks);
    }

    /// Whether lines of `level` are wanted; asked before they are formatted.
    fn log_enabled(&self, level: LogLevel) -> bool;

    /// Writes one line of log; the implementation adds the line end.
    fn log(&self, level: LogLevel, line: fmt::Arguments<'_>);
}
