//! Exits of virtual CPUs, decoded, and what to do about them.
#![no_std]
#![forbid(unsafe_code)]
