//! Rules on one file.

use super::Finding;
use super::source::Source;

/// Non-test lines of a file.
const FILE_LIMIT: usize = 500;
/// Lines of a function.
const FUNCTION_LIMIT: usize = 60;
/// Where registers may be touched: the shells that act, never what decides.
const REGISTER_PLACES: [&str; 3] = ["hypervisor/src/arch/", "boot/", "tests/guests/"];

/// Judges a file.
pub fn judge(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut find = |line: usize, what: String, remedy: &str| {
        findings.push(Finding {
            file: source.file.clone(),
            line,
            what,
            remedy: remedy.to_owned(),
        });
    };
    if !source.has_head && !source.is_test {
        find(
            1,
            "the file has no `//!` head".to_owned(),
            "say its purpose, its invariants and the section of the specification",
        );
    }
    if source.lines > FILE_LIMIT {
        find(
            0,
            format!(
                "{} lines without tests, {FILE_LIMIT} are allowed",
                source.lines
            ),
            "split it by concept",
        );
    }
    for function in &source.functions {
        if function.lines > FUNCTION_LIMIT && !function.exempt {
            find(
                function.line,
                format!(
                    "{} has {} lines, {FUNCTION_LIMIT} are allowed",
                    function.name, function.lines
                ),
                "split it, or mark a match table with allow(clippy::too_many_lines, reason)",
            );
        }
    }
    for line in &source.feature_lines {
        find(
            *line,
            "a feature decides inside logic".to_owned(),
            "put the variants into modules of their own and select the module",
        );
    }
    if !REGISTER_PLACES
        .iter()
        .any(|place| source.file.starts_with(place))
    {
        for (line, path) in &source.register_paths {
            find(
                *line,
                format!("{path} brings register access into reach"),
                "pass the value in from hypervisor/src/arch, boot or the guests' runtime",
            );
        }
    }
    findings
}
