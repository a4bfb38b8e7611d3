//! Ranges of memory: moved between the worlds, mapped, unmapped.

use super::Rmi;
use super::calls::args;
use crate::client::{Absurd, Blocked, Contents, RmiError};
use crate::rtt::UnprotectedAttr;
use crate::v2_0::Command;
use crate::v2_0::range::{Access, MemState, Oaddr, RangeDesc};
use crate::v2_0::sro::{Held, Reserve};
use addr::{GRANULE_SIZE, GranuleAddr, Ipa};
use conduit::Conduit;

/// What a command unmapped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unmapped {
    /// How far it came; always past where it began.
    pub top: Ipa,
    /// The memory, if it was asked for as one range and there was any.
    pub range: Option<RangeDesc>,
    /// Entries in the list, if it was asked for as one.
    pub entries: usize,
}

const fn absurd(what: Absurd, value: u64) -> RmiError {
    RmiError::Absurd { what, value }
}

/// Progress of a call on `base..top`: it must lie past `base`, not past `top`.
#[inline]
pub(super) fn progress(base: u64, top: u64, out: u64) -> Result<u64, RmiError> {
    if out > base && out <= top && out.is_multiple_of(GRANULE_SIZE) {
        Ok(out)
    } else {
        Err(absurd(Absurd::Progress, out))
    }
}

/// Where to go on after `ipa`, if `raw` names a place further on, but not past
/// `top`.
pub(super) fn further(ipa: Ipa, top: Ipa, raw: u64) -> Option<Ipa> {
    progress(ipa.raw(), top.raw(), raw).ok().map(Ipa::new)
}

impl<C: Conduit> Rmi<C> {
    fn range(
        &self,
        command: Command,
        base: GranuleAddr,
        top: GranuleAddr,
    ) -> Result<GranuleAddr, RmiError> {
        let (result, [x1, ..]) = self.end(command, args([base.raw(), top.raw()]));
        result?;
        let out = progress(base.raw(), top.raw(), x1)?;
        GranuleAddr::from_raw(out).map_err(|_| absurd(Absurd::Granule, out))
    }

    fn whole(
        &self,
        command: Command,
        base: GranuleAddr,
        count: usize,
    ) -> (usize, Result<(), RmiError>) {
        let Some(top) = base.checked_add(count as u64) else {
            return (0, Err(RmiError::Input));
        };
        let mut at = base;
        while at < top {
            match self.range(command, at, top) {
                Ok(out) => at = out,
                Err(error) => {
                    let done = at.number().saturating_sub(base.number());
                    return (done as usize, Err(error));
                }
            }
        }
        (count, Ok(()))
    }

    /// `RMI_GRANULE_RANGE_DELEGATE` of `base..top`; returns how far it came.
    pub fn granule_range_delegate(
        &self,
        base: GranuleAddr,
        top: GranuleAddr,
    ) -> Result<GranuleAddr, RmiError> {
        self.range(Command::GranuleRangeDelegate, base, top)
    }

    /// `RMI_GRANULE_RANGE_UNDELEGATE` of `base..top`; returns how far it came.
    pub fn granule_range_undelegate(
        &self,
        base: GranuleAddr,
        top: GranuleAddr,
    ) -> Result<GranuleAddr, RmiError> {
        self.range(Command::GranuleRangeUndelegate, base, top)
    }

    /// Delegates `count` granules from `base`, in as many calls as it takes:
    /// how many were, and why no more.
    pub fn delegate(&self, base: GranuleAddr, count: usize) -> (usize, Result<(), RmiError>) {
        self.whole(Command::GranuleRangeDelegate, base, count)
    }

    /// Undelegates `count` granules from `base`, in as many calls as it takes:
    /// how many were, and why no more.
    pub fn undelegate(&self, base: GranuleAddr, count: usize) -> (usize, Result<(), RmiError>) {
        self.whole(Command::GranuleRangeUndelegate, base, count)
    }

    /// Finds out who holds the granules of `reserve` that an operation left in
    /// doubt, by undelegating and delegating each: an RMM refuses that for what
    /// it uses. Returns how many granules the RMM has, in all.
    pub fn settle<const N: usize>(&self, reserve: &mut Reserve<N>) -> usize {
        while let Some(granule) = reserve.in_doubt() {
            let held = match self.undelegate(granule, 1) {
                (_, Err(_)) => Held::Rmm,
                (_, Ok(())) => match self.delegate(granule, 1) {
                    (_, Ok(())) => Held::Host(MemState::Delegated),
                    (_, Err(_)) => Held::Host(MemState::Undelegated),
                },
            };
            reserve.settle(granule, held);
        }
        reserve.out()
    }

