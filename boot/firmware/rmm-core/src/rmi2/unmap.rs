//! `RMI_RTT_DATA_UNMAP`, `RMI_RTT_UNPROT_UNMAP`: entries of one table back to
//! nothing, and the memory behind them to the host.
//!
//! What will be told to the host is worked out and written first, then the
//! entries change: a list that cannot be written loses no memory.

use super::block::List;
use super::map::Target;
use super::{Answer, Outcome2, Refusal, success, with_status};
use crate::behaviour::Behaviour;
use crate::hal::{Hal, TlbScope};
use crate::pages::RealmPage;
use crate::rmm::Rmm;
use crate::rtt::{Entry, RealmSpace, Walk};
use ::rmi::rtt::{IpaHalf, Ripas};
use ::rmi::status::Status;
use ::rmi::v2_0::range::{BlockSize, MemState, RangeDesc, StateField};
use addr::{GRANULE_SIZE, GranuleAddr};
use zerocopy::IntoBytes;

/// Ranges that one call finds at most.
const MOST: usize = 128;

/// How the host wants to hear of the memory it gets back.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Report {
    /// Not at all.
    None,
    /// As one contiguous range.
    Single,
    /// As a list in a page of its own.
    List(List),
}

impl Report {
    /// Descriptors that can be reported.
    fn room(self) -> usize {
        match self {
            Self::None => MOST,
            Self::Single => 1,
            Self::List(list) => usize::try_from(list.entries).unwrap_or(MOST),
        }
    }
}

/// What is to be unmapped.
struct Sweep {
    /// Entries to go through, live or not.
    entries: u64,
    /// What is mapped there, neighbours joined.
    found: [u64; MOST],
    /// Descriptors in `found`.
    count: usize,
    last: Option<RangeDesc>,
    field: StateField,
}

impl Sweep {
    /// Adds a mapped entry, if there is room for it.
    fn add(&mut self, room: usize, next: RangeDesc) -> bool {
        let joined = self.last.and_then(|last| {
            let follows = last.base().checked_add(last.granules()) == Some(next.base());
            let joined = RangeDesc::new(last.base(), last.size(), last.count() + 1, last.state());
            joined.ok().filter(|_| follows)
        });
        let place = match joined {
            Some(_) => self.count.saturating_sub(1),
            None => self.count,
        };
        let Some(slot) = self.found.get_mut(place).filter(|_| place < room) else {
            return false;
        };
        let desc = joined.unwrap_or(next);
        *slot = desc.encode(self.field);
        self.count = place + 1;
        self.last = Some(desc);
        true
    }

    fn descriptors(&self) -> &[u64] {
        self.found.get(..self.count).unwrap_or(&[])
    }
}

/// A mapped entry as a descriptor.
fn described(walk: &Walk) -> Option<RangeDesc> {
    let base = GranuleAddr::new(walk.entry.output()?).ok()?;
    let state = match walk.half {
        IpaHalf::Protected => MemState::Delegated,
        IpaHalf::Unprotected => MemState::Undelegated,
    };
    RangeDesc::new(base, BlockSize::at_level(walk.level)?, 1, state).ok()
}

