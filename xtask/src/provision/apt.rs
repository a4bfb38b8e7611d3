//! A private apt: own sources, own lists, own cache and an empty dpkg status,
//! so that a package's whole closure (libc included) can be fetched for any
//! suite, and the machine's own packages stay as they are.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use super::{Package, sha256};
use crate::paths;
use crate::progress::{bar, spinner};

/// One private apt state.
#[derive(Debug)]
pub struct Apt {
    dir: PathBuf,
    configuration: PathBuf,
}

/// What the machine's own apt knows about Debian.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mirror {
    site: String,
    signed_by: Option<String>,
}

/// Where Debian keeps its archive keys, newest layout first.
const KEYRINGS: [&str; 2] = [
    "/usr/share/keyrings/debian-archive-keyring.pgp",
    "/usr/share/keyrings/debian-archive-keyring.gpg",
];

impl Apt {
    /// Sets up a private apt for these suites and this architecture (the
    /// machine's own if `None`), and fetches the package lists.
    pub fn open(name: &str, suites: &[&str], architecture: Option<&str>) -> Result<Self> {
        let dir = paths::provision().join("apt").join(name);
        let mirror = mirror(&dir)?;
        let apt = Self::prepare(&dir, architecture)?;
        let architecture = match architecture {
            Some(architecture) => architecture.to_owned(),
            None => native()?,
        };
        let mut source = format!(
            "Types: deb\nURIs: {}\nSuites: {}\nComponents: main\nArchitectures: {architecture}\n",
            mirror.site,
            suites.join(" "),
        );
        if let Some(keyring) = keyring(&mirror) {
            source.push_str(&format!("Signed-By: {keyring}\n"));
        }
        std::fs::write(dir.join("sources/debian.sources"), source)
            .context("cannot write the private package source")?;
        let bar = spinner(&format!("package lists of {}", suites.join(", ")));
        let updated = run(apt.get().arg("update"));
        bar.finish_and_clear();
        updated
            .with_context(|| format!("cannot fetch the package lists of {}", suites.join(", ")))?;
        Ok(apt)
    }

    fn prepare(dir: &Path, architecture: Option<&str>) -> Result<Self> {
        let archives = dir.join("cache/archives");
        if archives.exists() {
            // What an attempt that broke off fetched may be of another version.
            std::fs::remove_dir_all(&archives)
                .with_context(|| format!("cannot empty {}", paths::shown(&archives)))?;
        }
        for part in [
            "sources",
            "preferences",
            "trusted",
            "state/lists/partial",
            "cache/archives/partial",
        ] {
            let part = dir.join(part);
            std::fs::create_dir_all(&part)
                .with_context(|| format!("cannot create {}", paths::shown(&part)))?;
        }
        let configuration = dir.join("apt.conf");
        std::fs::write(dir.join("status"), "").context("cannot write the private apt state")?;
        std::fs::write(&configuration, configuration_text(dir, architecture))
            .context("cannot write the private apt configuration")?;
        Ok(Self {
            dir: dir.to_path_buf(),
            configuration,
        })
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .arg("--config-file")
            .arg(&self.configuration)
            .env("LC_ALL", "C.UTF-8")
            .env("DEBIAN_FRONTEND", "noninteractive")
            .stdin(Stdio::null());
        command
    }

    fn get(&self) -> Command {
        let mut command = self.command("apt-get");
        command.args(["--quiet=2", "--assume-yes", "--option=Dpkg::Use-Pty=0"]);
        command
    }

    /// Names of packages that begin and end so.
    pub fn names(&self, prefix: &str, suffix: &str) -> Result<Vec<String>> {
        let found = run(self.command("apt-cache").arg("pkgnames"))?;
        Ok(found
            .lines()
            .filter(|name| name.starts_with(prefix) && name.ends_with(suffix))
            .map(str::to_owned)
            .collect())
    }

    /// The version apt would take of a package.
    pub fn version(&self, name: &str) -> Result<String> {
        let found = run(self
            .command("apt-cache")
            .args(["show", "--no-all-versions", name]))?;
        field(&found, "Version")
            .with_context(|| format!("package {name} has no version"))
            .map(str::to_owned)
    }

    /// Fetches a package with everything it needs, down to libc.
    pub fn fetch_closure(&self, name: &str) -> Result<Vec<PathBuf>> {
        self.fetch(
            name,
            &[
                "install",
                "--download-only",
                "--no-install-recommends",
                name,
            ],
        )
    }

