//! The table.

mod granule;
mod memory;
mod realm;
mod rec;
mod rtt;
mod second;

use crate::case::{Arg, Dialect, RmiCase, Slot};
use rmi::status::Status;

/// Every case of RMI 1.0, family by family.
pub const ALL: [&[RmiCase]; 5] = [
    granule::CASES,
    realm::CASES,
    rtt::CASES,
    memory::CASES,
    rec::CASES,
];

/// Every case of RMI 2.0, family by family.
pub const ALL_2: [&[RmiCase]; 4] = second::ALL;

/// Every case of a dialect.
pub fn all(dialect: Dialect) -> impl Iterator<Item = &'static RmiCase> {
    let families: &[&[RmiCase]] = match dialect {
        Dialect::V1_0 => &ALL,
        Dialect::V2_0 => &ALL_2,
    };
    families.iter().copied().flatten()
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
