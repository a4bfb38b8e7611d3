//! `cargo xtask doctor`.

use anyhow::{Result, bail};
use clap::Args;

use crate::exit::Exit;

/// Options of `doctor`.
#[derive(Args, Clone, Debug)]
pub struct Options {}

/// Runs the command.
pub fn run(_options: &Options) -> Result<Exit> {
    bail!("doctor comes in a moment")
}
