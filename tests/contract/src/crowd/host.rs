//! The calls of a host that speaks either dialect: only those that scenarios need.

use super::{Seat, Wrong, expect};
use crate::case::Dialect;
use addr::{GRANULE_SIZE, GranuleAddr};
use conduit::Regs;
use rmi::v1_0::Command as Old;
use rmi::v2_0::range::{BlockSize, MemState, RangeDesc, StateField};
use rmi::v2_0::{Command as New, MemRequest, Status};

/// A descriptor instead of a list.
pub(super) const SINGLE: u64 = 1;
/// Calls that an operation may take: far more than any known RMM wants.
const PATIENCE: u64 = 200;

/// The host on one CPU.
#[derive(Clone, Copy)]
pub struct Host<'a> {
    pub(super) seat: &'a dyn Seat,
    pub(super) dialect: Dialect,
    /// A page for parameters and lists; the run page and the code follow it.
    pub(super) page: u64,
}

impl<'a> Host<'a> {
    pub(super) fn new(seat: &'a dyn Seat, dialect: Dialect, page: u64) -> Self {
        Self {
            seat,
            dialect,
            page,
        }
    }

    pub(super) fn run_page(&self) -> u64 {
        self.page + GRANULE_SIZE
    }

    pub(super) fn source(&self) -> u64 {
        self.page + 2 * GRANULE_SIZE
    }

    pub(super) fn call(&self, old: Old, new: New, args: &[u64]) -> [u64; 8] {
        let fid = match self.dialect {
            Dialect::V1_0 => old.fid(),
            Dialect::V2_0 => new.fid(),
        };
        self.seat.call(Regs::call(fid, args)).0
    }

    pub(super) fn new_call(&self, command: New, args: &[u64]) -> [u64; 8] {
        self.seat.call(Regs::call(command.fid(), args)).0
    }

    pub(super) fn old_call(&self, command: Old, args: &[u64]) -> [u64; 8] {
        self.seat.call(Regs::call(command.fid(), args)).0
    }

    /// x0 of a delegation.
    pub(super) fn try_delegate(&self, granule: u64) -> u64 {
        let args = [granule, granule + GRANULE_SIZE];
        let [x0, ..] = self.call(Old::GranuleDelegate, New::GranuleRangeDelegate, &args);
        x0
    }

    /// x0 of the way back.
    pub(super) fn try_undelegate(&self, granule: u64) -> u64 {
        let args = [granule, granule + GRANULE_SIZE];
        let [x0, ..] = self.call(Old::GranuleUndelegate, New::GranuleRangeUndelegate, &args);
        x0
    }

    pub(super) fn delegate(&self, granule: u64) -> Result<(), Wrong> {
        expect("the status of a delegation", self.try_delegate(granule), 0)
    }

    pub(super) fn undelegate(&self, granule: u64) -> Result<(), Wrong> {
        expect(
            "the status of an undelegation",
            self.try_undelegate(granule),
            0,
        )
    }

    pub(super) fn clear(&self, page: u64) {
        for offset in (0..GRANULE_SIZE).step_by(8) {
            self.seat.write(page + offset, 0);
        }
    }

    pub(super) fn put(&self, offset: usize, value: u64) {
        self.seat.write(self.page + offset as u64, value);
    }

    pub(super) fn descriptor(base: u64, size: BlockSize, count: u64) -> u64 {
        let desc = GranuleAddr::from_raw(base)
            .ok()
            .and_then(|base| RangeDesc::new(base, size, count, MemState::Delegated).ok());
        desc.map_or(0, |desc| desc.encode(StateField::OneBit))
    }

    /// Follows an operation to its end and returns its last x0. It is given
    /// memory from `reserve` on; what it gives back goes back to the host.
    pub(super) fn follow(&self, begun: [u64; 8], reserve: u64) -> Result<u64, Wrong> {
        let [mut x0, handle, mut demand, ..] = begun;
        let mut given = 0;
        for _ in 0..PATIENCE {
            let Status::Incomplete { request, .. } = Status::from_raw(x0) else {
                return Ok(x0);
            };
            let reply = match request {
                MemRequest::None => self.new_call(New::OpContinue, &[handle, 0]),
                MemRequest::Donate => {
                    let wanted = demand >> 2 & 0x3fff;
                    for number in 0..wanted {
                        self.delegate(reserve + (given + number) * GRANULE_SIZE)?;
                    }
                    let base = reserve + given * GRANULE_SIZE;
                    self.put(0, Self::descriptor(base, BlockSize::Size4K, wanted));
                    let reply = self.new_call(New::OpMemDonate, &[handle, self.page, 1]);
                    expect("the memory that was taken", reply[1], wanted)?;
                    given += wanted;
                    reply
                }
                MemRequest::Reclaim => {
                    let reply = self.new_call(New::OpMemReclaim, &[handle, self.page, 512]);
                    for entry in 0..reply[1].min(512) {
                        self.take_back(self.seat.read(self.page + entry * 8))?;
                    }
                    reply
                }
            };
            [x0, _, demand, ..] = reply;
        }
        Ok(x0)
    }

    /// Undelegates what a descriptor of the RMM's names.
    fn take_back(&self, raw: u64) -> Result<(), Wrong> {
        let Ok(desc) = RangeDesc::decode(raw, StateField::OneBit) else {
            return expect("a descriptor that came back", raw, 0);
        };
        for number in 0..desc.granules() {
            self.undelegate(desc.base().raw() + number * GRANULE_SIZE)?;
        }
        Ok(())
    }
}
