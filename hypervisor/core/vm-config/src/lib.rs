//! VM descriptions: the bundle format and the plan made from it.
#![no_std]
#![forbid(unsafe_code)]
