//! `cargo xtask bench`.

use anyhow::{Result, bail};
use clap::Args;

use crate::exit::Exit;

/// Options of `bench`.
#[derive(Args, Clone, Debug)]
pub struct Options {}

/// Runs the command.
pub fn run(_options: &Options) -> Result<Exit> {
    bail!("bench comes in a moment")
}
