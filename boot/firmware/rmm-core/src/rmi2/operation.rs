//! Operations that take several calls: `RMI_OP_CONTINUE`, `RMI_OP_MEM_DONATE`,
//! `RMI_OP_MEM_RECLAIM`, `RMI_OP_CANCEL`.
//!
//! An operation waits for memory, or to be continued, or to give memory back,
//! one at a time. The granule it is about is in the state *partial* meanwhile,
//! which no other command accepts. A call that does not fit changes nothing.
//! Called off, an operation gives back what it holds and ends as one that failed.

use super::{Answer, Outcome2, Refusal, success, with_status};
use crate::behaviour::Behaviour;
use crate::granule::GranuleState;
use crate::hal::Hal;
use crate::pages::{self, Aux};
use crate::rmm::Rmm;
use ::rmi::status::Status;
use ::rmi::v1_0::MAX_AUX;
use ::rmi::v2_0::range::{BlockSize, DonateRequest, MemState, RangeDesc};
use ::rmi::v2_0::{MemRequest, Status as Status2};
use addr::GranuleAddr;
use spin::Mutex;
use zerocopy::IntoBytes;

/// Operations that can be under way at once.
const MOST: usize = 16;

/// What is being done.
#[derive(Clone, Copy, Debug)]
pub(super) enum Work {
    /// A REC is being created.
    Create {
        /// Its Realm, as the host named it.
        rd: u64,
        /// The page of parameters, read last.
        params: GranuleAddr,
    },
    /// A REC is being destroyed.
    Destroy {
        /// Its Realm.
        owner: GranuleAddr,
    },
}

/// An operation under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Operation {
    pub work: Work,
    /// The granule it is about.
    pub rec: GranuleAddr,
    /// Memory that the operation holds.
    pub aux: Aux,
    /// Granules still wanted.
    pub wanted: u64,
    /// Times to say that it is not ready yet.
    pub pauses: u8,
    /// Whether it can be called off for as long as it has not failed.
    pub can_cancel: bool,
    /// How it will end, if not well.
    pub failed: Option<Refusal>,
}

impl Operation {
    /// What the host has to do next.
    fn request(&self) -> MemRequest {
        let holds = self.aux.iter().any(Option::is_some);
        let gives_back = self.failed.is_some() || matches!(self.work, Work::Destroy { .. });
        if gives_back && holds {
            MemRequest::Reclaim
        } else if self.failed.is_none() && self.wanted != 0 {
            MemRequest::Donate
        } else {
            MemRequest::None
        }
    }

    fn incomplete(&self) -> u64 {
        let status = Status2::Incomplete {
            request: self.request(),
            can_cancel: self.can_cancel && self.failed.is_none(),
        };
        status.raw()
    }

    /// x2: what it wants.
    fn demand(&self) -> u64 {
        if self.request() != MemRequest::Donate {
            return 0;
        }
        let request = DonateRequest {
            size: BlockSize::Size4K,
            count: self.wanted.min(0x3fff) as u16,
            contiguous: false,
            state: MemState::Delegated,
        };
        request.encode()
    }
}

/// How often a slot has been used, and what is under way in it.
type Slot = Mutex<(u64, Option<Operation>)>;

/// The operations under way. A handle is the number of a slot, from one, and
/// how often the slot has been used before, so that a stale one names nothing.
#[derive(Debug)]
pub(crate) struct Operations([Slot; MOST]);

impl Default for Operations {
    fn default() -> Self {
        Self([const { Mutex::new((0, None)) }; MOST])
    }
}

impl Operations {
    fn slot(&self, handle: u64) -> Option<(&Slot, u64)> {
        let number = (handle & 0xff).checked_sub(1)?;
        let slot = self.0.get(usize::try_from(number).ok()?)?;
        Some((slot, handle >> 8))
    }

    /// Begins an operation and tells the host, or says that none is free.
    pub(super) fn begin(&self, operation: &Operation) -> Outcome2<Answer> {
        for (slot, number) in self.0.iter().zip(1u64..) {
            // Whoever begins holds a granule's lock, and who holds a slot may wait
            // for one: so never wait for a slot here.
            let Some(mut slot) = slot.try_lock() else {
                continue;
            };
            let (uses, under_way) = &mut *slot;
            if under_way.is_none() {
                *uses = uses.wrapping_add(1) & 0xff_ffff;
                *under_way = Some(*operation);
                let handle = number | *uses << 8;
                return Ok(with_status(
                    operation.incomplete(),
                    &[handle, operation.demand()],
                ));
            }
        }
        Err(Refusal::Blocked)
    }

    /// Runs `act` on the operation that a handle names. It ends where `act`
    /// leaves nothing.
    fn with(
        &self,
        handle: u64,
        act: impl FnOnce(&mut Option<Operation>) -> Outcome2<Answer>,
    ) -> Answer {
        let bad = Refusal::Known(Status::ErrorInput);
        let Some((slot, uses)) = self.slot(handle) else {
            return with_status(bad.raw(), &[]);
        };
        let mut slot = slot.lock();
        let (current, under_way) = &mut *slot;
        let outcome = if *current == uses && under_way.is_some() {
            act(under_way)
        } else {
            Err(bad)
        };
        outcome.unwrap_or_else(|refusal| with_status(refusal.raw(), &[]))
    }
}

/// The operation, if it waits for `request`.
fn waiting(slot: &mut Option<Operation>, request: MemRequest) -> Outcome2<&mut Operation> {
    slot.as_mut()
        .filter(|operation| operation.request() == request)
        .ok_or(Refusal::Known(Status::ErrorInput))
}

