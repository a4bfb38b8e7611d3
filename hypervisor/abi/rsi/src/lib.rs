//! The Realm Services Interface and the host-call conventions on top of it (DEN0137).
#![no_std]
#![forbid(unsafe_code)]
