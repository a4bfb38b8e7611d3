//! `cargo xtask doctor`: what this machine lacks, and the command that mends it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Result;
use clap::Args;

use crate::exit::Exit;
use crate::provision::{self, Debian, Qemu, target};
use crate::session::{Input, Output};
use crate::{build, cmd, diagnosis, paths};

/// Options of `doctor`.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Fetches what can be fetched: QEMU and the Linux guest.
    #[arg(long)]
    pub fetch: bool,
    /// Also boots other firmware (see `run --firmware`) and says whether the
    /// demo runs on it, and if not, why.
    #[arg(long, value_name = "DIR")]
    pub firmware: Option<PathBuf>,
}

/// One line of the report.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Finding {
    Good(String),
    /// Works, but not as tested.
    Warning(String),
    Missing {
        what: String,
        mend: String,
    },
}

/// Runs the command.
pub fn run(options: &Options) -> Result<Exit> {
    if options.fetch {
        provision::qemu()?;
        provision::linux(Debian::Newest)?;
    }
    let mut findings = vec![toolchain(), target(), qemu(provision::installed()), linux()];
    if let Some(from) = &options.firmware {
        findings.push(firmware(from)?);
    }
    let mut exit = Exit::Good;
    for finding in &findings {
        match finding {
            Finding::Good(what) => println!("ok       {what}"),
            Finding::Warning(what) => println!("warning  {what}"),
            Finding::Missing { what, mend } => {
                println!("missing  {what}\n         mend it: {mend}");
                exit = Exit::BadInput;
            }
        }
    }
    Ok(exit)
}

fn toolchain() -> Finding {
    const MEND: &str = "rustup toolchain install";
    let wanted = pinned().unwrap_or_default();
    match output(
        Command::new("rustc")
            .arg("--version")
            .current_dir(paths::workspace()),
    ) {
        Some(version) if version.contains(&wanted) => {
            Finding::Good(format!("toolchain: {}", version.trim()))
        }
        Some(version) => Finding::Missing {
            what: format!("toolchain: found {}, pinned is {wanted}", version.trim()),
            mend: MEND.to_owned(),
        },
        None => Finding::Missing {
            what: "toolchain: rustc does not start".to_owned(),
            mend: MEND.to_owned(),
        },
    }
}

/// The version in `rust-toolchain.toml`.
fn pinned() -> Option<String> {
    let text = std::fs::read_to_string(paths::workspace().join("rust-toolchain.toml")).ok()?;
    let file: toml::Table = text.parse().ok()?;
    Some(file.get("toolchain")?.get("channel")?.as_str()?.to_owned())
}

fn target() -> Finding {
    let what = format!("target: {}", build::TARGET);
    match target::is_there() {
        true => Finding::Good(what),
        false => Finding::Missing {
            what,
            mend: target::mend(),
        },
    }
}

fn qemu(found: Option<Qemu>) -> Finding {
    let named = found
        .as_ref()
        .is_some_and(|qemu| qemu.origin == provision::Origin::Named);
    let mend = if named {
        "unset SUZERAIN_QEMU, or let it name another".to_owned()
    } else if output(Command::new("apt-get").arg("--version")).is_some() {
        "cargo xtask doctor --fetch".to_owned()
    } else {
        "install your system's package of qemu-system-aarch64, 9.0 or later \
         (qemu-system-arm, qemu-system-aarch64 or qemu)"
            .to_owned()
    };
    match found {
        None => Finding::Missing {
            what: "QEMU: there is none".to_owned(),
            mend,
        },
        Some(qemu) if qemu.version < provision::Version::OLDEST => Finding::Missing {
            what: format!("QEMU: {qemu} is too old, 9.0 is the oldest that will do"),
            mend,
        },
        Some(qemu) if !qemu.rme => Finding::Missing {
            what: format!("QEMU: the max CPU of {qemu} has no x-rme"),
            mend,
        },
        Some(qemu) if !qemu.version.is_tested() => Finding::Warning(format!(
            "QEMU: {qemu} has x-rme, but the tested series is 10.0"
        )),
        Some(qemu) => Finding::Good(format!("QEMU: {qemu}, its max CPU has x-rme")),
    }
}

fn linux() -> Finding {
    match provision::linux_present(Debian::Newest) {
        Some(kit) => Finding::Good(format!("Linux guest: Debian {}", kit.version)),
        None => Finding::Missing {
            what: "Linux guest: not fetched yet".to_owned(),
            mend: "cargo xtask doctor --fetch".to_owned(),
        },
    }
}

/// Boots the demo on other firmware.
fn firmware(from: &Path) -> Result<Finding> {
    const SECONDS: u64 = 60;
    let demo = cmd::run::Options {
        firmware: Some(from.to_path_buf()),
        timeout: Some(SECONDS),
        ..cmd::run::Options::headless("hello")
    };
    let finished = cmd::run::execute(&demo, Output::Quiet, Input::None)?;
    let name = from.display();
    if finished.verdict.exit == Exit::Good {
        let version = finished.json["rmi_version"].as_str().unwrap_or("?");
        return Ok(Finding::Good(format!(
            "firmware: {name} runs the demo, RMI {version}"
        )));
    }
    let fault = finished.verdict.faults.join("; ");
    Ok(match diagnosis::of(&finished.outcome.log) {
        Some(diagnosis) => Finding::Missing {
            what: format!("firmware: {name}: {} ({fault})", diagnosis.what),
            mend: diagnosis.remedy.to_owned(),
        },
        None => Finding::Missing {
            what: format!("firmware: {name} does not run the demo: {fault}"),
            mend: format!("read its log: cargo xtask run --headless --log debug --firmware {name}"),
        },
    })
}

fn output(command: &mut Command) -> Option<String> {
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}
