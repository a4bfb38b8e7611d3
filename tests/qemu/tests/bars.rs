//! What must not become slower: the bars of `cargo xtask bench` that are cheap to
//! look at, in instructions, which repeat.

use qemu_tests::Dialect;
use xtask::cmd::bench::{self, Part};

qemu_tests::in_both_dialects! {
    exits_keep_their_bars
    one_realm_more_costs_the_same_however_many_there_are
}

/// Measures, and names every row that misses its bar or was not measured.
fn expect_bars_kept(part: Part, dialect: Dialect) {
    let rows = bench::rows(&[part], dialect).unwrap();
    let missed: Vec<_> = rows.iter().filter(|row| !row.is_met()).collect();
    assert!(missed.is_empty(), "{missed:#?}");
    assert!(rows.iter().any(|row| row.bar.is_some()));
}

fn exits_keep_their_bars(dialect: Dialect) {
    expect_bars_kept(Part::Exits, dialect);
}

#[test]
fn linux_boots_as_a_plain_vm_nearly_as_fast_as_without_a_hypervisor() {
    expect_bars_kept(Part::Boots, Dialect::V1_0);
}

fn one_realm_more_costs_the_same_however_many_there_are(dialect: Dialect) {
    expect_bars_kept(Part::Growth, dialect);
}
