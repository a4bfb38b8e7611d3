//! Machine tests: boots QEMU per case and judges.
#![no_std]
#![forbid(unsafe_code)]