    /// Fetches these packages alone.
    pub fn fetch_only(&self, names: &[&str]) -> Result<Vec<PathBuf>> {
        let cache = self.dir.join("cache/archives");
        let mut command = self.get();
        command.arg("download").args(names).current_dir(&cache);
        let bar = spinner(&format!("fetching {}", names.join(", ")));
        let fetched = run(&mut command);
        bar.finish_and_clear();
        fetched.with_context(|| format!("cannot fetch {}", names.join(", ")))?;
        debs(&cache)
    }

    fn fetch(&self, what: &str, args: &[&str]) -> Result<Vec<PathBuf>> {
        let mut command = self.get();
        command
            .args(["--option", "APT::Status-Fd=1"])
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().context("cannot start apt-get")?;
        let bar = bar(&format!("fetching {what}"), 1000);
        if let Some(stdout) = child.stdout.take() {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if let Some(permille) = permille(&line) {
                    bar.set_position(permille);
                }
            }
        }
        let output = child.wait_with_output().context("apt-get was lost")?;
        bar.finish_and_clear();
        ensure!(
            output.status.success(),
            "cannot fetch {what}: {}",
            first_complaint(&output.stderr)
        );
        debs(&self.dir.join("cache/archives"))
    }

    /// Removes the fetched package files; what was unpacked stays.
    pub fn clean(&self) {
        // A cache that cannot be emptied costs disk space and nothing else.
        let _ = std::fs::remove_dir_all(self.dir.join("cache"));
        let _ = std::fs::remove_dir_all(self.dir.join("state"));
    }
}

/// Unpacks packages into a directory.
pub(super) fn unpack(packages: &[PathBuf], into: &Path, what: &str) -> Result<Vec<Package>> {
    std::fs::create_dir_all(into)
        .with_context(|| format!("cannot create {}", paths::shown(into)))?;
    let bar = bar(&format!("unpacking {what}"), packages.len() as u64);
    let mut record = Vec::new();
    for package in packages {
        run(Command::new("dpkg-deb")
            .arg("--extract")
            .arg(package)
            .arg(into))
        .with_context(|| format!("cannot unpack {}", paths::shown(package)))?;
        record.push(Package {
            file: package
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
            sha256: sha256(package)?,
        });
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(record)
}

fn configuration_text(dir: &Path, architecture: Option<&str>) -> String {
    let dir = dir.display();
    let mut text = format!(
        "Dir::Etc::sourcelist \"/dev/null\";\n\
         Dir::Etc::sourceparts \"{dir}/sources\";\n\
         Dir::Etc::preferences \"/dev/null\";\n\
         Dir::Etc::preferencesparts \"{dir}/preferences\";\n\
         Dir::State \"{dir}/state\";\n\
         Dir::State::lists \"{dir}/state/lists\";\n\
         Dir::State::status \"{dir}/status\";\n\
         Dir::State::extended_states \"{dir}/state/extended_states\";\n\
         Dir::Cache \"{dir}/cache\";\n\
         Dir::Cache::archives \"{dir}/cache/archives\";\n\
         Dir::Log \"{dir}\";\n\
         APT::Sandbox::User \"\";\n\
         APT::Get::List-Cleanup \"true\";\n\
         APT::Install-Recommends \"false\";\n\
         APT::Default-Release \"\";\n\
         Acquire::Languages \"none\";\n\
         Acquire::Retries \"3\";\n\
         Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled \"false\";\n\
         #clear APT::Update::Pre-Invoke;\n\
         #clear APT::Update::Post-Invoke;\n\
         #clear APT::Update::Post-Invoke-Success;\n\
         #clear DPkg::Pre-Invoke;\n\
         #clear DPkg::Post-Invoke;\n\
         #clear DPkg::Pre-Install-Pkgs;\n"
    );
    if let Some(architecture) = architecture {
        text.push_str(&format!(
            "APT::Architecture \"{architecture}\";\n#clear APT::Architectures;\nAPT::Architectures {{ \"{architecture}\"; }};\n"
        ));
    }
    text
}

/// The Debian mirror of this machine, from its own apt. A machine whose lists
/// were never fetched names its mirror only after they are, so that is done
/// privately.
fn mirror(dir: &Path) -> Result<Mirror> {
    const LIST: [&str; 2] = ["indextargets", "Created-By: Packages"];
    let known = run(Command::new("apt-get").args(LIST)).context(
        "this machine has no apt; install qemu-system-aarch64 9.0 or later by its own means",
    )?;
    if let Some(mirror) = debian_mirror(&known) {
        return Ok(mirror);
    }
    let private = dir.join("mirror");
    let lists = private.join("lists");
    std::fs::create_dir_all(lists.join("partial"))
        .with_context(|| format!("cannot create {}", paths::shown(&lists)))?;
    let options = [
        format!("--option=Dir::State={}", private.display()),
        format!("--option=Dir::State::lists={}", lists.display()),
        format!("--option=Dir::Cache={}", private.display()),
        "--option=APT::Sandbox::User=".to_owned(),
        "--option=Dir::State::status=/dev/null".to_owned(),
    ];
    let bar = spinner("asking apt for the Debian mirror");
    // Lists that fail beside Debian's do not matter here.
    let _ = run(Command::new("apt-get")
        .args(&options)
        .args(["--quiet=2", "update"]));
    let known = run(Command::new("apt-get").args(&options).args(LIST));
    bar.finish_and_clear();
    debian_mirror(&known?).context(
        "this machine's apt has no Debian source; \
         install qemu-system-aarch64 9.0 or later by its own means",
    )
}

fn debian_mirror(targets: &str) -> Option<Mirror> {
    targets.split("\n\n").find_map(|stanza| {
        let debian =
            field(stanza, "Origin") == Some("Debian") && field(stanza, "Label") == Some("Debian");
        Some(Mirror {
            site: field(stanza, "Site").filter(|_| debian)?.to_owned(),
            signed_by: field(stanza, "Signed-By").map(str::to_owned),
        })
    })
}

fn keyring(mirror: &Mirror) -> Option<String> {
    // The archive's whole keyring knows every suite; a source's own key may
    // know only the suite it was written for.
    KEYRINGS
        .iter()
        .find(|path| Path::new(path).exists())
        .map(|path| (*path).to_owned())
        .or_else(|| mirror.signed_by.clone())
}

fn native() -> Result<String> {
    Ok(run(Command::new("dpkg").arg("--print-architecture"))?
        .trim()
        .to_owned())
}

/// The value of a field in a stanza of the form `Name: value`.
fn field<'a>(stanza: &'a str, name: &str) -> Option<&'a str> {
    stanza
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
        .map(str::trim)
}

