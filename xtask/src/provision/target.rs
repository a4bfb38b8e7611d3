//! The standard library of the bare-metal target.
//!
//! `rust-toolchain.toml` asks for it, but rustup acts on that file only when it
//! installs the toolchain: where the toolchain was there before, the target is
//! still missing.

use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use crate::build::TARGET;
use crate::paths;
use crate::progress::tell;

/// The command that installs the target.
pub fn mend() -> String {
    format!("rustup target add {TARGET}")
}

/// Whether the compiler in use can build for the target.
pub fn is_there() -> bool {
    let output = Command::new("rustc")
        .current_dir(paths::workspace())
        .args(["--print", "target-libdir", "--target", TARGET])
        .output();
    output.is_ok_and(|output| {
        output.status.success()
            && Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir()
    })
}

/// Installs the target if it is missing. A failure is left to the build, whose
/// message names the target and the command.
pub fn provide() {
    static PROVIDED: OnceLock<()> = OnceLock::new();
    PROVIDED.get_or_init(|| {
        if !is_there() {
            tell(&format!("{} ...", mend()));
            let _ = Command::new("rustup")
                .current_dir(paths::workspace())
                .args(["target", "add", TARGET])
                .status();
        }
    });
}
