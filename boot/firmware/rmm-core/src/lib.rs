//! The Realm Management Monitor's decisions, over a small hardware trait.
//!
//! Granule table, Realm, REC and RTT machines, RMI and RSI dispatch and
//! measurement (DEN0137). R-EL2 links this crate with hardware, host tests
//! link the same crate behind the hypervisor's conduit.
//!
//! Everything that comes from the host or from a Realm is copied once, then
//! validated, then the granules it names are locked in a state, and only then
//! anything changes. Nothing here panics on their data.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic
    )
)]

mod behaviour;
pub mod context;
mod features;
mod granule;
pub mod hal;
mod hash;
mod measure;
mod pages;
mod params;
mod rmi;
mod rmi2;
mod rmm;
mod rsi;
mod rtt;
mod run;

pub use behaviour::{Behaviour, Completion, Known};
pub use context::{El1State, FpState, GicState, RecContext, Stage2, Timers};
pub use features::CpuFeatures;
pub use hal::{
    GptRefused, Hal, LogLevel, NsFault, PAGE_SIZE, PageBytes, RunExit, RunExitKind, TlbScope,
};
pub use rmm::{Config, ConfigError, Dialect, Rmm, Vmids};
