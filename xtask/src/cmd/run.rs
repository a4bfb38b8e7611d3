//! `cargo xtask run`: provisions, builds, boots, judges.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use serde_json::{Value, json};

use crate::board::{self, Board, Clock, HYPERVISOR_BASE, Start};
use crate::bootargs::{self, Bootargs};
use crate::cmd::fvp::{self, Machine};
use crate::cmd::guests::{Guests, Provider};
use crate::exit::Exit;
use crate::image::{Behaviour, Dialect};
use crate::progress::tell;
use crate::provision::{self, LinuxKit, Qemu};
use crate::session::{self, Input, Outcome, Output, Plan};
use crate::summary::{self, Nonce};
use crate::verdict::{self, Asked, End, Verdict};
use crate::vm::Overrides;
use crate::{build, firmware, image, trace};

/// RAM of the machine in MiB: TF-RMM wants 3 GiB, the rest is content with it.
const RAM_MIB: u64 = 3072;
/// CPUs of the machine.
const CPUS: u32 = 4;
/// Ends a scripted run that names no time itself.
const HEADLESS_TIMEOUT: u64 = 300;

/// Options of `run`.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// The VMs to run.
    #[command(flatten)]
    pub guests: Guests,
    /// Physical CPUs of the machine.
    #[arg(long, value_name = "N", default_value_t = CPUS, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub cpus: u32,
    /// Kernel file instead of the VM file's.
    #[arg(long, value_name = "F")]
    pub kernel: Option<PathBuf>,
    /// Initial RAM disk instead of the VM file's.
    #[arg(long, value_name = "F")]
    pub initrd: Option<PathBuf>,
    /// Kernel command line instead of the VM file's.
    #[arg(long, value_name = "S")]
    pub cmdline: Option<String>,
    /// Memory of the VM instead of the VM file's, for example 512M.
    #[arg(long, value_name = "SIZE")]
    pub memory: Option<String>,
    /// For scripts: stdin is not read, the guest checks itself and powers off.
    #[arg(long)]
    pub headless: bool,
    /// Deadline in seconds from QEMU's start (headless: 300 if not given).
    #[arg(long, value_name = "S")]
    pub timeout: Option<u64>,
    /// Writes the verdict to this file.
    #[arg(long, value_name = "F")]
    pub json: Option<PathBuf>,
    /// Writes what the flight recorder held at the end to this file, as a trace
    /// that Chrome and ui.perfetto.dev open.
    #[arg(long, value_name = "F")]
    pub trace: Option<PathBuf>,
    /// QEMU virt without RME: the hypervisor comes up and skips Realms.
    #[arg(long)]
    pub no_rme: bool,
    /// Other firmware (TF-A with TF-RMM) instead of the embedded one: a
    /// directory with flash.bin, or with bl1.bin and fip.bin; or a flash image.
    #[arg(long, value_name = "DIR", conflicts_with = "no_rme")]
    pub firmware: Option<PathBuf>,
    /// Machine to run on: QEMU's virt, or Arm's Base RevC model.
    #[arg(long, value_name = "M", default_value = "virt")]
    pub machine: Machine,
    /// The model's program; implies --machine fvp.
    #[arg(long, value_name = "PATH")]
    pub fvp: Option<PathBuf>,
    /// Dialect of RMI that the embedded firmware speaks.
    #[arg(long, value_name = "V", default_value = "2.0", conflicts_with_all = ["no_rme", "firmware"])]
    pub rmi: Dialect,
    /// Known RMM of RMI 2.0 that the embedded one behaves like.
    #[arg(long, value_name = "RMM", default_value = "own", conflicts_with_all = ["no_rme", "firmware"])]
    pub rmm_behaviour: Behaviour,
    /// Address the hypervisor is loaded at, a multiple of 2 MiB.
    #[arg(long, value_name = "ADDR", value_parser = address, conflicts_with = "no_rme")]
    pub load_address: Option<u64>,
    /// Log level of the hypervisor: error, warn, info, debug or trace.
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    pub log: String,
    /// More words for the hypervisor's command line.
    #[arg(long, value_name = "WORDS")]
    pub hypervisor_args: Option<String>,
    /// A device tree for the hypervisor instead of QEMU's.
    #[arg(long, value_name = "F", requires = "no_rme")]
    pub device_tree: Option<PathBuf>,
    /// Time by instructions, so that counts repeat.
    #[arg(skip)]
    pub counted: bool,
    /// With `counted`, without the hypervisor's books of exits: keeping them would be
    /// counted by a guest that counts for itself.
    #[arg(skip)]
    pub unbooked: bool,
    /// RAM of the machine in MiB instead of the default.
    #[arg(skip)]
    pub ram_mib: Option<u64>,
}

