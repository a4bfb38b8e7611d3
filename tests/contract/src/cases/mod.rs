//! The table.

mod granule;
mod memory;
mod realm;
mod rec;
mod rtt;

use crate::case::{Arg, RmiCase, Slot};
use rmi::status::Status;

/// Every case, family by family.
pub const ALL: [&[RmiCase]; 5] = [
    granule::CASES,
    realm::CASES,
    rtt::CASES,
    memory::CASES,
    rec::CASES,
];

/// Every case.
pub fn all() -> impl Iterator<Item = &'static RmiCase> {
    ALL.into_iter().flatten()
}

const OK: Status = Status::Success;
const INPUT: Status = Status::ErrorInput;
const REC_STATE: Status = Status::ErrorRec;

const fn realm_state(index: u8) -> Status {
    Status::ErrorRealm { index }
}

const fn rtt_level(level: i8) -> Status {
    Status::ErrorRtt { level }
}

const fn g(slot: Slot) -> Arg {
    Arg::Granule(slot)
}

const fn r(raw: u64) -> Arg {
    Arg::Raw(raw)
}
