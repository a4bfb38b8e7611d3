//! The physical memory that a command names: blocks out of a descriptor or a
//! list of them, and their granules.

use super::{Outcome2, Refusal};
use crate::behaviour::Completion;
use crate::granule::{GranuleState, TryLock};
use crate::hal::Hal;
use crate::pages;
use crate::rmm::{Dialect, Rmm};
use ::rmi::status::Status;
use ::rmi::v2_0::range::{MemState, RangeDesc, StateField};
use addr::{GRANULE_SIZE, GranuleAddr};
use zerocopy::IntoBytes;

/// A page of the host's with a list, from some offset to its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct List {
    /// The page.
    pub page: GranuleAddr,
    /// Where the list begins.
    pub offset: usize,
    /// Entries that it has, or that fit.
    pub entries: u64,
}

/// Blocks of memory, one after the other.
pub(super) struct Source {
    list: Option<List>,
    current: Option<RangeDesc>,
    /// Blocks of `current` that have been used.
    used: u64,
}

const BAD: Refusal = Refusal::Known(Status::ErrorInput);

impl<H: Hal> Rmm<'_, H> {
    /// Where a descriptor has its state, in the flavour spoken.
    pub(super) fn state_field(&self) -> StateField {
        match self.dialect {
            Dialect::V2_0(behaviour) if behaviour.completion == Completion::ByRmm => {
                StateField::TwoBits
            }
            _ => StateField::OneBit,
        }
    }

    /// A list of at most `entries` descriptors at an address.
    pub(super) fn list(&self, address: u64, entries: u64) -> Outcome2<List> {
        if entries == 0 || !address.is_multiple_of(8) {
            return Err(BAD);
        }
        let offset = address & (GRANULE_SIZE - 1);
        Ok(List {
            page: self.host_page(address - offset)?,
            offset: offset as usize,
            entries: entries.min((GRANULE_SIZE - offset) / 8),
        })
    }

    /// Reads the next entry of a list, once.
    pub(super) fn next_entry(&self, list: &mut List) -> Outcome2<Option<RangeDesc>> {
        if list.entries == 0 {
            return Ok(None);
        }
        let mut raw = 0u64;
        self.hal
            .ns_read(list.page, list.offset, raw.as_mut_bytes())
            .map_err(|_| BAD)?;
        list.offset += 8;
        list.entries -= 1;
        RangeDesc::decode(raw, self.state_field())
            .map(Some)
            .map_err(|_| BAD)
    }

    /// The blocks that a command's flags and `oaddr` mean.
    pub(super) fn source(&self, flags: u64, oaddr: u64) -> Outcome2<Source> {
        match flags & 0b11 {
            1 => Ok(Source {
                list: None,
                current: Some(RangeDesc::decode(oaddr, self.state_field()).map_err(|_| BAD)?),
                used: 0,
            }),
            2 => {
                let mut list = self.list(oaddr, (flags >> 2) & 0x3fff)?;
                let current = self.next_entry(&mut list)?;
                Ok(Source {
                    list: Some(list),
                    current,
                    used: 0,
                })
            }
            _ => Err(BAD),
        }
    }

    /// Goes on to the block behind the current one.
    pub(super) fn advance(&self, source: &mut Source) -> Outcome2<()> {
        source.used += 1;
        if source
            .current
            .is_some_and(|desc| source.used < desc.count())
        {
            return Ok(());
        }
        source.used = 0;
        source.current = match &mut source.list {
            Some(list) => self.next_entry(list)?,
            None => None,
        };
        Ok(())
    }

    /// Makes all granules of a block something else, or none of them.
    pub(super) fn take_block(
        &self,
        base: GranuleAddr,
        granules: u64,
        from: GranuleState,
        to: GranuleState,
    ) -> Outcome2<()> {
        for number in 0..granules {
            let taken = match base.checked_add(number) {
                Some(granule) => self.granules.try_lock(granule, from),
                None => TryLock::Refused,
            };
            let why = match taken {
                TryLock::Locked(mut guard) => {
                    guard.become_state(to);
                    continue;
                }
                TryLock::Held => Refusal::Busy,
                TryLock::Refused => BAD,
            };
            for undo in 0..number {
                let granule = base.checked_add(undo);
                if let Some(mut guard) = granule.and_then(|it| self.granules.lock(it, to)) {
                    guard.become_state(from);
                }
            }
            return Err(why);
        }
        Ok(())
    }

    /// Scrubs data granules and makes them delegated ones.
    pub(super) fn release_blocks(&self, desc: RangeDesc) {
        for number in 0..desc.granules() {
            let granule = desc.base().checked_add(number);
            let guard = granule.and_then(|it| self.granules.lock(it, GranuleState::Data));
            if let Some(mut guard) = guard {
                pages::release(self.hal, &mut guard);
            }
        }
    }
}

impl Source {
    /// The level whose entries map the next block.
    pub fn level(&self) -> Option<i8> {
        self.current.map(|desc| desc.size().level())
    }

    /// The next block, and whose the host says it is.
    pub fn block(&self) -> Option<(GranuleAddr, MemState)> {
        let desc = self.current?;
        let base = desc
            .base()
            .checked_add(self.used * desc.size().granules())?;
        Some((base, desc.state()))
    }
}
