//! The house rules a program can check. Each finding is one line: where, what,
//! and how to mend it.
//!
//! `source` reads one file, `rules` judges it, `register` compares unsafe code
//! with `docs/unsafe.md`, `layers` judges who depends on whom.

mod layers;
mod register;
mod rules;
mod source;

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use cargo_metadata::MetadataCommand;

use source::Source;

/// One broken rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// File, relative to the checkout.
    pub file: String,
    /// Line, from 1; 0 if the finding is about the file as a whole.
    pub line: usize,
    /// What is wrong.
    pub what: String,
    /// How to mend it.
    pub remedy: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            file,
            line,
            what,
            remedy,
        } = self;
        write!(out, "{file}:{line}: {what}; {remedy}")
    }
}

/// Checks a checkout.
pub fn check(root: &Path) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    let mut with_unsafe = Vec::new();
    for path in rust_files(root)? {
        let file = path
            .strip_prefix(root)
            .unwrap_or(&path)
            .display()
            .to_string();
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {file}"))?;
        match Source::parse(&file, &text) {
            Ok(source) => {
                findings.extend(rules::judge(&source));
                if let Some(line) = source.unsafe_lines.first() {
                    with_unsafe.push((file, *line));
                }
            }
            Err(error) => findings.push(Finding {
                file,
                line: error.span().start().line,
                what: format!("does not parse: {error}"),
                remedy: "mend the syntax".to_owned(),
            }),
        }
    }
    let page = std::fs::read_to_string(root.join(register::PAGE)).unwrap_or_default();
    findings.extend(register::compare(&page, &with_unsafe));
    let metadata = MetadataCommand::new()
        .manifest_path(root.join("Cargo.toml"))
        .no_deps()
        .exec()
        .context("cannot read the workspace")?;
    findings.extend(layers::judge(&layers::packages(&metadata, root)));
    findings.sort();
    Ok(findings)
}

/// The project's Rust files: all but build output and hidden directories.
fn rust_files(root: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![root.to_path_buf()];
    while let Some(dir) = open.pop() {
        let entries =
            std::fs::read_dir(&dir).with_context(|| format!("cannot read {}", dir.display()))?;
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = entry.path();
            let kind = entry.file_type()?;
            if kind.is_dir() && !name.starts_with('.') && name != "target" {
                open.push(path);
            } else if kind.is_file() && name.ends_with(".rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests;