fn address(text: &str) -> Result<u64, String> {
    let digits = text.trim_start_matches("0x");
    let address = u64::from_str_radix(digits, 16).map_err(|error| error.to_string())?;
    if address.is_multiple_of(2 << 20) {
        Ok(address)
    } else {
        Err("it must be a multiple of 2 MiB (0x200000)".to_owned())
    }
}

/// A finished run.
#[derive(Debug)]
pub struct Finished {
    /// What the machine left behind.
    pub outcome: Outcome,
    /// The verdict.
    pub verdict: Verdict,
    /// The content of `--json`.
    pub json: Value,
}

/// Runs the command.
pub fn run(options: &Options) -> Result<Exit> {
    if options.machine == Machine::Fvp || options.fvp.is_some() {
        return fvp::run(options);
    }
    check_writable("--json", options.json.as_deref())?;
    check_writable("--trace", options.trace.as_deref())?;
    let input = if options.headless {
        Input::None
    } else {
        Input::Stdin
    };
    let finished = execute(options, Output::Live, input)?;
    print_verdict(&finished, options.json.as_deref());
    Ok(finished.verdict.exit)
}

/// Provisions, builds, boots and judges; writes `--json`.
pub fn execute(options: &Options, output: Output, input: Input) -> Result<Finished> {
    let prepared = prepare(options, output, &input)?;
    if output == Output::Live {
        prepared.announce(&options.guests);
    }
    let outcome = session::boot(&prepared.qemu, &prepared.plan)?;
    let asked = Asked {
        rme: !options.no_rme,
    };
    let mut verdict = verdict::judge(
        outcome.end,
        outcome.verified.as_ref().map(|verified| &verified.summary),
        outcome.reject.as_deref(),
        asked,
    );
    if let Some(file) = &options.trace {
        match trace::write(&outcome.log, &prepared.plan.nonce, file) {
            Ok(written) if output == Output::Live => tell(&written),
            Ok(_) => {}
            Err(error) => verdict.add(format!("{error:#}")),
        }
    }
    let json = record(options, &prepared, &outcome, &verdict);
    if let Some(file) = &options.json {
        let mut text = serde_json::to_vec(&json)?;
        text.push(b'\n');
        build::write_atomically(file, &text)?;
    }
    Ok(Finished {
        outcome,
        verdict,
        json,
    })
}

/// Everything a run needs before QEMU starts.
struct Prepared {
    qemu: Qemu,
    plan: Plan,
    linux: Vec<LinuxKit>,
}

fn prepare(options: &Options, output: Output, input: &Input) -> Result<Prepared> {
    check_files(options)?;
    let sources = Provider::default();
    let bundle = options.guests.bundle(&options.overrides(), &sources)?;
    let qemu = qemu(!options.no_rme)?;
    let nonce = Nonce::draw().context("cannot draw a nonce")?;
    let deadline = options
        .timeout
        .or(options.headless.then_some(HEADLESS_TIMEOUT))
        .map(Duration::from_secs);
    let board = Board {
        start: start(options, &bundle)?,
        cpus: options.cpus,
        ram_mib: options.ram_mib.unwrap_or(RAM_MIB),
        clock: match options.counted {
            true => Clock::Instructions,
            false => Clock::Host,
        },
        bootargs: Bootargs {
            nonce: &nonce,
            log: &options.log,
            is_interactive: *input != Input::None,
            columns: bootargs::columns(output),
            deadline,
            bench: options.counted && !options.unbooked,
            trace: options.trace.is_some(),
            more: options.hypervisor_args.as_deref(),
        }
        .to_string(),
        device_tree: options.device_tree.clone(),
    };
    Ok(Prepared {
        qemu,
        plan: Plan {
            board,
            nonce,
            deadline,
            output,
            input: input.clone(),
        },
        linux: sources.into_linux(),
    })
}

