//! The Realm Management Interface: types, encoding and typed calls (DEN0137).
#![no_std]
#![forbid(unsafe_code)]
