//! Unsafe code against its register, `docs/unsafe.md`.

use std::collections::BTreeMap;

use super::Finding;

/// The register.
pub const PAGE: &str = "docs/unsafe.md";

/// Compares the table's rows (`| path | why |`) with the files that have
/// unsafe code.
pub fn compare(page: &str, with_unsafe: &[(String, usize)]) -> Vec<Finding> {
    let listed = rows(page);
    let mut findings = Vec::new();
    for (file, line) in with_unsafe {
        if !listed.contains_key(file.as_str()) {
            findings.push(Finding {
                file: file.clone(),
                line: *line,
                what: format!("unsafe code in a file that {PAGE} does not list"),
                remedy: "move it to a listed module, or add a row that says why".to_owned(),
            });
        }
    }
    for (file, line) in listed {
        if !with_unsafe.iter().any(|(other, _)| other == file) {
            findings.push(Finding {
                file: PAGE.to_owned(),
                line,
                what: format!("{file} is listed but has no unsafe code"),
                remedy: "remove the row".to_owned(),
            });
        }
    }
    findings
}

/// Rust files in the first column, with their line.
fn rows(page: &str) -> BTreeMap<&str, usize> {
    page.lines()
        .enumerate()
        .filter_map(|(index, line)| {
            let cell = line.strip_prefix('|')?.split('|').next()?;
            let path = cell.trim().trim_matches('`');
            path.ends_with(".rs").then_some((path, index + 1))
        })
        .collect()
}