/// A QEMU that can be the machine.
fn qemu(rme: bool) -> Result<Qemu> {
    let qemu = provision::qemu()?;
    if rme && !qemu.is_usable() {
        bail!(
            "{qemu} cannot run Realms: it must be 9.0 or later and its max CPU must have x-rme; \
             take another (cargo xtask doctor names one) or run with --no-rme"
        );
    }
    Ok(qemu)
}

/// Boots a program in the hypervisor's place, on a flash image and so many CPUs,
/// and waits until it powers off.
pub fn boot_in_place(
    program: build::Program<'_>,
    flash: PathBuf,
    cpus: u32,
    deadline: Duration,
) -> Result<Outcome> {
    let image = image::compose(&build::flat(program)?, &[])?;
    let board = Board {
        start: Start::Realms {
            flash,
            image: build::store_unique(program.bin, "img", &image)?,
            base: HYPERVISOR_BASE,
            jump: None,
            carrier: carrier()?,
        },
        cpus,
        ram_mib: RAM_MIB,
        clock: Clock::Host,
        bootargs: String::new(),
        device_tree: None,
    };
    let plan = Plan {
        board,
        nonce: Nonce::draw().context("cannot draw a nonce")?,
        deadline: Some(deadline),
        output: Output::Quiet,
        input: Input::None,
    };
    session::boot(&qemu(true)?, &plan)
}

fn carrier() -> Result<PathBuf> {
    build::store("carrier", b"carries the command line\n")
}

/// The files the command line names must be there.
fn check_files(options: &Options) -> Result<()> {
    let named = [&options.kernel, &options.initrd, &options.device_tree];
    for path in named.into_iter().flatten() {
        ensure!(
            path.is_file(),
            "there is no file {}; the command line names it",
            path.display()
        );
    }
    Ok(())
}

impl Default for Options {
    /// What `run` has without a word on the command line.
    fn default() -> Self {
        Self {
            guests: Guests::default(),
            cpus: CPUS,
            kernel: None,
            initrd: None,
            cmdline: None,
            memory: None,
            headless: false,
            timeout: None,
            json: None,
            trace: None,
            no_rme: false,
            firmware: None,
            machine: Machine::default(),
            fvp: None,
            rmi: Dialect::default(),
            rmm_behaviour: Behaviour::default(),
            load_address: None,
            log: "info".to_owned(),
            hypervisor_args: None,
            device_tree: None,
            counted: false,
            unbooked: false,
            ram_mib: None,
        }
    }
}

impl Options {
    /// What `run --headless` has for this guest.
    pub fn headless(guest: &str) -> Self {
        Self {
            guests: Guests::one(guest),
            headless: true,
            ..Self::default()
        }
    }

    pub(crate) fn overrides(&self) -> Overrides {
        Overrides {
            kernel: self.kernel.clone(),
            initrd: self.initrd.clone(),
            cmdline: self.cmdline.clone(),
            memory: self.memory.clone(),
            headless: self.headless,
        }
    }
}

impl Prepared {
    /// What is about to run, for a person.
    fn announce(&self, guests: &Guests) {
        let names = guests.names();
        let word = match names.len() {
            1 => "guest",
            _ => "guests",
        };
        let cpus = self.plan.board.cpus;
        tell(&format!(
            "{}, {cpus} CPUs, {word} {}",
            self.qemu,
            names.join(", ")
        ));
        for kit in &self.linux {
            tell(&format!(
                "Linux {}, kernel SHA-256 {}",
                kit.version, kit.sha256
            ));
        }
        if self.plan.input == Input::Stdin && std::io::stdin().is_terminal() {
            tell("Ctrl-] ends the run");
        }
    }
}

