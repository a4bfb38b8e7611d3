//! What no guest should do, check by check, and without end.

mod common;
pub mod realm;
pub mod storm;
pub mod vm;
