//! What every granule of RAM is, and whose.
//!
//! The RMM keeps no books for the host: it tells a granule's address when it
//! gives one back, and nothing else. The ledger therefore notes each granule
//! handed over – one 16-bit word per granule of RAM, in a table the shell
//! provides – and takes one back only if it is what it should be. A granule
//! that cannot be undelegated is [`Kind::Quarantined`]: never reused, named in
//! log and summary.
//!
//! The table is atomic, so that all CPUs and all Realms share one ledger, and
//! the handler of granule protection faults can read it at any time. Each
//! granule has one owner, who alone changes its word; the order of accesses to
//! different words does not matter, hence `Relaxed`.

use crate::intent::Delegation;
use crate::{Delegated, Granules, Undelegated};
use addr::{GRANULE_SHIFT, GranuleAddr, PhysAddr, PhysRange};
use core::fmt;
use core::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use rmi::client::RmiError;

/// Banks of RAM a ledger can cover.
pub const MAX_BANKS: usize = 16;

/// The number the hypervisor gives a VM; at most [`VmId::MAX`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct VmId(u16);

impl VmId {
    /// The largest number.
    pub const MAX: u16 = 0xfff;

    /// VM number `id`.
    pub const fn new(id: u16) -> Option<Self> {
        if id <= Self::MAX {
            Some(Self(id))
        } else {
            None
        }
    }

    /// The number.
    pub const fn raw(self) -> u16 {
        self.0
    }
}

/// What a granule is used for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[repr(u8)]
pub enum Kind {
    /// The host's.
    Host = 0,
    /// Delegated, and held in reserve.
    Spare = 1,
    /// A Realm descriptor.
    Rd = 2,
    /// A Realm execution context.
    Rec = 3,
    /// Auxiliary memory of a REC.
    RecAux = 4,
    /// A Realm translation table of level 0.
    Rtt0 = 5,
    /// A Realm translation table of level 1.
    Rtt1 = 6,
    /// A Realm translation table of level 2.
    Rtt2 = 7,
    /// A Realm translation table of level 3.
    Rtt3 = 8,
    /// A page of private memory of a Realm.
    Data = 9,
    /// Delegated, and the RMM does not give it back.
    Quarantined = 10,
    /// The RMM does not accept it.
    Refused = 11,
    /// A page of private memory of a Realm that has its place in 2 MiB set
    /// aside for one region, and is freed with it.
    FrameData = 12,
}

impl Kind {
    /// A translation table of `level`.
    pub const fn rtt(level: i8) -> Self {
        match level {
            3 => Self::Rtt3,
            2 => Self::Rtt2,
            1 => Self::Rtt1,
            _ => Self::Rtt0,
        }
    }

    const fn from_raw(raw: u16) -> Self {
        match raw {
            1 => Self::Spare,
            2 => Self::Rd,
            3 => Self::Rec,
            4 => Self::RecAux,
            5 => Self::Rtt0,
            6 => Self::Rtt1,
            7 => Self::Rtt2,
            8 => Self::Rtt3,
            9 => Self::Data,
            10 => Self::Quarantined,
            11 => Self::Refused,
            12 => Self::FrameData,
            _ => Self::Host,
        }
    }
}

/// A granule's entry in the ledger.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Owner {
    /// What it is.
    pub kind: Kind,
    /// Whose it is; meaningless for `Host` and `Refused`.
    pub vm: VmId,
}

impl Owner {
    pub(crate) const fn new(kind: Kind, vm: VmId) -> Self {
        Self { kind, vm }
    }

    /// The word of the table. Zero is memory of the host, whoever had it last.
    const fn raw(self) -> u16 {
        match self.kind {
            Kind::Host => 0,
            kind => (kind as u16) << 12 | self.vm.0,
        }
    }

    const fn from_raw(raw: u16) -> Self {
        Self {
            kind: Kind::from_raw(raw >> 12),
            vm: VmId(raw & VmId::MAX),
        }
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            Kind::Host => return f.write_str("memory of the host"),
            Kind::Refused => return f.write_str("memory the RMM does not accept"),
            Kind::Spare => "delegated in reserve for",
            Kind::Rd => "Realm descriptor of",
            Kind::Rec => "REC of",
            Kind::RecAux => "auxiliary memory of a REC of",
            Kind::Rtt0 => "level-0 RTT of",
            Kind::Rtt1 => "level-1 RTT of",
            Kind::Rtt2 => "level-2 RTT of",
            Kind::Rtt3 => "level-3 RTT of",
            Kind::Data | Kind::FrameData => "private memory of",
            Kind::Quarantined => "quarantined, last used by",
        };
        write!(f, "{what} VM {}", self.vm.0)
    }
}

/// What crossed to the RMM and back.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Granules delegated since start.
    pub delegated: u64,
    /// Granules undelegated since start.
    pub undelegated: u64,
    /// Granules the RMM holds now.
    pub outstanding: u64,
}

/// A ledger cannot be made of what the shell gave.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LedgerError {
    /// More banks of RAM than [`MAX_BANKS`].
    TooManyBanks,
    /// The table has fewer words than the banks have granules.
    TableTooShort {
        /// Words needed.
        needed: usize,
    },
}

