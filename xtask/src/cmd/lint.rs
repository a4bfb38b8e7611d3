//! `cargo xtask lint`: formatting, clippy for host and target, house rules.

use std::process::Stdio;

use anyhow::{Context, Result};
use clap::Args;

use crate::exit::Exit;
use crate::provision::target;
use crate::{build, lint, paths};

/// Options of `lint`.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Only the house rules: takes a second.
    #[arg(long)]
    pub house: bool,
}

/// The packages that exist only on the target.
const BARE_METAL: [&str; 5] = ["suzerain", "monitor", "rmm", "guests", "contract-payload"];

/// Runs the command. Everything is checked even if something fails.
pub fn run(options: &Options) -> Result<Exit> {
    let mut good = true;
    for finding in lint::check(&paths::workspace())? {
        println!("{finding}");
        good = false;
    }
    report("house rules", good);
    if !options.house {
        target::provide();
        for (name, args) in steps() {
            let fine = build::cargo()
                .args(&args)
                .stdin(Stdio::null())
                .status()
                .context("cannot start cargo")?
                .success();
            report(&name, fine);
            good &= fine;
        }
    }
    Ok(if good { Exit::Good } else { Exit::Failed })
}

fn report(name: &str, good: bool) {
    println!("{} {name}", if good { "ok    " } else { "failed" });
}

fn steps() -> Vec<(String, Vec<&'static str>)> {
    let host = ["clippy", "--quiet", "--all-targets", "--", "-D", "warnings"];
    let mut steps = vec![
        ("formatting".to_owned(), vec!["fmt", "--all", "--check"]),
        ("clippy, host".to_owned(), host.to_vec()),
    ];
    // One by one: each image has features of its own.
    for package in BARE_METAL {
        let mut args = vec!["clippy", "--quiet", "--target", build::TARGET];
        args.extend(["--package", package, "--", "-D", "warnings"]);
        steps.push((format!("clippy, {package}"), args));
    }
    steps
}
