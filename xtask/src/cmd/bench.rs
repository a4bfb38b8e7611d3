//! `cargo xtask bench`: measures, and prints ours next to the reference. A
//! benchmark, not a test: a missed bar is printed and fails nothing.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use serde::Serialize;
use serde_json::Value;

use crate::bench::growth::{self, Start};
use crate::bench::pair::{self, Pair};
use crate::bench::{Row, linux, virtio};
use crate::cmd::run::{self, Finished};
use crate::exit::Exit;
use crate::image::{Dialect, Flat};
use crate::session::{Input, Output};
use crate::{bare, bench, build, progress};

/// Options of `bench`.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Writes the table to this file.
    #[arg(long, value_name = "F")]
    pub json: Option<PathBuf>,
    /// Dialect of RMI that the embedded firmware speaks.
    #[arg(long, value_name = "V", default_value = "1.0")]
    pub rmi: Dialect,
    /// Only what takes seconds: exits, interrupts, virtio.
    #[arg(long)]
    pub quick: bool,
    /// Only this part; may be given many times.
    #[arg(long, value_name = "PART", conflicts_with = "quick")]
    pub only: Vec<Part>,
}

/// A part of the benches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// What exits of each kind take.
    Exits,
    /// Interrupts between vCPUs, and switches between them.
    Pairs,
    /// The life of a Linux Realm.
    Life,
    /// A Linux as a plain VM and without a hypervisor.
    Boots,
    /// What a KiB costs that goes through a virtio device.
    Virtio,
    /// Start-up and memory with more Realms and more CPUs.
    Growth,
}

impl Options {
    fn wants(&self, part: Part) -> bool {
        match self.only.is_empty() {
            true => !self.quick || matches!(part, Part::Exits | Part::Pairs | Part::Virtio),
            false => self.only.contains(&part),
        }
    }
}

/// In guest time, which passes by instructions.
const DEADLINE: u64 = 1800;

/// Realms that come up beside each other.
const REALMS: [u64; 3] = [1, 8, 64];
/// CPUs of the machine on which one comes up.
const CPUS: [u64; 4] = [1, 2, 4, 8];

/// Runs the command.
pub fn run(options: &Options) -> Result<Exit> {
    let hypervisor = build::flat(build::HYPERVISOR)?;
    let Some(mut table) = measure_all(options, &hypervisor)? else {
        return Ok(Exit::Failed);
    };
    let realm = table.linux.as_ref().or(table.exits.as_ref());
    let sizes = bench::sizes(&hypervisor, realm.unwrap_or(&Value::Null));
    table.rows.extend(sizes);
    println!("{}", bench::head());
    for row in &table.rows {
        println!("{}", row.line());
    }
    if let Some(file) = &options.json {
        build::write_atomically(file, &serde_json::to_vec_pretty(&table)?)?;
    }
    Ok(Exit::Good)
}

/// The rows of some parts, for tests; an error if a run did not end well.
pub fn rows(parts: &[Part], rmi: Dialect) -> Result<Vec<Row>> {
    let options = Options {
        json: None,
        rmi,
        quick: false,
        only: parts.to_vec(),
    };
    let table = measure_all(&options, &build::flat(build::HYPERVISOR)?)?;
    Ok(table.context("a guest did not end well")?.rows)
}

/// What was measured.
#[derive(Default, Serialize)]
struct Table {
    rows: Vec<Row>,
    exits: Option<Value>,
    linux: Option<Value>,
}

/// Measures; none, with lines that say why, if a run did not end well.
fn measure_all(options: &Options, hypervisor: &Flat) -> Result<Option<Table>> {
    let rmi = options.rmi;
    let mut table = Table::default();
    let wanted = Part::value_variants().iter().copied();
    for part in wanted.filter(|part| options.wants(*part)) {
        let rows = match part {
            Part::Exits => exits(rmi, &mut table)?,
            Part::Pairs => pairs(rmi)?,
            Part::Life => life(rmi, &mut table)?,
            Part::Boots => boots(rmi)?,
            Part::Virtio => disk_and_net(rmi)?,
            Part::Growth => growths(rmi, hypervisor)?,
        };
        let Some(rows) = rows else {
            return Ok(None);
        };
        table.rows.extend(rows);
    }
    Ok(Some(table))
}

/// What exits of each kind take, of a Realm and of a plain VM.
fn exits(rmi: Dialect, table: &mut Table) -> Result<Option<Vec<Row>>> {
    let Some(realm) = measure(&Case::realm("bench"), rmi)? else {
        return Ok(None);
    };
    let Some(plain) = measure(&Case::plain("bench-vm"), rmi)? else {
        return Ok(None);
    };
    let mut rows = bench::exits(&realm.json);
    rows.extend(bench::plain(&plain.outcome.log));
    table.exits = Some(realm.json);
    Ok(Some(rows))
}