impl fmt::Display for LedgerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooManyBanks => write!(
                f,
                "the device tree has more than {MAX_BANKS} banks of RAM: raise the ledger's limit"
            ),
            Self::TableTooShort { needed } => write!(
                f,
                "the granule ledger needs a table of {needed} words: give it more memory"
            ),
        }
    }
}

impl core::error::Error for LedgerError {}

/// A delegation that stopped early.
#[derive(Debug)]
pub struct Refusal {
    /// Why it stopped.
    pub error: RmiError,
    /// What had been delegated before.
    pub delegated: Option<Granules<Delegated>>,
    /// What was not; the first of these was refused.
    pub rest: Option<Granules<Undelegated>>,
}

#[derive(Clone, Copy, Default)]
struct Bank {
    base: u64,
    count: u64,
    index: usize,
}

/// The books. See the module's text.
pub struct Ledger<'a> {
    banks: [Bank; MAX_BANKS],
    table: &'a [AtomicU16],
    delegated: AtomicU64,
    undelegated: AtomicU64,
    quarantined: AtomicU64,
}

impl<'a> Ledger<'a> {
    /// Words of table that `banks` need.
    pub fn entries(banks: &[PhysRange]) -> usize {
        banks.iter().map(|bank| granules(*bank).1 as usize).sum()
    }

    /// Books over `banks` in `table`, whose words must all be zero.
    pub fn new(banks: &[PhysRange], table: &'a [AtomicU16]) -> Result<Self, LedgerError> {
        let mut ledger = Self {
            banks: [Bank::default(); MAX_BANKS],
            table,
            delegated: AtomicU64::new(0),
            undelegated: AtomicU64::new(0),
            quarantined: AtomicU64::new(0),
        };
        if banks.len() > MAX_BANKS {
            return Err(LedgerError::TooManyBanks);
        }
        let needed = Self::entries(banks);
        if table.len() < needed {
            return Err(LedgerError::TableTooShort { needed });
        }
        let mut index = 0;
        for (slot, bank) in ledger.banks.iter_mut().zip(banks) {
            let (base, count) = granules(*bank);
            *slot = Bank { base, count, index };
            index += count as usize;
        }
        Ok(ledger)
    }

    #[inline]
    fn word(&self, granule: GranuleAddr) -> Option<&AtomicU16> {
        let number = granule.number();
        self.banks.iter().find_map(|bank| {
            let offset = number.checked_sub(bank.base)?;
            (offset < bank.count).then(|| self.table.get(bank.index + offset as usize))?
        })
    }

    /// The words of a run, if it lies in one bank.
    fn words(&self, base: GranuleAddr, count: usize) -> &[AtomicU16] {
        let number = base.number();
        self.banks
            .iter()
            .find_map(|bank| {
                let offset = number.checked_sub(bank.base)?;
                if offset.checked_add(count as u64)? > bank.count {
                    return None;
                }
                let first = bank.index + offset as usize;
                self.table.get(first..first + count)
            })
            .unwrap_or(&[])
    }

    fn note(&self, base: GranuleAddr, count: usize, owner: Owner) {
        for word in self.words(base, count) {
            word.store(owner.raw(), Ordering::Relaxed);
        }
    }

    /// What the granule at `address` is, or `None` outside RAM.
    pub fn owner(&self, address: PhysAddr) -> Option<Owner> {
        self.word(GranuleAddr::containing(address))
            .map(|word| Owner::from_raw(word.load(Ordering::Relaxed)))
    }

    /// What crossed to the RMM and back so far.
    pub fn counts(&self) -> Counts {
        let delegated = self.delegated.load(Ordering::Relaxed);
        let undelegated = self.undelegated.load(Ordering::Relaxed);
        Counts {
            delegated,
            undelegated,
            outstanding: delegated.saturating_sub(undelegated),
        }
    }

