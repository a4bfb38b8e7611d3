//! A GICv3 distributor, redistributor and list-register model.
#![no_std]
#![forbid(unsafe_code)]
