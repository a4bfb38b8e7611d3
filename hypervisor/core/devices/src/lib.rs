//! Emulated devices.
#![no_std]
#![forbid(unsafe_code)]
