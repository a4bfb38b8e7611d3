//! `cargo xtask run --machine fvp`: the image on Arm's Base RevC model.
//!
//! The model is not free to pass on, so it is never provisioned. Its firmware
//! makes the device tree, so no command line reaches the hypervisor: there is
//! no nonce, and the run is watched rather than judged.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::board_fvp::{BL33_BASE, Fvp, PROGRAM};
use crate::exit::Exit;
use crate::{build, firmware};

/// What a run on the model has of the command line.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The model, if the user names it.
    pub model: Option<&'a Path>,
    /// A directory with TF-A's `bl1.bin` and `fip.bin`.
    pub firmware: Option<&'a Path>,
    /// Where a preloaded image goes.
    pub base: Option<u64>,
    /// Seconds until the model is ended.
    pub timeout: Option<u64>,
}

/// Starts the model, or prints the command and what is missing for it.
pub fn run(request: Request<'_>, image: &[u8]) -> Result<Exit> {
    let mut missing = Vec::new();
    let fvp = machine(request, image, &mut missing)?;
    let program = match find(request.model) {
        Ok(program) => program,
        Err(why) => {
            missing.push(why);
            PathBuf::from(request.model.unwrap_or(Path::new(PROGRAM)))
        }
    };
    if missing.is_empty() {
        return watch(&program, &fvp, request.timeout.map(Duration::from_secs));
    }
    println!("{}", fvp.command(&program));
    for why in &missing {
        eprintln!("missing: {why}");
    }
    Ok(Exit::BadInput)
}

fn machine(request: Request<'_>, image: &[u8], missing: &mut Vec<String>) -> Result<Fvp> {
    let dir = request.firmware.unwrap_or(Path::new("FIRMWARE"));
    let (bl1, mut fip) = (dir.join("bl1.bin"), dir.join("fip.bin"));
    for file in [&bl1, &fip] {
        if request.firmware.is_none() || !file.is_file() {
            missing.push(format!(
                "{}: TF-A built for its platform fvp with RME and an RMM; name its directory \
                 with --firmware (docs/boards.md says how it must be built)",
                file.display()
            ));
        }
    }
    let mut preload = None;
    if fip.is_file() {
        let bytes = std::fs::read(&fip).with_context(|| format!("{}", fip.display()))?;
        let ours = firmware::with_bl33(&bytes, image)
            .with_context(|| format!("--firmware {}: fip.bin", dir.display()))?;
        if ours != bytes {
            ensure!(
                request.base.is_none(),
                "this FIP has a BL33, which its BL2 loads at {BL33_BASE:#x}: \
                 --load-address cannot move it"
            );
            fip = build::store("fvp-fip.bin", &ours)?;
            return Ok(Fvp { bl1, fip, preload });
        }
    }
    let image = build::store("fvp-suzerain.img", image)?;
    preload = preload.or(Some((image, request.base.unwrap_or(BL33_BASE))));
    Ok(Fvp { bl1, fip, preload })
}

/// The model: the file named, or the program of that name on the search path.
fn find(named: Option<&Path>) -> Result<PathBuf, String> {
    if let Some(path) = named {
        return match path.is_file() {
            true => Ok(path.to_path_buf()),
            false => Err(format!("{}: --fvp names it", path.display())),
        };
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|dir| dir.join(PROGRAM))
        .find(|file| file.is_file())
        .ok_or_else(|| {
            format!("{PROGRAM}: Arm's Base RevC model, on the search path or named with --fvp")
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
            println!("---\nthe model ended ({status}); its log above is not judged");
            return Ok(match status.success() {
                true => Exit::Good,
                false => Exit::Failed,
            });
        }
        if timeout.is_some_and(|limit| start.elapsed() > limit) {
            model.kill()?;
            model.wait()?;
            return Ok(Exit::TimeOut);
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}
