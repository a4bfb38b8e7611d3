//! Cargo builds of the bare-metal packages, and their flat images.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, bail};
use cargo_metadata::Message;
use indicatif::ProgressBar;

use crate::image::Flat;
use crate::{paths, provision};

/// The target of everything that runs without an operating system. Softfloat:
/// an exit need not save the guest's SIMD registers.
pub const TARGET: &str = "aarch64-unknown-none-softfloat";

/// A bare-metal program of the workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Program<'a> {
    /// Cargo package.
    pub package: &'a str,
    /// Binary in it.
    pub bin: &'a str,
}

/// The hypervisor.
pub const HYPERVISOR: Program<'_> = Program {
    package: "suzerain",
    bin: "suzerain",
};
/// The EL3 monitor of the embedded firmware.
pub const MONITOR: Program<'_> = Program {
    package: "monitor",
    bin: "monitor",
};
/// The RMM of the embedded firmware.
pub const RMM: Program<'_> = Program {
    package: "rmm",
    bin: "rmm",
};

/// The contract's cases, for the hypervisor's place.
pub const CONTRACT: Program<'_> = Program {
    package: "contract-payload",
    bin: "contract-payload",
};
/// The contract's scenarios of many CPUs, for the hypervisor's place.
pub const CROWD: Program<'_> = Program {
    package: "contract-payload",
    bin: "crowd-payload",
};

/// A payload of `tests/guests`.
pub const fn guest(bin: &str) -> Program<'_> {
    Program {
        package: "guests",
        bin,
    }
}

/// Builds a program and returns its ELF file.
pub fn elf(program: Program<'_>) -> Result<PathBuf> {
    let Program { package, bin } = program;
    provision::target::provide();
    let mut child = cargo()
        .args(["build", "--release", "--quiet", "--target", TARGET])
        .args(["--package", package, "--bin", bin])
        .arg("--message-format=json-render-diagnostics")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start cargo")?;
    let stdout = child.stdout.take().context("cargo gave no output")?;
    let step = Step::start(bin);
    let mut found = None;
    for message in Message::parse_stream(std::io::BufReader::new(stdout)) {
        if let Message::CompilerArtifact(artifact) =
            message.context("cannot read cargo's output")?
            && artifact.target.name == bin
            && let Some(file) = artifact.executable
        {
            found = Some(file.into_std_path_buf());
        }
    }
    step.finish();
    if !child.wait().context("cargo was lost")?.success() {
        bail!("{bin} (package {package}) does not build; cargo's messages are above");
    }
    found.with_context(|| format!("package {package} has no program {bin}"))
}

/// A build that takes long says so; most have nothing to do.
struct Step {
    bar: ProgressBar,
    text: String,
    begun: Instant,
}

impl Step {
    fn start(bin: &str) -> Self {
        let text = format!("building {bin}");
        let bar = ProgressBar::new_spinner().with_message(text.clone());
        bar.enable_steady_tick(Duration::from_millis(120));
        Self {
            bar,
            text,
            begun: Instant::now(),
        }
    }

    fn finish(self) {
        let took = self.begun.elapsed();
        if self.bar.is_hidden() && took > Duration::from_secs(3) {
            eprintln!("{}: {:.0} s", self.text, took.as_secs_f64());
        }
        self.bar.finish_and_clear();
    }
}

/// Builds a program and flattens it.
pub fn flat(program: Program<'_>) -> Result<Flat> {
    let file = elf(program)?;
    let bytes =
        std::fs::read(&file).with_context(|| format!("cannot read {}", paths::shown(&file)))?;
    Flat::from_elf(&bytes).with_context(|| format!("cannot flatten {}", paths::shown(&file)))
}

/// Cargo, run in the checkout.
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(paths::workspace());
    // Set by an outer cargo for this program's own build; an inner build that
    // sees them would take them for its own.
    for leak in ["CARGO_MANIFEST_DIR", "CARGO_PKG_NAME", "RUSTFLAGS"] {
        command.env_remove(leak);
    }
    command
}

/// Writes an image below the build output and returns its path.
pub fn store(name: &str, bytes: &[u8]) -> Result<PathBuf> {
    let dir = paths::images();
    std::fs::create_dir_all(&dir)
        .with_context(|| format!("cannot create {}", paths::shown(&dir)))?;
    let path = dir.join(name);
    write_atomically(&path, bytes)?;
    Ok(path)
}

/// Writes a file so that nobody ever sees half of it.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    let write = || -> std::io::Result<()> {
        let dir = match path.parent() {
            Some(dir) if !dir.as_os_str().is_empty() => dir,
            _ => Path::new("."),
        };
        let mut file = tempfile::Builder::new()
            .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
            .tempfile_in(dir)?;
        std::io::Write::write_all(&mut file, bytes)?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    };
    write().with_context(|| format!("cannot write {}", paths::shown(path)))
}

/// Writes an image whose name says its content, so that machines which run at
/// the same time never share a file that changes. Old ones are removed.
pub fn store_unique(name: &str, extension: &str, bytes: &[u8]) -> Result<PathBuf> {
    let path = paths::images().join(format!(
        "{name}-{:08x}-{}.{extension}",
        crc32fast::hash(bytes),
        bytes.len()
    ));
    if std::fs::read(&path).is_ok_and(|old| old == bytes) {
        // Its age decides when it is removed, so a use makes it young again. If
        // that fails it is merely built once more.
        let _ = std::fs::File::open(&path).and_then(|file| file.set_modified(SystemTime::now()));
        return Ok(path);
    }
    remove_old(&format!("{name}-"), extension);
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    store(&file, bytes)
}

/// No machine takes that long between the image and QEMU's start.
const OLD: Duration = Duration::from_secs(3600);

/// Removes images nobody has used for long. What cannot be removed stays, and
/// costs disk space only.
fn remove_old(prefix: &str, extension: &str) {
    let Ok(entries) = std::fs::read_dir(paths::images()) else {
        return;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        let is_ours = entry.file_name().to_string_lossy().starts_with(prefix)
            && path.extension().is_some_and(|other| other == extension);
        let age = entry
            .metadata()
            .and_then(|data| data.modified())
            .ok()
            .and_then(|time| time.elapsed().ok());
        if is_ours && age.is_some_and(|age| age > OLD) {
            let _ = std::fs::remove_file(path);
        }
    }
}
