//! Where things lie: the checkout, the build output, the provisioned files.

use std::path::{Path, PathBuf};

/// The root of the checkout.
pub fn workspace() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_path_buf()
}

/// Provisioned files: always under the checkout, so that builds with different
/// target directories share one copy.
pub fn provision() -> PathBuf {
    workspace().join("target/provision")
}

/// Where composed images go; follows `CARGO_TARGET_DIR`.
pub fn images() -> PathBuf {
    target().join("suzerain")
}

/// Cargo's build output.
pub fn target() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => workspace().join(dir),
        None => workspace().join("target"),
    }
}

/// A path as the user would write it: relative to the checkout where possible.
pub fn shown(path: &Path) -> String {
    path.strip_prefix(workspace())
        .unwrap_or(path)
        .display()
        .to_string()
}
