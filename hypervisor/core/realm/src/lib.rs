//! Granules, the ledger, and the life of a Realm as its host drives it.
#![no_std]
#![forbid(unsafe_code)]
