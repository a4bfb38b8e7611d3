//! The RMM as a value: hardware, granule table, what the CPU can do, VMIDs.

use crate::behaviour::Behaviour;
use crate::features::CpuFeatures;
use crate::granule::{GranuleState, GranuleTable, Guard};
use crate::hal::{Hal, TlbScope};
use crate::pages::RealmPage;
use crate::rmi2::Operations;
use ::rmi::status::Status;
use addr::{GranuleAddr, PhysRange};
use core::fmt;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What a command gives back before its outputs are encoded.
pub type Outcome<T> = Result<T, Status>;

/// What the shell knows of the machine.
#[derive(Clone, Copy, Debug)]
pub struct Config<'a> {
    /// DRAM banks whose granules the RMM tracks.
    pub banks: &'a [PhysRange],
    /// The RMM's own memory, which is never anybody's.
    pub reserved: Option<PhysRange>,
    /// The CPU's identification registers.
    pub cpu: CpuFeatures,
}

/// Which RMI the RMM speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Dialect {
    /// RMI 1.0.
    #[default]
    V1_0,
    /// RMI 2.0, behaving in one of the ways that known RMMs do.
    V2_0(Behaviour),
}

/// A configuration the RMM cannot start with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ConfigError {
    /// A bank is misaligned or above 48 bits, or the granule table is too
    /// small.
    Banks,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "the DRAM banks must be 4 KiB aligned, lie below 2^48 \
             and have a word of granule table for each granule",
        )
    }
}

impl core::error::Error for ConfigError {}

const VMID_WORDS: usize = (1 << 16) / 64;

/// The VMIDs that live Realms hold.
#[derive(Debug)]
pub struct Vmids([AtomicU64; VMID_WORDS]);

impl Vmids {
    fn word(&self, vmid: u64) -> Option<(&AtomicU64, u64)> {
        let word = self.0.get(usize::try_from(vmid / 64).ok()?)?;
        Some((word, 1 << (vmid % 64)))
    }

    /// Takes `vmid`, if nobody has it.
    pub fn take(&self, vmid: u64) -> bool {
        self.word(vmid)
            .is_some_and(|(word, bit)| word.fetch_or(bit, Ordering::AcqRel) & bit == 0)
    }

    /// Takes any VMID below `count` that nobody has.
    pub fn take_any(&self, count: u64) -> Option<u64> {
        (0..count).find(|vmid| self.take(*vmid))
    }

    /// Gives `vmid` back.
    pub fn give_back(&self, vmid: u64) {
        if let Some((word, bit)) = self.word(vmid) {
            word.fetch_and(!bit, Ordering::AcqRel);
        }
    }
}

/// The Realm Management Monitor. Shared by all CPUs.
#[derive(Debug)]
pub struct Rmm<'a, H: Hal> {
    pub(crate) hal: &'a H,
    pub(crate) granules: GranuleTable<'a>,
    pub(crate) cpu: CpuFeatures,
    pub(crate) vmids: Vmids,
    pub(crate) dialect: Dialect,
    pub(crate) active: AtomicBool,
    pub(crate) operations: Operations,
}

impl<'a, H: Hal> Rmm<'a, H> {
    /// An RMM over `hal` that tracks the banks of `config` in `table`: a word
    /// of zero for each granule, in the order of the banks.
    pub fn new(
        hal: &'a H,
        table: &'a [AtomicU64],
        config: Config<'a>,
    ) -> Result<Self, ConfigError> {
        let granules =
            GranuleTable::new(table, config.banks, config.reserved).ok_or(ConfigError::Banks)?;
        Ok(Self {
            hal,
            granules,
            cpu: config.cpu,
            vmids: Vmids([const { AtomicU64::new(0) }; VMID_WORDS]),
            dialect: Dialect::V1_0,
            active: AtomicBool::new(false),
            operations: Operations::default(),
        })
    }

    /// The same RMM, speaking `dialect`.
    #[must_use]
    pub fn speaking(mut self, dialect: Dialect) -> Self {
        self.dialect = dialect;
        self
    }

    /// Makes the TLBs forget part of a Realm, where they can know anything of it.
    pub(crate) fn forget(&self, realm: &RealmPage, scope: TlbScope) {
        if realm.may_be_cached() {
            self.hal.tlb_invalidate(&realm.stage2, scope);
        }
    }

    /// The granule a caller named, if it is one.
    pub(crate) fn granule(&self, raw: u64) -> Outcome<GranuleAddr> {
        GranuleAddr::from_raw(raw).map_err(|_| Status::ErrorInput)
    }

    /// Locks a granule a caller named, if it is in `state`.
    pub(crate) fn lock(&self, raw: u64, state: GranuleState) -> Outcome<Guard<'a>> {
        self.granules
            .lock(self.granule(raw)?, state)
            .ok_or(Status::ErrorInput)
    }

    /// Locks two granules a caller named, in the order of their addresses.
    pub(crate) fn lock_two(
        &self,
        first: (u64, GranuleState),
        second: (u64, GranuleState),
    ) -> Outcome<(Guard<'a>, Guard<'a>)> {
        let wanted = [
            Some((self.granule(first.0)?, first.1)),
            Some((self.granule(second.0)?, second.1)),
        ];
        match self.granules.lock_all(&wanted) {
            Some([Some(first), Some(second)]) => Ok((first, second)),
            _ => Err(Status::ErrorInput),
        }
    }

    /// A page of the host that the RMM is to read or write: tracked, and the
    /// host's as far as the RMM knows. The access itself may still fault.
    pub(crate) fn host_page(&self, raw: u64) -> Outcome<GranuleAddr> {
        let granule = self.granule(raw)?;
        match self.granules.peek(granule) {
            Some(GranuleState::Undelegated) => Ok(granule),
            _ => Err(Status::ErrorInput),
        }
    }
}

/// Writes a line of log if its level is wanted.
macro_rules! log {
    ($hal:expr, $level:ident, $($line:tt)*) => {
        if $hal.log_enabled($crate::hal::LogLevel::$level) {
            $hal.log($crate::hal::LogLevel::$level, format_args!($($line)*));
        }
    };
}
pub(crate) use log;
