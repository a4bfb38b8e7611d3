//! `cargo xtask lint`.

use anyhow::{Result, bail};
use clap::Args;

use crate::exit::Exit;

/// Options of `lint`.
#[derive(Args, Clone, Debug)]
pub struct Options {}

/// Runs the command.
pub fn run(_options: &Options) -> Result<Exit> {
    bail!("lint comes in a moment")
}
