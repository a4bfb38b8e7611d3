//! `cargo xtask run --machine fvp`: the image on Arm's Base RevC model.
//!
//! The model is not free to pass on, so it is never provisioned. Its firmware
//! makes the device tree, so no command line reaches the hypervisor: there is
//! no nonce, and the run is watched rather than judged.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;

use crate::board_fvp::{BL33_BASE, Fvp, PROGRAM};
use crate::cmd::guests::Provider;
use crate::cmd::run::Options;
use crate::exit::Exit;
use crate::{build, firmware, image};

/// The machine of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Machine {
    /// QEMU's virt.
    #[default]
    Virt,
    /// Arm's Base RevC model.
    Fvp,
}

/// Starts the model, or prints the command and what is missing for it.
pub fn run(options: &Options) -> Result<Exit> {
    ensure!(
        options.json.is_none(),
        "--json: a run on the model is not judged, so there is no verdict to write"
    );
    let bundle = options
        .guests
        .bundle(&options.overrides(), &Provider::default())?;
    let image = image::compose(&build::flat(build::HYPERVISOR)?, &bundle)?;
    let mut missing = Vec::new();
    let firmware = options.firmware.as_deref();
    let fvp = machine(firmware, options.load_address, &image, &mut missing)?;
    let named = options.fvp.as_deref();
    let program = find(named).unwrap_or_else(|why| {
        missing.push(why);
        named.unwrap_or(Path::new(PROGRAM)).to_path_buf()
    });
    if missing.is_empty() {
        return watch(&program, &fvp, options.timeout.map(Duration::from_secs));
    }
    println!("{}", fvp.command(&program));
    for why in &missing {
        eprintln!("missing: {why}");
    }
    Ok(Exit::BadInput)
}

/// The model with the image in it: in the FIP if that has a BL33, else in RAM.
fn machine(
    firmware: Option<&Path>,
    base: Option<u64>,
    image: &[u8],
    missing: &mut Vec<String>,
) -> Result<Fvp> {
    let dir = firmware.unwrap_or(Path::new("FIRMWARE"));
    let (bl1, fip) = (dir.join("bl1.bin"), dir.join("fip.bin"));
    for file in [&bl1, &fip] {
        if !file.is_file() {
            missing.push(format!(
                "{}, of TF-A built for its platform fvp with RME and an RMM: name the directory \
                 with --firmware (docs/boards.md says what the build must have)",
                file.display()
            ));
        }
    }
    if fip.is_file() {
        let bytes = std::fs::read(&fip).with_context(|| format!("{}", fip.display()))?;
        let ours = firmware::with_bl33(&bytes, image)
            .with_context(|| format!("--firmware {}: fip.bin", dir.display()))?;
        if ours != bytes {
            ensure!(
                base.is_none(),
                "--load-address: this FIP has a BL33, which its BL2 loads at {BL33_BASE:#x}"
            );
            return Ok(Fvp {
                bl1,
                fip: build::store("suzerain-fvp.fip", &ours)?,
                preload: None,
            });
        }
    }
    let image = build::store("suzerain-fvp.img", image)?;
    let preload = Some((image, base.unwrap_or(BL33_BASE)));
    Ok(Fvp { bl1, fip, preload })
}

/// The model: the file named, or the program of that name on the search path.
fn find(named: Option<&Path>) -> Result<PathBuf, String> {
    if let Some(path) = named {
        return match path.is_file() {
            true => Ok(path.to_path_buf()),
            false => Err(format!("{}, which --fvp names", path.display())),
        };
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|dir| dir.join(PROGRAM))
        .find(|file| file.is_file())
        .ok_or_else(|| {
            format!(
                "{PROGRAM}, Arm's Base RevC model: put it on the search path or name it with --fvp"
            )
        })
}

/// Shows the model's console until it ends or its time is up.
fn watch(program: &Path, fvp: &Fvp, timeout: Option<Duration>) -> Result<Exit> {
    let mut model = Command::new(program)
        .args(fvp.argv())
        .stdin(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot start {}", program.display()))?;
    let start = Instant::now();
    loop {
        if let Some(status) = model.try_wait()? {
            println!(
                "---\nthe model ended ({status}). Without a nonce its log is no verdict, \
                 so this does not count as good"
            );
            return Ok(Exit::Failed);
        }
        if timeout.is_some_and(|limit| start.elapsed() > limit) {
            model.kill()?;
            model.wait()?;
            return Ok(Exit::TimeOut);
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[cfg(test)]
mod tests {
    use super::{find, machine};
    use crate::board_fvp::BL33_BASE;
    use std::path::Path;

    #[test]
    fn without_firmware_each_missing_file_is_named_and_the_command_is_whole() {
        let mut missing = Vec::new();
        let fvp = machine(None, None, b"image", &mut missing).unwrap();
        assert_eq!(missing.len(), 2);
        assert!(missing[0].starts_with("FIRMWARE/bl1.bin"));
        assert!(fvp.preload.is_some_and(|(_, base)| base == BL33_BASE));
    }

    #[test]
    fn a_model_that_is_not_there_is_named() {
        let why = find(Some(Path::new("/nowhere/model"))).unwrap_err();
        assert!(why.starts_with("/nowhere/model"));
    }
}
