//! Addresses as types: physical, intermediate physical, granules and ranges.
#![no_std]
#![forbid(unsafe_code)]
