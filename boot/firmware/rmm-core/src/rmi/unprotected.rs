//! `RMI_RTT_MAP_UNPROTECTED`, `RMI_RTT_UNMAP_UNPROTECTED`.
//!
//! The host says where the memory is and how it is accessed; that it is
//! Non-secure and never executable is not its choice.

use super::Reply;
use super::rtt::level_of;
use crate::hal::{Hal, TlbScope};
use crate::rmm::{Outcome, Rmm};
use crate::rtt::{Entry, NS_DESC_MASK, RealmSpace, Walk};
use ::rmi::rtt::{IpaHalf, entry_size};
use ::rmi::status::Status;
use addr::Ipa;

/// MemAttr 0b100 is reserved with FWB.
const RESERVED_ATTR: u64 = 0b100;

fn check(space: &RealmSpace, ipa: Ipa, level: u64) -> Outcome<i8> {
    let level = level_of(level)?;
    let leaf = (1..=3).contains(&level) && level >= space.start_level;
    if leaf && space.is_entry(ipa, level) && space.half(ipa) == Some(IpaHalf::Unprotected) {
        Ok(level)
    } else {
        Err(Status::ErrorInput)
    }
}

fn check_desc(desc: u64, level: i8) -> Outcome<()> {
    let address = 0x0000_ffff_ffff_ffff & !(entry_size(level).max(1) - 1);
    if desc & !(address | NS_DESC_MASK) != 0 || (desc >> 2) & 0b111 == RESERVED_ATTR {
        return Err(Status::ErrorInput);
    }
    Ok(())
}

impl<H: Hal> Rmm<'_, H> {
    pub(super) fn rtt_map_unprotected(
        &self,
        rd: u64,
        ipa: u64,
        level: u64,
        desc: u64,
    ) -> Outcome<()> {
        self.with_tables(rd, |space, _| {
            let ipa = Ipa::new(ipa);
            let level = check(space, ipa, level)?;
            check_desc(desc, level)?;
            let mut walk = Walk::to(self.hal, space, ipa, level).ok_or(Status::ErrorInput)?;
            if walk.level != level || walk.entry != Entry::UnassignedNs {
                return Err(Status::ErrorRtt { level: walk.level });
            }
            walk.write(self.hal, Entry::AssignedNs { desc });
            Ok(())
        })
    }

    pub(super) fn rtt_unmap_unprotected(&self, rd: u64, ipa: u64, level: u64) -> Reply {
        let done = self.with_tables(rd, |space, realm| {
            let ipa = Ipa::new(ipa);
            let level = check(space, ipa, level)?;
            let mut walk = Walk::to(self.hal, space, ipa, level).ok_or(Status::ErrorInput)?;
            let mapped = matches!(walk.entry, Entry::AssignedNs { .. });
            let status = if walk.level == level && mapped {
                walk.write(self.hal, Entry::UnassignedNs);
                self.forget(realm, TlbScope::Leaf { ipa, level });
                Status::Success
            } else {
                Status::ErrorRtt { level: walk.level }
            };
            let top = walk.skip_not_live(self.hal, ipa);
            Ok(Reply::with(status, &[top.raw()]))
        });
        done.unwrap_or_else(|status| Reply::with(status, &[]))
    }
}
