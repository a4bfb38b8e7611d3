//! The memory that operations may take: a bounded set of granules, each with
//! who holds it. Granules enter and leave by the caller's hand only; what the
//! RMM takes stays in the set until it comes back.

use super::Fault;
use crate::v2_0::range::{
    DonateRequest, ListPage, ListWriter, MAX_BLOCKS, MemState, RangeDesc, StateField,
};
use addr::{GRANULE_SIZE, GranuleAddr, PhysAddr};
use core::fmt;

/// Who holds a granule of a reserve.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Held {
    /// The host.
    Host(MemState),
    /// The host, but it stands in a list for the RMM.
    Offered(MemState),
    /// The RMM.
    Rmm,
    /// Offered, and never said whether it was taken. Undelegating it tells: the
    /// RMM refuses that for what it uses.
    Unsure,
}

/// A granule cannot be added to a reserve.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReserveFull {
    /// The reserve holds as many as it can.
    Full,
    /// The reserve has it already.
    Known,
}

impl fmt::Display for ReserveFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "the reserve is full: make it larger",
            Self::Known => "the reserve has this granule already",
        })
    }
}

impl core::error::Error for ReserveFull {}

#[derive(Clone, Copy, Debug)]
struct Slot {
    granule: GranuleAddr,
    held: Held,
}

/// At most `N` granules, in order of their addresses.
#[derive(Clone, Debug)]
pub struct Reserve<const N: usize> {
    slots: [Slot; N],
    len: usize,
}

impl<const N: usize> Default for Reserve<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> Reserve<N> {
    /// An empty reserve.
    pub const fn new() -> Self {
        let nothing = Slot {
            granule: GranuleAddr::containing(PhysAddr::new(0)),
            held: Held::Unsure,
        };
        Self {
            slots: [nothing; N],
            len: 0,
        }
    }

    fn slots(&self) -> &[Slot] {
        self.slots.get(..self.len).unwrap_or_default()
    }

    fn slots_mut(&mut self) -> &mut [Slot] {
        self.slots.get_mut(..self.len).unwrap_or_default()
    }

    /// Adds a granule that the host holds.
    pub fn add(&mut self, granule: GranuleAddr, state: MemState) -> Result<(), ReserveFull> {
        self.insert(granule, Held::Host(state))
    }

    /// Adds a granule that the RMM got by an earlier operation.
    pub fn add_given(&mut self, granule: GranuleAddr) -> Result<(), ReserveFull> {
        self.insert(granule, Held::Rmm)
    }

    fn insert(&mut self, granule: GranuleAddr, held: Held) -> Result<(), ReserveFull> {
        let Err(place) = self
            .slots()
            .binary_search_by_key(&granule, |slot| slot.granule)
        else {
            return Err(ReserveFull::Known);
        };
        if self.len >= N {
            return Err(ReserveFull::Full);
        }
        self.len += 1;
        let tail = self.slots_mut().get_mut(place..).unwrap_or_default();
        tail.rotate_right(1);
        if let Some(slot) = tail.first_mut() {
            *slot = Slot { granule, held };
        }
        Ok(())
    }

    /// Removes a granule that the host holds and that is not on offer, for use
    /// elsewhere.
    pub fn take(&mut self) -> Option<(GranuleAddr, MemState)> {
        let place = self
            .slots()
            .iter()
            .position(|slot| matches!(slot.held, Held::Host(_)))?;
        let tail = self.slots_mut().get_mut(place..)?;
        let slot = *tail.first()?;
        tail.rotate_left(1);
        self.len -= 1;
        match slot.held {
            Held::Host(state) => Some((slot.granule, state)),
            _ => None,
        }
    }

    /// A granule that is [`Held::Unsure`] or came back conditional.
    pub fn in_doubt(&self) -> Option<GranuleAddr> {
        let mut slots = self.slots().iter();
        slots
            .find(|slot| doubtful(slot.held))
            .map(|slot| slot.granule)
    }

    /// Says what became of a granule that was in doubt, once the host has found
    /// out. `false` for any other granule.
    pub fn settle(&mut self, granule: GranuleAddr, held: Held) -> bool {
        match self.find(granule) {
            Some(slot) if doubtful(slot.held) => {
                slot.held = held;
                true
            }
            _ => false,
        }
    }

