//! Changes of RIPAS that the Realm asks for (DEN0137 A5.4).

use super::{Cause, Realm, RealmError, Step};
use crate::intent::Backend;
use crate::region::{self, REGION_SIZE, Shape};
use crate::{Memory, RamRequests, Region};
use addr::{GRANULE_SIZE, GranuleAddr, Ipa, IpaRange};
use rmi::client::RmiError;
use rmi::rtt::Ripas;

/// What to tell the Realm.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RipasAnswer {
    /// The change was made up to `reached`; the Realm asks again for the rest.
    Accept {
        /// The first address that was not changed.
        reached: Ipa,
    },
    /// The host does not agree.
    Reject,
}

impl<B: Backend> Realm<'_, B> {
    /// Makes the change of `base..top` to `ripas` that vCPU `vcpu` asked for in
    /// its last exit. RAM outside the VM's memory is rejected. Giving memory up
    /// cannot be rejected; outside the VM's memory it makes no progress.
    pub fn ripas_change(
        &mut self,
        memory: &mut impl Memory,
        vcpu: u32,
        base: Ipa,
        top: Ipa,
        ripas: Ripas,
    ) -> Result<RipasAnswer, RealmError> {
        let step = Step::SetRipas(base);
        let rec = self.rec(vcpu).ok_or(step.failed(Cause::NoVcpu))?;
        let ram = self.spec.ram;
        let range = match IpaRange::new(base, top) {
            Ok(range) if range.is_aligned(GRANULE_SIZE) => range,
            _ => return Ok(RipasAnswer::Reject),
        };
        match ripas {
            Ripas::Ram if ram.encloses(range) && self.spec.ram_requests == RamRequests::Accept => {}
            Ripas::Empty => {}
            Ripas::Ram | Ripas::Destroyed => return Ok(RipasAnswer::Reject),
        }
        let mut reached = base;
        let top = top.min(ram.top());
        // Each round covers at least a page, most a region or many.
        while ram.contains(reached) && reached < top {
            match self.ripas_step(memory, rec, reached, top)? {
                Some(next) => {
                    self.ripas_changed(memory, reached, next, ripas)?;
                    reached = next;
                }
                None => break,
            }
        }
        Ok(RipasAnswer::Accept { reached })
    }

    /// One call; `None` if the RMM can go no further.
    fn ripas_step(
        &mut self,
        memory: &mut impl Memory,
        rec: GranuleAddr,
        at: Ipa,
        top: Ipa,
    ) -> Result<Option<Ipa>, RealmError> {
        let step = Step::SetRipas(at);
        let rd = self.descriptor(step)?;
        let Some(place) = region::place(self.spec.ram, at) else {
            return Ok(None);
        };
        // A region that changes in part must be mapped page by page.
        let left = top.offset_from(at).unwrap_or(0);
        if place.page != 0 || left < REGION_SIZE {
            self.need_table(memory, place.region)?;
        }
        match self.rmm.set_ripas(rd, rec, at, top) {
            Ok(next) => Ok(Some(next)),
            Err(RmiError::Rtt { .. }) => Ok(None),
            Err(error) => Err(step.failed(error)),
        }
    }

    /// Follows a change that was made: takes given-up memory back, and removes
    /// sharing of memory that is private again.
    fn ripas_changed(
        &mut self,
        memory: &mut impl Memory,
        base: Ipa,
        top: Ipa,
        ripas: Ripas,
    ) -> Result<(), RealmError> {
        let ram = self.spec.ram;
        let Ok(range) = IpaRange::new(base, top) else {
            return Ok(());
        };
        if ripas == Ripas::Ram {
            self.mark_ram(base, top);
        }
        for index in region::indices(ram, range) {
            let pages = region::pages_of(ram, index, range);
            if ripas == Ripas::Ram {
                self.unshare(memory, index, pages)?;
                continue;
            }
            let Some(region) = self.regions.get_mut(index) else {
                continue;
            };
            region.ram.remove(pages);
            let given_up = region.populated.and(pages);
            if !given_up.is_empty() {
                self.need_table(memory, index)?;
                self.drain(memory, index, given_up);
            }
            if self.regions.get(index).is_some_and(Region::is_hollow) {
                self.fold(memory, index, Shape::Entry);
            }
            if self
                .regions
                .get(index)
                .is_some_and(|region| region.populated.is_empty())
            {
                self.retire_frame(memory, index);
            }
        }
        Ok(())
    }
}
