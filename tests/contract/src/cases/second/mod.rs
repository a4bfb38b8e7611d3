//! The cases of RMI 2.0.

mod granule;
mod memory;
mod realm;
mod rec;

use super::{g, r};
use crate::case::RmiCase;
use rmi::v2_0::{MemRequest, Status};

/// Family by family.
pub const ALL: [&[RmiCase]; 4] = [granule::CASES, realm::CASES, memory::CASES, rec::CASES];

const OK: Status = Status::Success;
const INPUT: Status = Status::ErrorInput;
const REALM: Status = Status::ErrorRealm { index: 0 };
const REC_STATE: Status = Status::ErrorRec;

/// An operation waits for nothing but to be continued.
const CONTINUE: Status = incomplete(MemRequest::None, false);
/// The same, and can be called off.
const READY: Status = incomplete(MemRequest::None, true);
/// An operation wants memory, and can be called off.
const DONATE: Status = incomplete(MemRequest::Donate, true);
/// An operation gives memory back.
const RECLAIM: Status = incomplete(MemRequest::Reclaim, false);

const fn incomplete(request: MemRequest, can_cancel: bool) -> Status {
    Status::Incomplete {
        request,
        can_cancel,
    }
}

const fn rtt_level(level: i8) -> Status {
    Status::ErrorRtt { level }
}