    /// The granules the RMM holds, and what they are. Walks the whole table.
    pub fn held(&self) -> impl Iterator<Item = (GranuleAddr, Owner)> + '_ {
        self.banks.iter().flat_map(move |bank| {
            (0..bank.count).filter_map(move |offset| {
                let raw = bank.base.checked_add(offset)? << GRANULE_SHIFT;
                let granule = GranuleAddr::from_raw(raw).ok()?;
                let owner = self.owner(granule.address())?;
                let held = !matches!(owner.kind, Kind::Host | Kind::Refused);
                held.then_some((granule, owner))
            })
        })
    }

    /// The granules the RMM does not give back.
    pub fn quarantined(&self) -> impl Iterator<Item = (GranuleAddr, Owner)> + '_ {
        let any = self.quarantined.load(Ordering::Relaxed) != 0;
        any.then(|| self.held())
            .into_iter()
            .flatten()
            .filter(|(_, owner)| owner.kind == Kind::Quarantined)
    }

    /// Hands a run to the RMM. What is not RAM of the host, or was refused
    /// before, is refused before the RMM hears of it.
    pub fn delegate<B: Delegation>(
        &self,
        rmm: &B,
        run: Granules<Undelegated>,
        vm: VmId,
    ) -> Result<Granules<Delegated>, Refusal> {
        let (base, count) = (run.base(), run.count());
        let ours = self
            .words(base, count)
            .iter()
            .take_while(|word| word.load(Ordering::Relaxed) == 0)
            .count();
        let (done, result) = match ours {
            0 => (0, Ok(())),
            _ => rmm.delegate(base, ours),
        };
        let done = done.min(ours);
        self.note(base, done, Owner::new(Kind::Spare, vm));
        self.delegated.fetch_add(done as u64, Ordering::Relaxed);
        if done == count {
            return Ok(Granules::assume(base, count));
        }
        let (head, rest) = run.split(done);
        if let (Err(RmiError::Input), Some(rest)) = (result, &rest) {
            self.note(rest.base(), 1, Owner::new(Kind::Refused, vm));
        }
        Err(Refusal {
            error: result.err().unwrap_or(RmiError::Input),
            delegated: head.map(|head| Granules::assume(head.base(), head.count())),
            rest,
        })
    }

    /// Takes a run back from the RMM and gives what came back to `free`, in
    /// runs as long as possible. What did not come back is quarantined.
    pub fn undelegate<B: Delegation>(
        &self,
        rmm: &B,
        run: Granules<Delegated>,
        vm: VmId,
        mut free: impl FnMut(Granules<Undelegated>),
    ) -> usize {
        let mut rest = Some(run);
        let mut kept = 0;
        while let Some(run) = rest.take() {
            let (base, count) = (run.base(), run.count());
            let (done, result) = rmm.undelegate(base, count);
            let done = done.min(count);
            if done > 0 {
                self.note(base, done, Owner::new(Kind::Host, vm));
                self.undelegated.fetch_add(done as u64, Ordering::Relaxed);
                free(Granules::assume(base, done));
            }
            let (_, failed) = run.split(done);
            let Some(failed) = failed else { break };
            // The first of these did not come back; the others may.
            let granule = failed.base();
            match result {
                Ok(()) => log::error!("{granule} of VM {} stays with the RMM", vm.0),
                Err(error) => {
                    log::error!("{granule} of VM {} stays with the RMM: {error}", vm.0);
                }
            }
            self.quarantine(granule, vm);
            kept += 1;
            let (_, others) = failed.split(1);
            rest = others;
        }
        kept
    }

    /// Notes that a run is now an object of the RMM; where it rests, its owner
    /// keeps the address only.
    pub(crate) fn place(&self, run: Granules<Delegated>, kind: Kind, vm: VmId) -> GranuleAddr {
        let base = run.base();
        self.note(base, run.count(), Owner::new(kind, vm));
        base
    }

    /// [`place`](Self::place) for a run of one, which each page of a Realm comes in.
    #[inline]
    pub(crate) fn place_page(&self, page: Granules<Delegated>, kind: Kind, vm: VmId) {
        if let Some(word) = self.word(page.base()) {
            word.store(Owner::new(kind, vm).raw(), Ordering::Relaxed);
        }
    }

    /// Takes a granule the RMM gave back out of the books, if it is what it
    /// should be.
    pub(crate) fn reclaim(
        &self,
        granule: GranuleAddr,
        kind: Kind,
        vm: VmId,
    ) -> Option<Granules<Delegated>> {
        let word = self.word(granule)?;
        let expected = Owner::new(kind, vm);
        if word.load(Ordering::Relaxed) != expected.raw() {
            log::error!("the RMM gave back {granule}, which is not {expected}");
            return None;
        }
        word.store(Owner::new(Kind::Spare, vm).raw(), Ordering::Relaxed);
        Some(Granules::assume(granule, 1))
    }

    /// As [`reclaim`](Self::reclaim), for a run that was placed as one.
    pub(crate) fn reclaim_run(
        &self,
        base: GranuleAddr,
        count: usize,
        kind: Kind,
        vm: VmId,
    ) -> Option<Granules<Delegated>> {
        let expected = Owner::new(kind, vm).raw();
        let words = self.words(base, count);
        let all = words.len() == count
            && words
                .iter()
                .all(|word| word.load(Ordering::Relaxed) == expected);
        if count == 0 || !all {
            log::error!(
                "the RMM gave back {base} x{count}, which are not {kind:?} of VM {}",
                vm.0
            );
            return None;
        }
        self.note(base, count, Owner::new(Kind::Spare, vm));
        Some(Granules::assume(base, count))
    }

    /// Gives a granule up for good.
    pub(crate) fn quarantine(&self, granule: GranuleAddr, vm: VmId) {
        self.note(granule, 1, Owner::new(Kind::Quarantined, vm));
        self.quarantined.fetch_add(1, Ordering::Relaxed);
    }
}

/// First granule number and count of the whole granules in `bank`.
fn granules(bank: PhysRange) -> (u64, u64) {
    let mask = (1u64 << GRANULE_SHIFT) - 1;
    let first = (bank.base().raw() >> GRANULE_SHIFT) + u64::from(bank.base().raw() & mask != 0);
    let end = bank.top().raw() >> GRANULE_SHIFT;
    (first, end.saturating_sub(first))
}

#[cfg(test)]
mod tests;
