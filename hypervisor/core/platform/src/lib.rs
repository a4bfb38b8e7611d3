//! The machine as its flattened device tree describes it.
#![no_std]
#![forbid(unsafe_code)]
