//! The hardware half: each module that needs `unsafe` says why at its head.

#[macro_use]
mod console;
mod bank;
mod boot;
mod cache;
mod cpu;
mod entry;
mod fatal;
mod gic;
mod gpc;
mod handler;
mod heap;
mod inject;
mod mmio;
mod power;
mod realm;
mod world;
