//! `cargo xtask image`: the one flat file, to flash or to hand to a boot loader.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use crate::cmd::guests::{Guests, Provider};
use crate::exit::Exit;
use crate::vm::Overrides;
use crate::{build, image};

/// Options of `image`.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Where the file goes.
    #[arg(short, long, value_name = "F")]
    pub output: PathBuf,
    /// The VMs inside.
    #[command(flatten)]
    pub guests: Guests,
    /// Only the hypervisor, no VM.
    #[arg(long, conflicts_with_all = ["guest", "vm"])]
    pub bare: bool,
    /// Also writes the embedded firmware's flash image.
    #[arg(long, value_name = "F")]
    pub firmware: Option<PathBuf>,
}

/// Runs the command.
pub fn run(options: &Options) -> Result<Exit> {
    let hypervisor = build::flat(build::HYPERVISOR)?;
    let bundle = if options.bare {
        Vec::new()
    } else {
        let guests = &options.guests;
        guests.bundle(&Overrides::default(), &Provider::default())?
    };
    let composed = image::compose(&hypervisor, &bundle)?;
    build::write_atomically(&options.output, &composed)?;
    println!(
        "{}: {} bytes (hypervisor {}, bundle {})",
        options.output.display(),
        composed.len(),
        hypervisor.bytes.len(),
        bundle.len()
    );
    if let Some(file) = &options.firmware {
        let flash = std::fs::read(super::run::embedded_firmware()?)?;
        build::write_atomically(file, &flash)?;
        println!("{}: {} bytes", file.display(), flash.len());
    }
    Ok(Exit::Good)
}
