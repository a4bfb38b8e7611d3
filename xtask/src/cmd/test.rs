//! `cargo xtask test`.

use anyhow::{Result, bail};
use clap::Args;

use crate::exit::Exit;

/// Options of `test`.
#[derive(Args, Clone, Debug)]
pub struct Options {}

/// Runs the command.
pub fn run(_options: &Options) -> Result<Exit> {
    bail!("test comes in a moment")
}
