//! `RMI_RTT_DATA_MAP`, `RMI_RTT_UNPROT_MAP`: blocks into entries of one table.

use super::{Answer, Outcome2, Refusal, success, with_status};
use crate::behaviour::Behaviour;
use crate::granule::GranuleState;
use crate::hal::Hal;
use crate::pages::RealmState;
use crate::rmm::Rmm;
use crate::rtt::{Entry, RealmSpace, Walk};
use ::rmi::rtt::{IpaHalf, entry_size};
use ::rmi::status::Status;
use ::rmi::v2_0::range::MemState;
use addr::{GRANULE_SIZE, GranuleAddr, Ipa};

/// A range of a Realm that a command works on.
#[derive(Clone, Copy)]
pub(super) struct Target {
    pub base: Ipa,
    pub top: Ipa,
}

impl Target {
    /// Checks that a range lies in one half.
    pub fn new(space: &RealmSpace, [base, top]: [u64; 2], half: IpaHalf) -> Outcome2<Self> {
        let bad = Refusal::Known(Status::ErrorInput);
        let aligned = base.is_multiple_of(GRANULE_SIZE) && top.is_multiple_of(GRANULE_SIZE);
        if !aligned || base >= top {
            return Err(bad);
        }
        let last = Ipa::new(top - GRANULE_SIZE);
        let base = Ipa::new(base);
        if space.half(base) != Some(half) || space.half(last) != Some(half) {
            return Err(bad);
        }
        Ok(Self {
            base,
            top: Ipa::new(top),
        })
    }
}

/// Memory attributes and access of a shared mapping, out of a command's flags.
fn shared_attributes(flags: u64) -> Option<u64> {
    let attribute = (flags >> 16) & 0b111;
    let access = (flags >> 19) & 0b1111;
    if flags >> 23 != 0 || attribute == 0b100 || access > 3 {
        return None;
    }
    // Bit 0 is write and bit 1 read here; a descriptor has them reversed.
    let (write, read) = (access & 1, access >> 1);
    Some(attribute << 2 | read << 6 | write << 7)
}

impl<H: Hal> Rmm<'_, H> {
    pub(super) fn data_map(
        &self,
        rd: u64,
        range: [u64; 2],
        flags: u64,
        oaddr: u64,
        behaviour: &Behaviour,
    ) -> Answer {
        let budget = behaviour.granules_per_map.max(1);
        let mut used = 0;
        self.map(
            rd,
            range,
            flags,
            oaddr,
            IpaHalf::Protected,
            |walk, block| {
                let granules = walk.size() / GRANULE_SIZE;
                let (base, state) = block;
                match walk.entry {
                    Entry::Assigned { granule, .. } if granule == base => return Ok(true),
                    Entry::Unassigned(ripas) => {
                        if state != MemState::Delegated {
                            return Err(Refusal::Known(Status::ErrorInput));
                        }
                        if used != 0 && used + granules > budget {
                            return Ok(false);
                        }
                        used += granules;
                        self.take_block(
                            base,
                            granules,
                            GranuleState::Delegated,
                            GranuleState::Data,
                        )?;
                        let granule = base;
                        walk.write(self.hal, Entry::Assigned { granule, ripas });
                    }
                    _ => {
                        let level = walk.level;
                        return Err(Refusal::Known(Status::ErrorRtt { level }));
                    }
                }
                Ok(true)
            },
        )
    }

    pub(super) fn unprot_map(&self, rd: u64, range: [u64; 2], flags: u64, oaddr: u64) -> Answer {
        let Some(attributes) = shared_attributes(flags) else {
            return with_status(Status::ErrorInput.raw(), &[]);
        };
        self.map(
            rd,
            range,
            flags,
            oaddr,
            IpaHalf::Unprotected,
            |walk, (base, _)| {
                if base.raw() >> 48 != 0 {
                    return Err(Refusal::Known(Status::ErrorInput));
                }
                let wanted = Entry::AssignedNs {
                    desc: base.raw() | attributes,
                };
                if walk.entry == Entry::UnassignedNs {
                    walk.write(self.hal, wanted);
                } else if walk.entry != wanted {
                    let level = walk.level;
                    return Err(Refusal::Known(Status::ErrorRtt { level }));
                }
                Ok(true)
            },
        )
    }

    /// Puts one block after the other into the entries of one table, for as
    /// long as `put` says yes. A failure counts only where nothing was done.
    #[inline(never)]
    fn map(
        &self,
        rd: u64,
        range: [u64; 2],
        flags: u64,
        oaddr: u64,
        half: IpaHalf,
        mut put: impl FnMut(&mut Walk, (GranuleAddr, MemState)) -> Outcome2<bool>,
    ) -> Answer {
        let outcome = self.with_tables_2(rd, |space, realm| {
            let target = Target::new(space, range, half)?;
            if !matches!(realm.state(), RealmState::New | RealmState::Active) {
                return Err(Refusal::Known(Status::ErrorRealm { index: 0 }));
            }
            let mut source = self.source(flags, oaddr)?;
            let bad = Refusal::Known(Status::ErrorInput);
            let level = source.level().ok_or(bad)?;
            if !(1..=3).contains(&level)
                || !space.is_entry(target.base, level)
                || level < space.start_level
            {
                return Err(bad);
            }
            let size = entry_size(level);
            if target.top.raw() - target.base.raw() < size {
                return Err(Refusal::Known(Status::ErrorRtt { level }));
            }
            let mut walk = Walk::to(self.hal, space, target.base, level).ok_or(bad)?;
            if walk.level != level {
                let level = walk.level;
                return Err(Refusal::Known(Status::ErrorRtt { level }));
            }
            let mut reached = target.base;
            while let Some(next) = reached.checked_add(size).filter(|next| *next <= target.top) {
                let Some(block) = source.block().filter(|_| source.level() == Some(level)) else {
                    break;
                };
                match put(&mut walk, block) {
                    Ok(true) => {}
                    Err(refusal) if reached == target.base => return Err(refusal),
                    _ => break,
                }
                reached = next;
                // A list that cannot be read on ends here; what is done is done.
                if self.advance(&mut source).is_err() || !walk.next(self.hal) {
                    break;
                }
            }
            Ok(reached.raw())
        });
        match outcome {
            Ok(reached) => success(&[reached]),
            Err(refusal) => with_status(refusal.raw(), &[]),
        }
    }
}
