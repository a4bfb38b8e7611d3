//! VM files that a test needs and nobody else.

use tempfile::TempDir;

/// VM files in a folder of their own, which goes with them.
#[derive(Debug)]
pub struct Files(TempDir);

impl Files {
    /// Files with these names and contents.
    ///
    /// # Panics
    ///
    /// If they cannot be written.
    pub fn new(files: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().expect("a folder can be made");
        for (name, text) in files {
            std::fs::write(dir.path().join(name), text).expect("a file can be written");
        }
        Self(dir)
    }

    /// The path of one of them, as `--vm` takes it.
    pub fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_string_lossy().into_owned()
    }
}