/// Progress out of apt's status lines, in thousandths.
fn permille(line: &str) -> Option<u64> {
    let percent: f64 = line
        .strip_prefix("dlstatus:")?
        .split(':')
        .nth(1)?
        .parse()
        .ok()?;
    // A percentage: small, and rounding is all that is wanted.
    Some((percent * 10.0) as u64)
}

fn debs(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension() == Some(OsStr::new("deb")) {
            found.push(path);
        }
    }
    found.sort();
    ensure!(!found.is_empty(), "apt fetched nothing");
    Ok(found)
}

/// Runs a command to its end and returns what it printed.
pub(super) fn run(command: &mut Command) -> Result<String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = match command.stdin(Stdio::null()).output() {
        Ok(output) => output,
        Err(error) => bail!("cannot start {program}: {error}"),
    };
    if !output.status.success() {
        bail!("{program} failed: {}", first_complaint(&output.stderr));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn first_complaint(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    text.lines()
        .find(|line| line.starts_with("E:"))
        .or_else(|| text.lines().next())
        .unwrap_or("it gave no reason")
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::{Mirror, debian_mirror, permille};

    const TARGETS: &str = "Origin: Debian\nLabel: Debian-Security\nSite: http://a.invalid/sec\n\n\
        Origin: Other\nLabel: Other\nSite: http://b.invalid/x\n\n\
        Origin: Debian\nLabel: Debian\nSite: http://c.invalid/debian\nSigned-By: /k.gpg\n";

    #[test]
    fn the_mirror_is_the_main_archives() {
        assert_eq!(
            debian_mirror(TARGETS),
            Some(Mirror {
                site: "http://c.invalid/debian".to_owned(),
                signed_by: Some("/k.gpg".to_owned()),
            })
        );
    }

    #[test]
    fn a_machine_of_another_distribution_has_no_mirror() {
        assert_eq!(
            debian_mirror("Origin: Ubuntu\nLabel: Ubuntu\nSite: http://u.invalid\n"),
            None
        );
    }

    #[test]
    fn download_progress_is_read_from_status_lines() {
        assert_eq!(
            permille("dlstatus:3:42.5:Retrieving file 3 of 88"),
            Some(425)
        );
        assert_eq!(permille("pmstatus:x:42.5:Unpacking"), None);
    }
}
