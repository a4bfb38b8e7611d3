//! Which VMs a command is about, and what their files name symbolically.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail, ensure};
use clap::Args;

use crate::provision::{self, Debian, LinuxKit};
use crate::vm::{self, Overrides, Sources, VmFile};
use crate::{build, paths};

/// What runs if the command line names nothing: the folder of the demo.
const DEFAULT: &str = "demo";

/// The VMs that the command line names.
#[derive(Args, Clone, Debug, Default)]
pub struct Guests {
    /// The VM to run: `vms/NAME.toml`, or a path to a VM file.
    #[arg(long, value_name = "NAME", conflicts_with = "vm")]
    pub guest: Option<String>,
    /// A VM to run beside others, as for --guest; a folder stands for all VM
    /// files in it. May be given many times.
    #[arg(long, value_name = "FILE")]
    pub vm: Vec<String>,
    /// Runs so many of each, with numbers behind their names.
    #[arg(skip)]
    pub copies: Option<usize>,
}

impl Guests {
    /// The VM called `name`, and no other.
    pub fn one(name: &str) -> Self {
        Self {
            guest: Some(name.to_owned()),
            ..Self::default()
        }
    }

    /// What the command line says, for messages.
    pub fn names(&self) -> Vec<&str> {
        match &self.guest {
            Some(guest) => vec![guest],
            None if self.vm.is_empty() => vec![DEFAULT],
            None => self.vm.iter().map(String::as_str).collect(),
        }
    }

    /// The VM files that are meant.
    pub fn files(&self) -> Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        for name in self.names() {
            files.extend(vm_files(name)?);
        }
        Ok(files)
    }

    /// The bundle of these VMs.
    pub fn bundle(&self, overrides: &Overrides, sources: &dyn Sources) -> Result<Vec<u8>> {
        let paths = self.files()?;
        if let Some(option) = overrides.named().filter(|_| paths.len() > 1) {
            bail!("{option}: there are {} VMs, and it is for one", paths.len());
        }
        let mut files = Vec::new();
        for path in &paths {
            let file = VmFile::load(path, overrides)?;
            match self.copies {
                Some(copies) => files.extend(file.copies(copies)?),
                None => files.push(file),
            }
        }
        vm::bundle_all(&files, sources)
    }
}

/// The VM file a name or path stands for.
pub fn vm_file(name: &str) -> Result<PathBuf> {
    let mut files = vm_files(name)?;
    ensure!(
        files.len() == 1,
        "{name} is a folder of {} VM files, where one VM is meant",
        files.len()
    );
    Ok(files.remove(0))
}

/// The VM files a name or path stands for: one, or those of a folder.
fn vm_files(name: &str) -> Result<Vec<PathBuf>> {
    let ours = paths::workspace().join("vms");
    let file = match name.ends_with(".toml") {
        true => PathBuf::from(name),
        false => ours.join(format!("{name}.toml")),
    };
    if file.is_file() {
        return Ok(vec![file]);
    }
    for folder in [PathBuf::from(name), ours.join(name)] {
        let files = vm_files_in(&folder);
        if !files.is_empty() {
            return Ok(files);
        }
    }
    let files = vm_files_in(&ours);
    let names = files.iter().filter_map(|path| path.file_stem());
    let names: Vec<_> = names.map(|name| name.to_string_lossy()).collect();
    bail!(
        "there is no VM file {}; guests are: {}",
        paths::shown(&file),
        names.join(", ")
    )
}

/// The VM files in a folder, in the order of their names.
fn vm_files_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let mut files: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|ext| ext == "toml"))
        .collect();
    files.sort();
    files
}

/// Gives VM files what they name symbolically, and remembers what was used.
#[derive(Default)]
pub struct Provider {
    linux: RefCell<Vec<LinuxKit>>,
}

impl Provider {
    /// The Linux guests that were used.
    pub fn into_linux(self) -> Vec<LinuxKit> {
        self.linux.into_inner()
    }
}

impl Sources for Provider {
    fn linux(&self, debian: Debian) -> Result<LinuxKit> {
        let kit = provision::linux(debian)?;
        let mut used = self.linux.borrow_mut();
        if !used.contains(&kit) {
            used.push(kit.clone());
        }
        Ok(kit)
    }

    fn u_boot(&self) -> Result<PathBuf> {
        provision::u_boot()
    }

    fn payload(&self, bin: &str) -> Result<PathBuf> {
        let mut flat = build::flat(build::guest(bin))?;
        // A guest's zero-initialised data is part of what is loaded: its
        // runtime need not clear it, and all of it is measured.
        flat.bytes.resize(usize::try_from(flat.memory)?, 0);
        build::store(&format!("{bin}.bin"), &flat.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::Guests;
    use crate::vm::Overrides;

    fn guests(names: &[&str]) -> Guests {
        Guests {
            vm: names.iter().map(|name| (*name).to_owned()).collect(),
            ..Guests::default()
        }
    }

    fn stems(guests: &Guests) -> Vec<String> {
        let files = guests.files().unwrap();
        let stem = |file: &std::path::PathBuf| file.file_stem().unwrap().to_owned();
        let names = files.iter().map(|file| stem(file).into_string().unwrap());
        names.collect()
    }

    #[test]
    fn vms_run_in_the_order_of_the_command_line() {
        assert_eq!(
            stems(&guests(&["spin", "hello", "sleep"])),
            ["spin", "hello", "sleep"]
        );
        assert_eq!(stems(&Guests::one("reset")), ["reset"]);
    }

    #[test]
    fn without_a_name_two_realms_and_a_plain_vm_run() {
        let files = Guests::default().files().unwrap();
        let kinds = files.iter().map(|file| {
            let text = std::fs::read_to_string(file).unwrap();
            text.contains("kind = \"normal\"")
        });
        assert_eq!(kinds.collect::<Vec<_>>(), [false, false, true]);
    }

    #[test]
    fn a_folder_stands_for_its_files() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.toml", "a.toml", "notes.md"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let path = folder.path().to_str().unwrap();
        assert_eq!(stems(&guests(&[path, "hello"])), ["a", "b", "hello"]);
        let error = super::vm_file(path).unwrap_err().to_string();
        assert!(error.ends_with("is a folder of 2 VM files, where one VM is meant"));
    }

    #[test]
    fn an_unknown_name_is_answered_with_those_there_are() {
        let error = guests(&["hallo"]).files().unwrap_err().to_string();
        assert!(error.starts_with("there is no VM file vms/hallo.toml; guests are: "));
        assert!(error.contains("hello"));
    }

    #[test]
    fn what_is_for_one_vm_is_not_guessed_for_many() {
        struct Nothing;
        impl crate::vm::Sources for Nothing {
            fn linux(&self, _: super::Debian) -> anyhow::Result<super::LinuxKit> {
                anyhow::bail!("not asked for")
            }
            fn u_boot(&self) -> anyhow::Result<std::path::PathBuf> {
                anyhow::bail!("not asked for")
            }
            fn payload(&self, _: &str) -> anyhow::Result<std::path::PathBuf> {
                anyhow::bail!("not asked for")
            }
        }
        let overrides = Overrides {
            memory: Some("64M".to_owned()),
            ..Overrides::default()
        };
        let two = guests(&["hello", "spin"]).bundle(&overrides, &Nothing);
        assert_eq!(
            two.unwrap_err().to_string(),
            "--memory: there are 2 VMs, and it is for one"
        );
    }
}
