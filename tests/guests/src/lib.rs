//! Runtime shared by the payloads.
#![no_std]
