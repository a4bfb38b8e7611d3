//! `cargo xtask`: the one door. See `cargo xtask help`.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use xtask::cmd::{bench, doctor, image, lint, rim, run, test};
use xtask::exit::Exit;
use xtask::{os, session};

/// Builds, runs and tests Suzerain.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Door {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Boots the stack in QEMU with a VM in it.
    Run(Box<run::Options>),
    /// Runs every test.
    Test(test::Options),
    /// Measures against the reference figures.
    Bench(bench::Options),
    /// Writes the one flat file of hypervisor and VM bundle.
    Image(image::Options),
    /// Computes a Realm's initial measurement before it boots.
    Rim(rim::Options),
    /// Says what this machine lacks and the command that mends it.
    Doctor(doctor::Options),
    /// Checks formatting, clippy and the house rules.
    Lint(lint::Options),
}

fn main() -> ExitCode {
    // A panic aborts without unwinding, so it has to give the terminal back
    // itself.
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        os::restore_terminal();
        report(info);
    }));
    // clap ends with 2 on bad input, as the contract for scripts wants.
    let door = Door::parse();
    let done = session::catch_signals().and_then(|()| match door.command {
        Command::Run(options) => run::run(&options),
        Command::Test(options) => test::run(&options),
        Command::Bench(options) => bench::run(&options),
        Command::Image(options) => image::run(&options),
        Command::Rim(options) => rim::run(&options),
        Command::Doctor(options) => doctor::run(&options),
        Command::Lint(options) => lint::run(&options),
    });
    match done {
        Ok(exit) => exit.into(),
        Err(error) => {
            eprintln!("error: {error:#}");
            Exit::BadInput.into()
        }
    }
}
