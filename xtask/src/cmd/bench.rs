//! `cargo xtask bench`: measures, and prints ours next to the reference. A
//! benchmark, not a test: a missed bar is printed and fails nothing.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use serde_json::json;

use crate::cmd::run::{self, Finished};
use crate::exit::Exit;
use crate::image::Dialect;
use crate::session::{Input, Output};
use crate::{bench, build, progress};

/// Options of `bench`.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Writes the table to this file.
    #[arg(long, value_name = "F")]
    pub json: Option<PathBuf>,
    /// Dialect of RMI that the embedded firmware speaks.
    #[arg(long, value_name = "V", default_value = "1.0")]
    pub rmi: Dialect,
    /// Only the exits, not the life of a Linux Realm.
    #[arg(long)]
    pub quick: bool,
}

/// In guest time, which passes by instructions.
const DEADLINE: u64 = 1800;

/// Runs the command.
pub fn run(options: &Options) -> Result<Exit> {
    let hypervisor = build::flat(build::HYPERVISOR)?;
    let Some(payload) = measure("bench", options.rmi, Books::Hypervisor)? else {
        return Ok(Exit::Failed);
    };
    let Some(plain) = measure("bench-vm", options.rmi, Books::Guest)? else {
        return Ok(Exit::Failed);
    };
    let mut rows = bench::exits(&payload.json);
    rows.extend(bench::plain(&plain.outcome.log));
    let mut linux = None;
    if !options.quick {
        let Some(finished) = measure("bench-linux", options.rmi, Books::Hypervisor)? else {
            return Ok(Exit::Failed);
        };
        rows.extend(bench::life(&finished.json));
        linux = Some(finished.json);
    }
    let last = linux.as_ref().unwrap_or(&payload.json);
    rows.extend(bench::sizes(&hypervisor, last));
    println!("{}", bench::head());
    for row in &rows {
        println!("{}", row.line());
    }
    if let Some(file) = &options.json {
        let table = json!({
            "rows": rows,
            "exits": payload.json,
            "linux": linux,
        });
        build::write_atomically(file, &serde_json::to_vec_pretty(&table)?)?;
    }
    Ok(Exit::Good)
}

/// Who counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Books {
    /// The hypervisor, around each exit.
    Hypervisor,
    /// The guest, by the counter it sees.
    Guest,
}

/// Runs a guest by instructions; says why if it did not end well.
fn measure(guest: &str, rmi: Dialect, books: Books) -> Result<Option<Finished>> {
    let options = run::Options {
        counted: true,
        unbooked: books == Books::Guest,
        // One CPU, so that the order of instructions repeats.
        cpus: 1,
        rmi,
        // The checks of a headless guest would touch all of its memory.
        headless: false,
        timeout: Some(DEADLINE),
        ..run::Options::headless(guest)
    };
    let step = progress::spinner(&format!("measuring with guest {guest}"));
    let finished = run::execute(&options, Output::Quiet, Input::None);
    step.finish_and_clear();
    let finished = finished?;
    if finished.verdict.exit == Exit::Good {
        return Ok(Some(finished));
    }
    println!("guest {guest} did not end well, so nothing is measured:");
    for fault in &finished.verdict.faults {
        println!("fault: {fault}");
    }
    let tail: Vec<_> = finished.outcome.log.lines().rev().take(20).collect();
    for line in tail.iter().rev() {
        println!("  | {line}");
    }
    Ok(None)
}