    /// `RMI_RTT_DATA_MAP_INIT`: the granule `data` with the contents of the
    /// page `source`, at `ipa`.
    pub fn rtt_data_map_init(
        &self,
        rd: GranuleAddr,
        data: GranuleAddr,
        ipa: Ipa,
        source: GranuleAddr,
        contents: Contents,
    ) -> Result<(), RmiError> {
        let flags = match contents {
            Contents::Unmeasured => 0,
            Contents::Measured => 1,
        };
        self.done(
            Command::RttDataMapInit,
            args([rd.raw(), data.raw(), ipa.raw(), source.raw(), flags]),
        )
    }

    /// `RMI_RTT_DATA_MAP` of the delegated memory `memory` at `base..top`;
    /// returns how far it came.
    #[inline(always)]
    pub fn rtt_data_map(
        &self,
        rd: GranuleAddr,
        base: Ipa,
        top: Ipa,
        memory: Oaddr,
    ) -> Result<Ipa, RmiError> {
        self.map(Command::RttDataMap, rd, base, top, memory, 0)
    }

    /// `RMI_RTT_DATA_UNMAP` of `base..top`; `memory` says how to report what
    /// comes out.
    pub fn rtt_data_unmap(
        &self,
        rd: GranuleAddr,
        base: Ipa,
        top: Ipa,
        memory: Oaddr,
    ) -> Result<Unmapped, Blocked> {
        self.unmap(Command::RttDataUnmap, rd, base, top, memory)
    }

    /// `RMI_RTT_UNPROT_MAP` of host memory at `base..top`; returns how far it
    /// came.
    pub fn rtt_unprot_map(
        &self,
        rd: GranuleAddr,
        base: Ipa,
        top: Ipa,
        memory: Oaddr,
        attr: UnprotectedAttr,
        access: Access,
    ) -> Result<Ipa, RmiError> {
        let flags = (attr as u64) << 16 | (access as u64) << 19;
        self.map(Command::RttUnprotMap, rd, base, top, memory, flags)
    }

    /// `RMI_RTT_UNPROT_UNMAP` of `base..top`.
    pub fn rtt_unprot_unmap(
        &self,
        rd: GranuleAddr,
        base: Ipa,
        top: Ipa,
        memory: Oaddr,
    ) -> Result<Unmapped, Blocked> {
        self.unmap(Command::RttUnprotUnmap, rd, base, top, memory)
    }

    #[inline(always)]
    fn map(
        &self,
        command: Command,
        rd: GranuleAddr,
        base: Ipa,
        top: Ipa,
        memory: Oaddr,
        flags: u64,
    ) -> Result<Ipa, RmiError> {
        let flags = flags | memory.flags();
        let oaddr = memory.raw(self.field);
        let given = args([rd.raw(), base.raw(), top.raw(), flags, oaddr]);
        let (result, [x1, ..]) = self.end_here(command, given);
        result?;
        progress(base.raw(), top.raw(), x1).map(Ipa::new)
    }

    fn unmap(
        &self,
        command: Command,
        rd: GranuleAddr,
        base: Ipa,
        top: Ipa,
        memory: Oaddr,
    ) -> Result<Unmapped, Blocked> {
        // A range to report is an output: nothing is passed for it.
        let oaddr = match memory {
            Oaddr::List { page, .. } => page.raw(),
            _ => 0,
        };
        let given = args([rd.raw(), base.raw(), top.raw(), memory.flags(), oaddr]);
        let (result, [x1, x2, x3, _]) = self.end(command, given);
        result.map_err(|error| Blocked {
            error,
            top: further(base, top, x1),
        })?;
        self.unmapped(base, top, memory, [x1, x2, x3])
            .map_err(|error| Blocked { error, top: None })
    }

    fn unmapped(
        &self,
        base: Ipa,
        top: Ipa,
        memory: Oaddr,
        [x1, x2, x3]: [u64; 3],
    ) -> Result<Unmapped, RmiError> {
        let out = progress(base.raw(), top.raw(), x1)?;
        let range = match memory {
            Oaddr::Single(_) if x2 != 0 => {
                let desc =
                    RangeDesc::decode(x2, self.field).map_err(|_| absurd(Absurd::Range, x2))?;
                if desc.bytes() > out - base.raw() {
                    return Err(absurd(Absurd::Range, x2));
                }
                Some(desc)
            }
            _ => None,
        };
        let entries = match memory {
            Oaddr::List { entries, .. } if x3 <= u64::from(entries) => x3 as usize,
            Oaddr::List { .. } => return Err(absurd(Absurd::Entries, x3)),
            _ => 0,
        };
        Ok(Unmapped {
            top: Ipa::new(out),
            range,
            entries,
        })
    }
}
