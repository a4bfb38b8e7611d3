//! The SMC conduit: register blocks and the trait every caller goes through.
#![no_std]
#![forbid(unsafe_code)]