/// Builds the images and says how the machine comes up with them.
fn start(options: &Options, bundle: &[u8]) -> Result<Start> {
    let hypervisor = build::flat(build::HYPERVISOR)?;
    let composed = image::compose(&hypervisor, bundle)?;
    let image = build::store_unique("suzerain", "img", &composed)?;
    if options.no_rme {
        return Ok(Start::Plain { image });
    }
    let flash = match &options.firmware {
        Some(from) => firmware::flash(from, &composed)?,
        None => embedded_firmware_behaving(options.rmi, options.rmm_behaviour)?,
    };
    let base = options.load_address.unwrap_or(HYPERVISOR_BASE);
    let jump = (base != HYPERVISOR_BASE)
        .then(|| build::store_unique("jump", "bin", &board::jump_to(base)))
        .transpose()?;
    Ok(Start::Realms {
        flash,
        image,
        base,
        jump,
        carrier: carrier()?,
    })
}

/// Builds the embedded firmware's flash image, in the default dialect.
pub fn embedded_firmware() -> Result<PathBuf> {
    embedded_firmware_speaking(Dialect::default())
}

/// Builds the embedded firmware's flash image.
pub fn embedded_firmware_speaking(dialect: Dialect) -> Result<PathBuf> {
    embedded_firmware_behaving(dialect, Behaviour::Own)
}

/// Builds the embedded firmware's flash image, its RMM behaving like another.
pub fn embedded_firmware_behaving(dialect: Dialect, behaviour: Behaviour) -> Result<PathBuf> {
    ensure!(
        behaviour == Behaviour::Own || dialect == Dialect::V2_0,
        "--rmm-behaviour is about RMMs of RMI 2.0: leave --rmi 1.0 out"
    );
    let monitor = build::flat(build::MONITOR)?;
    let mut rmm = build::flat(build::RMM)?;
    image::behave(&mut rmm, behaviour)?;
    build::store_unique("flash", "bin", &image::flash(&monitor, &rmm, dialect)?)
}

fn check_writable(option: &str, file: Option<&Path>) -> Result<()> {
    let Some(file) = file else {
        return Ok(());
    };
    let dir = match file.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    };
    ensure!(
        dir.is_dir(),
        "{option} {}: there is no directory {}",
        file.display(),
        dir.display()
    );
    tempfile::tempfile_in(dir)
        .map(drop)
        .with_context(|| format!("{option} {}: cannot write there", file.display()))
}

fn record(options: &Options, prepared: &Prepared, outcome: &Outcome, verdict: &Verdict) -> Value {
    let firmware = match (&options.firmware, options.no_rme) {
        (_, true) => "none",
        (Some(_), _) => "external",
        (None, _) => "embedded",
    };
    let mut json = match &outcome.verified {
        Some(verified) => verified.raw.clone(),
        None => summary::incomplete(firmware, !options.no_rme),
    };
    let end = match outcome.end {
        End::PoweredOff => "off",
        End::QemuFailed(_) => "qemu-failed",
        End::TimedOut => "timed-out",
        End::Quit => "quit",
    };
    json["run"] = json!({
        "guest": options.guests.names().join(" "),
        "cpus": options.cpus,
        "exit_code": verdict.exit.code(),
        "faults": verdict.faults,
        "end": end,
        "seconds": outcome.took.as_secs_f64(),
        "qemu": prepared.qemu.version.to_string(),
        "linux": prepared.linux.first().map(|kit| json!({
            "version": kit.version,
            "sha256": kit.sha256,
        })),
    });
    json
}

fn print_verdict(finished: &Finished, json: Option<&Path>) {
    tell("---");
    if let Some(verified) = &finished.outcome.verified {
        for line in verdict::report(&verified.summary) {
            tell(&line);
        }
    }
    if let Some(json) = json {
        tell(&format!("verdict written to {}", json.display()));
    }
    let seconds = finished.outcome.took.as_secs_f64();
    match finished.verdict.exit {
        Exit::Good => tell(&format!("good, {seconds:.1} s")),
        exit => {
            for fault in &finished.verdict.faults {
                tell(&format!("fault: {fault}"));
            }
            tell(&format!(
                "not good (exit code {}), {seconds:.1} s",
                exit.code()
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn load_addresses_are_hexadecimal_multiples_of_2_mib() {
        assert_eq!(super::address("0x60000000"), Ok(0x6000_0000));
        assert_eq!(super::address("0x80200000"), Ok(0x8020_0000));
        assert!(super::address("0x60001000").is_err());
        assert!(super::address("sixty").is_err());
    }
}
