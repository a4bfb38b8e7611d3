//! Realm translation tables: the architecture's own stage 2 tables, walked by
//! hardware, with what the RMM must remember in their invalid entries.

mod entry;
mod shape;
mod walk;

pub use entry::{Entry, NS_DESC_MASK};
pub use shape::{RealmSpace, vtcr};
pub use walk::Walk;

/// Entries in one table.
pub const ENTRIES: usize = 512;