/// The whole life of a Linux Realm.
fn life(rmi: Dialect, table: &mut Table) -> Result<Option<Vec<Row>>> {
    let Some(linux) = measure(&Case::realm("bench-linux"), rmi)? else {
        return Ok(None);
    };
    let rows = bench::life(&linux.json, &linux.outcome.log);
    table.linux = Some(linux.json);
    Ok(Some(rows))
}

/// Interrupts between two vCPUs, on two CPUs and on one.
fn pairs(rmi: Dialect) -> Result<Option<Vec<Row>>> {
    type Figures = fn(&Pair<'_>) -> Vec<Row>;
    // One CPU more than are dedicated, for the host.
    let apart: (_, _, _, Figures) = ("bench-sgi", "bench-sgi-vm", 3, pair::apart);
    let together = ("bench-switch", "bench-switch-vm", 1, pair::together as _);
    let mut rows = Vec::new();
    for (realm, plain, cpus, figures) in [apart, together] {
        let realm = measure(&Case::realm(realm).on(cpus), rmi)?;
        let plain = measure(&Case::plain(plain).on(cpus), rmi)?;
        let (Some(realm), Some(plain)) = (realm, plain) else {
            return Ok(None);
        };
        rows.extend(figures(&Pair {
            plain: &plain.outcome.log,
            realm: &realm.outcome.log,
            books: &realm.json,
        }));
    }
    Ok(Some(rows))
}

/// A Linux as a plain VM, and without a hypervisor.
fn boots(rmi: Dialect) -> Result<Option<Vec<Row>>> {
    const GUEST: &str = "bench-linux-vm";
    let Some(plain) = measure(&Case::plain(GUEST), rmi)? else {
        return Ok(None);
    };
    let bare = bare::boot(GUEST, Duration::from_secs(DEADLINE))?;
    Ok(Some(linux::rows(&plain.outcome.log, &bare.log, GUEST)))
}

/// What goes through a disk, and from one VM to another.
fn disk_and_net(rmi: Dialect) -> Result<Option<Vec<Row>>> {
    let two = Case {
        copies: 2,
        ..Case::plain("bench-net")
    };
    let (disk, net) = (
        measure(&Case::plain("bench-disk"), rmi)?,
        measure(&two, rmi)?,
    );
    let rows = disk.zip(net);
    Ok(rows.map(|(disk, net)| virtio::rows(&disk.outcome.log, &net.outcome.log)))
}

/// Start-up and memory with more Realms, and with more CPUs.
fn growths(rmi: Dialect, hypervisor: &Flat) -> Result<Option<Vec<Row>>> {
    let start = |realms: u64, cpus: u64| -> Result<Option<Start>> {
        let case = Case {
            copies: usize::try_from(realms)?,
            ..Case::realm("bench-start").on(u32::try_from(cpus)?)
        };
        let run = measure(&case, rmi)?;
        Ok(run.and_then(|run| Start::of(&run.json, hypervisor.memory, realms, cpus)))
    };
    let mut realms = Vec::new();
    for count in REALMS {
        realms.extend(start(count, 1)?);
    }
    let mut cpus = Vec::new();
    for count in CPUS {
        cpus.extend(start(1, count)?);
    }
    if realms.len() + cpus.len() < REALMS.len() + CPUS.len() {
        return Ok(None);
    }
    let mut rows = growth::with_realms(&realms);
    rows.extend(growth::with_cpus(&cpus));
    Ok(Some(rows))
}

/// Who counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Books {
    /// The hypervisor, around each exit.
    Hypervisor,
    /// The guest, by the counter it sees.
    Guest,
}

/// A run that is measured.
#[derive(Clone, Copy, Debug)]
struct Case<'a> {
    guest: &'a str,
    books: Books,
    cpus: u32,
    copies: usize,
}

impl<'a> Case<'a> {
    /// A Realm, on one CPU so that the order of instructions repeats.
    const fn realm(guest: &'a str) -> Self {
        Self {
            guest,
            books: Books::Hypervisor,
            cpus: 1,
            copies: 1,
        }
    }

    /// A plain VM, likewise.
    const fn plain(guest: &'a str) -> Self {
        Self {
            books: Books::Guest,
            ..Self::realm(guest)
        }
    }

    /// On so many CPUs. QEMU runs them one after the other, each until it waits, so
    /// that the order repeats all the same.
    const fn on(self, cpus: u32) -> Self {
        Self { cpus, ..self }
    }
}

/// Runs a guest by instructions; says why if it did not end well.
fn measure(case: &Case<'_>, rmi: Dialect) -> Result<Option<Finished>> {
    let guest = case.guest;
    let mut options = run::Options {
        counted: true,
        unbooked: case.books == Books::Guest,
        cpus: case.cpus,
        rmi,
        // The checks of a headless guest would touch all of its memory.
        headless: false,
        timeout: Some(DEADLINE),
        ..run::Options::headless(guest)
    };
    options.guests.copies = (case.copies > 1).then_some(case.copies);
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