    /// The granules and who holds them.
    pub fn iter(&self) -> impl Iterator<Item = (GranuleAddr, Held)> + '_ {
        self.slots().iter().map(|slot| (slot.granule, slot.held))
    }

    /// Granules in the reserve, wherever they are.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether the reserve knows no granule.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Granules that the RMM holds or may hold.
    pub fn out(&self) -> usize {
        self.iter()
            .filter(|(_, held)| !matches!(held, Held::Host(_)))
            .count()
    }

    /// Granules at hand whose state suits `request`.
    pub fn suitable(&self, request: DonateRequest) -> usize {
        self.iter()
            .filter(|(_, held)| {
                *held == Held::Host(request.state) || *held == Held::Offered(request.state)
            })
            .count()
    }

    fn find(&mut self, granule: GranuleAddr) -> Option<&mut Slot> {
        let place = self
            .slots()
            .binary_search_by_key(&granule, |slot| slot.granule)
            .ok()?;
        self.slots_mut().get_mut(place)
    }

    /// Puts granules for `request` on offer, unless some are already, and lists
    /// what is on offer in `page`. `None`, with nothing on offer, if the reserve
    /// has too little.
    pub(super) fn offer(
        &mut self,
        request: DonateRequest,
        page: &mut impl ListPage,
        field: StateField,
    ) -> Option<usize> {
        if self.count_offered() == 0 && !self.select(request) {
            self.withdraw();
            return None;
        }
        let mut list = ListWriter::new(page, field);
        let mut unlisted = None;
        let blocks = self
            .iter()
            .filter(|(_, held)| matches!(held, Held::Offered(_)))
            .step_by(usize::try_from(request.size.granules()).unwrap_or(usize::MAX));
        for (base, _) in blocks {
            let desc = RangeDesc::new(base, request.size, 1, request.state);
            if !desc.is_ok_and(|desc| list.push(desc)) {
                unlisted = Some(base);
                break;
            }
        }
        let entries = list.entries();
        if entries == 0 || (request.contiguous && (entries != 1 || unlisted.is_some())) {
            self.withdraw();
            return None;
        }
        if let Some(base) = unlisted {
            self.withdraw_from(base);
        }
        Some(entries)
    }

    fn count_offered(&self) -> u64 {
        self.iter()
            .filter(|(_, held)| matches!(held, Held::Offered(_)))
            .count() as u64
    }

    /// Marks granules for all of `request`; `false` if there are too few.
    fn select(&mut self, request: DonateRequest) -> bool {
        let total = request.granules();
        if total > self.len as u64 {
            return false;
        }
        let piece = if request.contiguous {
            if u64::from(request.count) > MAX_BLOCKS {
                return false;
            }
            total
        } else {
            request.size.granules()
        };
        let pieces = total / piece;
        // `piece` divides `total`, which is no more than `len`.
        let length = piece as usize;
        let mut found = 0;
        let mut start = 0;
        while found < pieces {
            let Some(run) = self.slots_mut().get_mut(start..start + length) else {
                return false;
            };
            if is_run(run, request.state) {
                for slot in run {
                    slot.held = Held::Offered(request.state);
                }
                found += 1;
                start += length;
            } else {
                start += 1;
            }
        }
        true
    }

    /// What is on offer has not been taken.
    pub(super) fn withdraw(&mut self) {
        self.withdraw_from(GranuleAddr::containing(PhysAddr::new(0)));
    }

    fn withdraw_from(&mut self, base: GranuleAddr) {
        for slot in self.slots_mut() {
            match slot.held {
                Held::Offered(state) if slot.granule >= base => slot.held = Held::Host(state),
                _ => {}
            }
        }
    }

    /// Nobody knows whether what is on offer has been taken.
    pub(super) fn doubt(&mut self) {
        for slot in self.slots_mut() {
            if matches!(slot.held, Held::Offered(_)) {
                slot.held = Held::Unsure;
            }
        }
    }

    /// The RMM has taken the first `consumed` granules on offer for `request`.
    pub(super) fn give(&mut self, request: DonateRequest, consumed: u64) -> Result<u64, Fault> {
        let offered = self.count_offered();
        let piece = if request.contiguous {
            offered.max(1)
        } else {
            request.size.granules()
        };
        if consumed > offered || !consumed.is_multiple_of(piece) {
            self.doubt();
            return Err(Fault::Consumed { consumed, offered });
        }
        let mut left = consumed;
        for slot in self.slots_mut() {
            if left == 0 {
                break;
            }
            if matches!(slot.held, Held::Offered(_)) {
                slot.held = Held::Rmm;
                left -= 1;
            }
        }
        self.withdraw();
        Ok(consumed)
    }

    /// The RMM has given back `desc`: all of it must have been its.
    pub(super) fn take_back(&mut self, desc: RangeDesc) -> Result<u64, Fault> {
        let not_given = Fault::NotGiven {
            granule: desc.base(),
        };
        if desc.granules() > self.len as u64 {
            return Err(not_given);
        }
        let first = self
            .slots()
            .binary_search_by_key(&desc.base(), |slot| slot.granule)
            .map_err(|_| not_given)?;
        let count = desc.granules() as usize;
        let run = self
            .slots_mut()
            .get_mut(first..first.saturating_add(count))
            .ok_or(not_given)?;
        let theirs = |slot: &Slot| matches!(slot.held, Held::Rmm | Held::Unsure);
        if !adjacent(run) || !run.iter().all(theirs) {
            return Err(not_given);
        }
        for slot in run {
            slot.held = Held::Host(desc.state());
        }
        Ok(desc.granules())
    }
}

const fn doubtful(held: Held) -> bool {
    matches!(held, Held::Unsure | Held::Host(MemState::Conditional))
}

fn adjacent(run: &[Slot]) -> bool {
    run.windows(2).all(|pair| match pair {
        [low, high] => low.granule.checked_add(1) == Some(high.granule),
        _ => true,
    })
}

/// Whether `run` is one self-aligned piece of memory in `state`.
fn is_run(run: &[Slot], state: MemState) -> bool {
    let aligned = run.first().is_some_and(|slot| {
        // A request's block size or power of two, so alignment is a mask.
        slot.granule
            .is_aligned((run.len() as u64).saturating_mul(GRANULE_SIZE))
    });
    aligned && adjacent(run) && run.iter().all(|slot| slot.held == Held::Host(state))
}
