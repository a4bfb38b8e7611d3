//! The Realm Management Monitor's decisions, over a small hardware trait.
#![no_std]
#![forbid(unsafe_code)]