impl<H: Hal> Rmm<'_, H> {
    fn report(&self, flags: u64, oaddr: u64) -> Outcome2<Report> {
        let entries = (flags >> 2) & 0x3fff;
        match flags & 0b11 {
            0 if oaddr == 0 && entries == 0 => Ok(Report::None),
            1 if oaddr == 0 && entries == 0 => Ok(Report::Single),
            2 => Ok(Report::List(self.list(oaddr, entries)?)),
            _ => Err(Refusal::Known(Status::ErrorInput)),
        }
    }

    /// Goes through the entries without changing any.
    fn plan(&self, mut walk: Walk, bytes: u64, room: usize, budget: u64) -> Sweep {
        let size = walk.size().max(1);
        let mut sweep = Sweep {
            entries: 0,
            found: [0; MOST],
            count: 0,
            last: None,
            field: self.state_field(),
        };
        let mut granules = 0;
        while sweep.entries < bytes / size {
            if let Some(desc) = described(&walk) {
                granules += desc.granules();
                let too_much = sweep.count != 0 && granules > budget;
                if too_much || !sweep.add(room, desc) {
                    break;
                }
            } else if walk.entry.is_live() {
                break;
            }
            sweep.entries += 1;
            if !walk.next(self.hal) {
                break;
            }
        }
        sweep
    }

    fn clear(&self, realm: &RealmPage, mut walk: Walk, entries: u64) {
        let mut was_mapped = false;
        for _ in 0..entries {
            was_mapped |= walk.entry.is_mapped();
            match walk.entry {
                Entry::Assigned { ripas, .. } => {
                    let left = match ripas {
                        Ripas::Empty => Ripas::Empty,
                        Ripas::Ram | Ripas::Destroyed => Ripas::Destroyed,
                    };
                    walk.write(self.hal, Entry::Unassigned(left));
                }
                Entry::AssignedNs { .. } => walk.write(self.hal, Entry::UnassignedNs),
                _ => {}
            }
            if !walk.next(self.hal) {
                break;
            }
        }
        if was_mapped {
            self.forget(realm, TlbScope::All);
        }
    }

    #[inline(never)]
    fn unmap(
        &self,
        space: &RealmSpace,
        realm: &RealmPage,
        target: Target,
        report: Report,
        budget: u64,
    ) -> Outcome2<[u64; 3]> {
        let bad = Refusal::Known(Status::ErrorInput);
        let walk = Walk::to_leaf(self.hal, space, target.base).ok_or(bad)?;
        let stuck = Refusal::Known(Status::ErrorRtt { level: walk.level });
        let bytes = target.top.raw() - target.base.raw();
        if !target.base.is_aligned(walk.size().max(1)) {
            return Err(stuck);
        }
        let sweep = self.plan(walk, bytes, report.room(), budget);
        if sweep.entries == 0 {
            return Err(stuck);
        }
        let found = sweep.descriptors();
        let (single, listed) = match report {
            Report::None => (0, 0),
            Report::Single => (found.first().copied().unwrap_or(0), 0),
            Report::List(list) => {
                self.hal
                    .ns_write(list.page, list.offset, found.as_bytes())
                    .map_err(|_| bad)?;
                (0, found.len() as u64)
            }
        };
        self.clear(realm, walk, sweep.entries);
        if walk.half == IpaHalf::Protected {
            let described = found.iter();
            for desc in described.flat_map(|raw| RangeDesc::decode(*raw, sweep.field)) {
                self.release_blocks(desc);
            }
        }
        let done = sweep.entries.saturating_mul(walk.size());
        let reached = target.base.raw().saturating_add(done);
        Ok([reached, single, listed])
    }

    #[inline(never)]
    fn unmap_half(
        &self,
        rd: u64,
        range: [u64; 2],
        report: [u64; 2],
        half: IpaHalf,
        budget: u64,
    ) -> Answer {
        let outcome = self.with_tables_2(rd, |space, realm| {
            let target = Target::new(space, range, half)?;
            let [flags, oaddr] = report;
            let report = self.report(flags, oaddr)?;
            self.unmap(space, realm, target, report, budget)
        });
        match outcome {
            Ok(outputs) => success(&outputs),
            Err(refusal) => with_status(refusal.raw(), &[]),
        }
    }

    pub(super) fn data_unmap(
        &self,
        rd: u64,
        range: [u64; 2],
        flags: u64,
        oaddr: u64,
        behaviour: &Behaviour,
    ) -> Answer {
        let budget = behaviour.granules_per_map.max(1);
        self.unmap_half(rd, range, [flags, oaddr], IpaHalf::Protected, budget)
    }

    pub(super) fn unprot_unmap(&self, rd: u64, range: [u64; 2], flags: u64, oaddr: u64) -> Answer {
        let budget = u64::MAX / GRANULE_SIZE;
        self.unmap_half(rd, range, [flags, oaddr], IpaHalf::Unprotected, budget)
    }
}
