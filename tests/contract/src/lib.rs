//! One table of RMI cases, run against any RMM.
#![no_std]
#![forbid(unsafe_code)]