impl<H: Hal> Rmm<'_, H> {
    pub(super) fn op_donate(&self, handle: u64, address: u64, count: u64) -> Answer {
        self.operations.with(handle, |slot| {
            let operation = waiting(slot, MemRequest::Donate)?;
            let taken = self.donate(operation, address, count)?;
            Ok(with_status(
                operation.incomplete(),
                &[taken, operation.demand()],
            ))
        })
    }

    #[inline(never)]
    fn donate(&self, operation: &mut Operation, address: u64, count: u64) -> Outcome2<u64> {
        let bad = Refusal::Known(Status::ErrorInput);
        let list = self.list(address, count)?;
        // More than was asked for is refused before anything is taken.
        let mut total = 0u64;
        let mut reading = list;
        let mut given = [None; MAX_AUX];
        for slot in &mut given {
            let Some(desc) = self.next_entry(&mut reading)? else {
                break;
            };
            total = total.saturating_add(desc.granules());
            *slot = Some(desc);
        }
        if total > operation.wanted || reading.entries != 0 {
            return Err(bad);
        }
        let mut taken = 0;
        for desc in given.into_iter().flatten() {
            for number in 0..desc.granules() {
                let granule = desc.base().checked_add(number);
                let state = desc.state() == MemState::Delegated;
                let guard = granule
                    .filter(|_| state)
                    .and_then(|it| self.granules.lock(it, GranuleState::Delegated));
                let free = operation.aux.iter_mut().find(|slot| slot.is_none());
                let (Some(mut guard), Some(free)) = (guard, free) else {
                    operation.failed = Some(bad);
                    return Ok(taken);
                };
                guard.become_state(GranuleState::RecAux);
                *free = Some(guard.granule());
                operation.wanted = operation.wanted.saturating_sub(1);
                taken += 1;
            }
        }
        Ok(taken)
    }

    pub(super) fn op_reclaim(&self, handle: u64, address: u64, capacity: u64) -> Answer {
        self.operations.with(handle, |slot| {
            let operation = waiting(slot, MemRequest::Reclaim)?;
            let given = self.reclaim(operation, address, capacity)?;
            Ok(with_status(
                operation.incomplete(),
                &[given, operation.demand()],
            ))
        })
    }

    #[inline(never)]
    fn reclaim(&self, operation: &mut Operation, address: u64, capacity: u64) -> Outcome2<u64> {
        let bad = Refusal::Known(Status::ErrorInput);
        let list = self.list(address, capacity)?;
        let mut raw = [0u64; MAX_AUX];
        let room = usize::try_from(list.entries).unwrap_or(MAX_AUX);
        let mut count = 0;
        for (to, granule) in raw
            .iter_mut()
            .take(room)
            .zip(operation.aux.iter().flatten())
        {
            let desc = RangeDesc::new(*granule, BlockSize::Size4K, 1, MemState::Delegated);
            *to = desc.map_err(|_| bad)?.encode(self.state_field());
            count += 1;
        }
        let told = raw.get(..count).unwrap_or(&[]);
        self.hal
            .ns_write(list.page, list.offset, told.as_bytes())
            .map_err(|_| bad)?;
        let held = operation.aux.iter_mut().filter(|slot| slot.is_some());
        for slot in held.take(count) {
            if let Some(granule) = slot.take() {
                let guard = self.granules.lock(granule, GranuleState::RecAux);
                if let Some(mut guard) = guard {
                    pages::release(self.hal, &mut guard);
                }
            }
        }
        Ok(count as u64)
    }

    pub(super) fn op_cancel(&self, handle: u64) -> Answer {
        self.operations.with(handle, |slot| {
            let bad = Refusal::Known(Status::ErrorInput);
            let operation = slot
                .as_mut()
                .filter(|operation| operation.can_cancel && operation.failed.is_none())
                .ok_or(bad)?;
            operation.failed = Some(bad);
            Ok(with_status(operation.incomplete(), &[]))
        })
    }

    #[inline(never)]
    pub(super) fn op_continue(&self, handle: u64, flags: u64) -> Answer {
        self.operations.with(handle, |slot| {
            let bad = Refusal::Known(Status::ErrorInput);
            if flags > 1 {
                return Err(bad);
            }
            let operation = waiting(slot, MemRequest::None)?;
            if operation.pauses != 0 {
                operation.pauses -= 1;
                return Ok(with_status(operation.incomplete(), &[]));
            }
            let failure = match operation.failed {
                Some(refusal) => Some(refusal),
                None => self.finish(operation).err(),
            };
            let Some(refusal) = failure else {
                *slot = None;
                return Ok(success(&[]));
            };
            operation.failed = Some(refusal);
            if operation.request() == MemRequest::Reclaim {
                return Ok(with_status(operation.incomplete(), &[]));
            }
            // A REC that was not created is a delegated granule again.
            let rec = self.granules.lock(operation.rec, GranuleState::Partial);
            if let Some(mut rec) = rec {
                pages::release(self.hal, &mut rec);
            }
            *slot = None;
            Ok(with_status(refusal.raw(), &[]))
        })
    }
}

/// An operation that holds nothing yet.
pub(super) fn operation(work: Work, rec: GranuleAddr, behaviour: &Behaviour) -> Operation {
    Operation {
        work,
        rec,
        aux: [None; MAX_AUX],
        wanted: 0,
        pauses: behaviour.pauses,
        can_cancel: behaviour.can_cancel && matches!(work, Work::Create { .. }),
        failed: None,
    }
}
