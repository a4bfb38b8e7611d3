//! Granule protection tables: encode, plan and look up (DDI0487, RME).
#![no_std]
#![forbid(unsafe_code)]
