//! Delegation, population, tables and sharing: ranges, and blocks without folds.

use super::Host;
use crate::intent::{Blocks, Delegation, Population, Reached, Sharing, Tables, Taken};
use addr::{GRANULE_SIZE, GranuleAddr, Ipa, PhysAddr};
use conduit::Conduit;
use rmi::client::{Absurd, Blocked, Contents, Removed, RmiError};
use rmi::rtt::{UnprotectedAttr, entry_size};
use rmi::v2_0::range::{Access, BlockSize, MemState, Oaddr, RangeDesc};

#[inline]
fn single(
    base: GranuleAddr,
    size: BlockSize,
    count: usize,
    state: MemState,
) -> Result<Oaddr, RmiError> {
    RangeDesc::new(base, size, count as u64, state)
        .map(|desc| Oaddr::Single(Some(desc)))
        .map_err(|_| RmiError::Input)
}

impl<C: Conduit> Delegation for Host<C> {
    fn delegate(&self, base: GranuleAddr, count: usize) -> Reached {
        self.rmi.delegate(base, count)
    }

    fn undelegate(&self, base: GranuleAddr, count: usize) -> Reached {
        self.rmi.undelegate(base, count)
    }
}

impl<C: Conduit> Host<C> {
    /// One `RTT_DATA_MAP` of `count` blocks; returns how far it came.
    #[inline(never)]
    fn data_map(
        &self,
        rd: GranuleAddr,
        ipa: Ipa,
        base: GranuleAddr,
        size: BlockSize,
        count: usize,
    ) -> Result<Ipa, RmiError> {
        let memory = single(base, size, count, MemState::Delegated)?;
        let top = ipa.raw().saturating_add(count as u64 * size.bytes());
        self.rmi.rtt_data_map(rd, ipa, Ipa::new(top), memory)
    }
}

impl<C: Conduit> Population for Host<C> {
    fn blocks(&self) -> Blocks {
        Blocks::Direct
    }

    fn init_ripas(&self, rd: GranuleAddr, base: Ipa, top: Ipa) -> Result<Ipa, RmiError> {
        self.rmi.rtt_init_ripas(rd, base, top)
    }

    fn set_ripas(
        &self,
        rd: GranuleAddr,
        rec: GranuleAddr,
        base: Ipa,
        top: Ipa,
    ) -> Result<Ipa, RmiError> {
        self.rmi.rtt_set_ripas(rd, rec, base, top)
    }

    fn copy_in(
        &self,
        rd: GranuleAddr,
        data: GranuleAddr,
        ipa: Ipa,
        source: GranuleAddr,
        contents: Contents,
    ) -> Result<(), RmiError> {
        self.rmi.rtt_data_map_init(rd, data, ipa, source, contents)
    }

    fn fill(&self, rd: GranuleAddr, ipa: Ipa, base: GranuleAddr, count: usize) -> Reached {
        let mut done = 0;
        while done < count {
            let offset = done as u64;
            let (Some(at), Some(from)) = (
                ipa.checked_add(offset * GRANULE_SIZE),
                base.checked_add(offset),
            ) else {
                return (done, Err(RmiError::Input));
            };
            match self.data_map(rd, at, from, BlockSize::Size4K, count - done) {
                Ok(top) => done += ((top.raw() - at.raw()) / GRANULE_SIZE) as usize,
                Err(error) => return (done, Err(error)),
            }
        }
        (count, Ok(()))
    }

    #[inline(always)]
    fn fill_page(&self, rd: GranuleAddr, ipa: Ipa, data: GranuleAddr) -> Result<(), RmiError> {
        let memory = single(data, BlockSize::Size4K, 1, MemState::Delegated)?;
        let top = Ipa::new(ipa.raw().saturating_add(GRANULE_SIZE));
        // Progress of one granule is all of it.
        self.rmi.rtt_data_map(rd, ipa, top, memory).map(|_| ())
    }

    fn fill_block(&self, rd: GranuleAddr, ipa: Ipa, base: GranuleAddr) -> Result<(), RmiError> {
        if !self.maps_blocks() {
            return Err(RmiError::NotSupported);
        }
        match self.data_map(rd, ipa, base, BlockSize::Size2M, 1) {
            Ok(top) if top.offset_from(ipa) == Some(BlockSize::Size2M.bytes()) => Ok(()),
            Ok(top) => Err(RmiError::Absurd {
                what: Absurd::Progress,
                value: top.raw(),
            }),
            Err(error @ (RmiError::Input | RmiError::NotSupported)) => {
                self.no_blocks();
                Err(error)
            }
            Err(error) => Err(error),
        }
    }

    fn take_out(&self, rd: GranuleAddr, base: Ipa, top: Ipa) -> Result<Taken, Blocked> {
        let taken = self
            .rmi
            .rtt_data_unmap(rd, base, top, Oaddr::Single(None))?;
        let nothing = Blocked {
            error: RmiError::Absurd {
                what: Absurd::Granule,
                value: 0,
            },
            top: Some(taken.top),
        };
        let range = taken.range.ok_or(nothing)?;
        Ok(Taken {
            base: range.base(),
            count: range.granules() as usize,
        })
    }
}

impl<C: Conduit> Tables for Host<C> {
    fn create(
        &self,
        rd: GranuleAddr,
        table: GranuleAddr,
        ipa: Ipa,
        level: i8,
    ) -> Result<(), RmiError> {
        self.rmi.rtt_create(rd, table, ipa, level)
    }

    fn destroy(&self, rd: GranuleAddr, ipa: Ipa, level: i8) -> Result<Removed, Blocked> {
        self.rmi.rtt_destroy(rd, ipa, level)
    }

    fn fold(&self, rd: GranuleAddr, ipa: Ipa, level: i8) -> Result<GranuleAddr, RmiError> {
        self.rmi.rtt_fold(rd, ipa, level)
    }
}

impl<C: Conduit> Sharing for Host<C> {
    fn map(&self, rd: GranuleAddr, ipa: Ipa, level: i8, address: PhysAddr) -> Result<(), RmiError> {
        let size = BlockSize::at_level(level).ok_or(RmiError::Input)?;
        let base = GranuleAddr::new(address).map_err(|_| RmiError::Input)?;
        let memory = single(base, size, 1, MemState::Undelegated)?;
        let top = Ipa::new(ipa.raw().saturating_add(entry_size(level)));
        let attr = UnprotectedAttr::WriteBack;
        self.rmi
            .rtt_unprot_map(rd, ipa, top, memory, attr, Access::ReadWrite)
            .map(|_| ())
    }

    fn unmap(&self, rd: GranuleAddr, ipa: Ipa, level: i8) -> Result<(), RmiError> {
        let top = Ipa::new(ipa.raw().saturating_add(entry_size(level)));
        self.rmi
            .rtt_unprot_unmap(rd, ipa, top, Oaddr::None)
            .map(|_| ())
            .map_err(|blocked| blocked.error)
    }
}
