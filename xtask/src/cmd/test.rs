//! `cargo xtask test`: everything CI runs. Host and contract tests by test
//! program, machine tests one by one (each is a QEMU), two at a time; then the
//! slowest are named.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use cargo_metadata::Message;
use clap::Args;

use crate::exit::Exit;
use crate::{build, os, progress, provision};

/// Options of `test`.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Also the long ones.
    #[arg(long)]
    pub soak: bool,
    /// Only tests whose name contains this.
    #[arg(long, value_name = "TEXT")]
    pub filter: Option<String>,
    /// Only host and contract tests.
    #[arg(long, conflicts_with = "machine")]
    pub host: bool,
    /// Only machine tests.
    #[arg(long)]
    pub machine: bool,
}

/// The package whose tests boot machines.
const MACHINE_TESTS: &str = "qemu-tests";
/// Machines at a time: each keeps about one processor busy.
const MACHINES: usize = 2;
const SLOWEST: usize = 10;
/// Lines shown of a test that failed, its last ones.
const SHOWN: usize = 80;

/// One thing that ran.
struct Ran {
    name: String,
    took: Duration,
    good: bool,
    /// Shown if it failed.
    output: String,
}

/// A test program that cargo built.
struct Program {
    package: String,
    name: String,
    file: PathBuf,
    dir: PathBuf,
}

/// Runs the command.
pub fn run(options: &Options) -> Result<Exit> {
    let begun = Instant::now();
    let step = progress::spinner("building the tests");
    let programs = build_tests();
    step.finish_and_clear();
    let programs = programs?;
    let (machine, host): (Vec<_>, Vec<_>) = programs
        .into_iter()
        .partition(|program| program.package == MACHINE_TESTS);
    let mut ran = Vec::new();
    if !options.machine {
        for program in &host {
            ran.push(show(run_whole(program, options)?));
        }
    }
    if !options.host {
        ran.extend(run_machines(&machine, options)?);
    }
    Ok(report(ran, begun.elapsed()))
}

/// Builds every test of the packages that run on the host.
fn build_tests() -> Result<Vec<Program>> {
    let mut child = build::cargo()
        .args(["test", "--quiet", "--no-run"])
        .arg("--message-format=json-render-diagnostics")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start cargo")?;
    let stdout = child.stdout.take().context("cargo gave no output")?;
    let mut programs = Vec::new();
    for message in Message::parse_stream(std::io::BufReader::new(stdout)) {
        if let Message::CompilerArtifact(artifact) =
            message.context("cannot read cargo's output")?
            && artifact.profile.test
            && let Some(file) = artifact.executable
        {
            programs.push(Program {
                package: package_name(&artifact.package_id.repr),
                name: artifact.target.name,
                file: file.into_std_path_buf(),
                dir: artifact
                    .manifest_path
                    .parent()
                    .map(|dir| dir.as_std_path().to_path_buf())
                    .context("a package without a directory")?,
            });
        }
    }
    ensure!(
        child.wait().context("cargo was lost")?.success(),
        "the tests do not build; cargo's messages are above"
    );
    programs.sort_by(|a, b| (&a.package, &a.name).cmp(&(&b.package, &b.name)));
    Ok(programs)
}

/// The name in a package id: `path+file:///…/dir#name@1.0.0`, or `…/name#1.0.0`.
fn package_name(id: &str) -> String {
    let (path, fragment) = id.rsplit_once('#').unwrap_or((id, ""));
    match fragment.split_once('@') {
        Some((name, _)) => name.to_owned(),
        None => path.rsplit('/').next().unwrap_or_default().to_owned(),
    }
}

fn run_whole(program: &Program, options: &Options) -> Result<Ran> {
    let mut command = program.command(options);
    command.arg("--quiet").args(&options.filter);
    finish(format!("{}::{}", program.package, program.name), command)
}

impl Program {
    fn command(&self, options: &Options) -> Command {
        let mut command = Command::new(&self.file);
        command
            .current_dir(&self.dir)
            .env("CARGO_MANIFEST_DIR", &self.dir)
            // A test that fails says why by itself.
            .env("RUST_BACKTRACE", "0")
            .stdin(Stdio::null());
        if options.soak {
            command.arg("--include-ignored");
        }
        os::die_with_parent(&mut command);
        command
    }

    /// The names of its tests; long ones only for a soak.
    fn tests(&self, options: &Options) -> Result<Vec<String>> {
        let list = |more: &[&str]| -> Result<Vec<String>> {
            let output = Command::new(&self.file)
                .args(["--list", "--format", "terse"])
                .args(more)
                .args(&options.filter)
                .output()
                .with_context(|| format!("cannot start {}", self.name))?;
            Ok(String::from_utf8_lossy(&output.stdout)
                .lines()
                .filter_map(|line| line.strip_suffix(": test"))
                .map(str::to_owned)
                .collect())
        };
        let mut tests = list(&[])?;
        if !options.soak {
            let long = list(&["--ignored"])?;
            tests.retain(|test| !long.contains(test));
        }
        Ok(tests)
    }
}

fn run_machines(programs: &[Program], options: &Options) -> Result<Vec<Ran>> {
    let mut waiting = Vec::new();
    for program in programs {
        for test in program.tests(options)? {
            waiting.push((program, test));
        }
    }
    if waiting.is_empty() {
        return Ok(Vec::new());
    }
    // Once, with progress bars, rather than by whichever test comes first.
    provision::qemu()?;
    provision::linux(provision::Debian::Newest)?;
    waiting.reverse();
    let waiting = Mutex::new(waiting);
    let ran = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..MACHINES)
            .map(|_| scope.spawn(|| work(&waiting, &ran, options)))
            .collect();
        for worker in workers {
            match worker.join() {
                Ok(done) => done?,
                Err(_) => anyhow::bail!("a worker that runs machine tests panicked"),
            }
        }
        Ok(())
    })?;
    Ok(ran.into_inner().unwrap_or_default())
}

fn work(
    waiting: &Mutex<Vec<(&Program, String)>>,
    ran: &Mutex<Vec<Ran>>,
    options: &Options,
) -> Result<()> {
    loop {
        let next = waiting.lock().ok().and_then(|mut waiting| waiting.pop());
        let Some((program, test)) = next else {
            return Ok(());
        };
        let mut command = program.command(options);
        command.args(["--exact", "--nocapture", &test]);
        let done = show(finish(format!("machine::{test}"), command)?);
        if let Ok(mut ran) = ran.lock() {
            ran.push(done);
        }
    }
}

fn finish(name: String, mut command: Command) -> Result<Ran> {
    let begun = Instant::now();
    let output = command
        .output()
        .with_context(|| format!("cannot start {name}"))?;
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    Ok(Ran {
        name,
        took: begun.elapsed(),
        good: output.status.success(),
        output: text,
    })
}

fn show(ran: Ran) -> Ran {
    let word = if ran.good { "ok    " } else { "FAILED" };
    println!("{word} {:7.1} s  {}", ran.took.as_secs_f64(), ran.name);
    if !ran.good {
        let lines: Vec<_> = ran.output.lines().collect();
        for line in &lines[lines.len().saturating_sub(SHOWN)..] {
            println!("    | {line}");
        }
    }
    ran
}

fn report(mut ran: Vec<Ran>, took: Duration) -> Exit {
    ran.sort_by_key(|ran| std::cmp::Reverse(ran.took));
    println!("--- the slowest");
    for ran in ran.iter().take(SLOWEST) {
        println!("{:7.1} s  {}", ran.took.as_secs_f64(), ran.name);
    }
    let failed: Vec<_> = ran.iter().filter(|ran| !ran.good).collect();
    println!(
        "--- {} of {} good, {:.0} s",
        ran.len() - failed.len(),
        ran.len(),
        took.as_secs_f64()
    );
    for ran in &failed {
        println!("failed: {}", ran.name);
    }
    match failed.is_empty() && !ran.is_empty() {
        true => Exit::Good,
        false => Exit::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::package_name;

    #[test]
    fn packages_are_named_by_both_forms_of_their_id() {
        let named = "path+file:///src/tests/qemu#qemu-tests@0.1.0";
        assert_eq!(package_name(named), "qemu-tests");
        assert_eq!(package_name("path+file:///src/xtask#0.1.0"), "xtask");
    }
}
