//! The tables of RMI cases and the scenarios of many CPUs against the R-EL2 image,
//! from EL2 payloads that are booted in the hypervisor's place.

use std::time::Duration;

use qemu_tests::{Dialect, in_both_dialects};
use xtask::build::{self, Program};
use xtask::cmd::run::{boot_in_place, embedded_firmware_speaking};

/// Boots a payload and returns what it said.
fn serial_log(payload: Program<'_>, dialect: Dialect, cpus: u32) -> String {
    let flash = embedded_firmware_speaking(dialect).unwrap();
    boot_in_place(payload, flash, cpus, Duration::from_secs(180))
        .unwrap()
        .log
}

/// Expects that everything planned has passed, and so many at least.
fn expect_all_passed(log: &str, least: usize) {
    let planned = log.lines().find_map(|line| line.strip_prefix("1.."));
    let planned: usize = planned.expect(log).trim().parse().unwrap();
    let passed = log.lines().filter(|line| line.starts_with("ok ")).count();
    let complaints: Vec<_> = log
        .lines()
        .filter(|line| line.starts_with("not ok") || line.starts_with('#') || line.contains("Bail"))
        .collect();
    assert!(planned >= least, "only {planned} are planned");
    assert_eq!(passed, planned, "{complaints:#?}\n{log}");
}

fn every_case_of_the_contract_holds_on_the_r_el2_image(dialect: Dialect) {
    let log = serial_log(build::CONTRACT, dialect, 1);
    assert!(log.contains(&format!("# {dialect:?}")), "{log}");
    expect_all_passed(&log, 50);
}

fn gather(dialect: Dialect, cpus: u32) {
    let log = serial_log(build::CROWD, dialect, cpus);
    assert!(log.contains(&format!("# {cpus} CPUs")), "{log}");
    expect_all_passed(&log, 10);
    let left = "granules that are still Realm's: 0";
    assert!(log.contains(left), "{log}");
}

fn two_cpus_call_the_rmm_at_once(dialect: Dialect) {
    gather(dialect, 2);
}

fn four_cpus_call_the_rmm_at_once(dialect: Dialect) {
    gather(dialect, 4);
}

fn eight_cpus_call_the_rmm_at_once(dialect: Dialect) {
    gather(dialect, 8);
}

in_both_dialects! {
    every_case_of_the_contract_holds_on_the_r_el2_image
    two_cpus_call_the_rmm_at_once
    four_cpus_call_the_rmm_at_once
    eight_cpus_call_the_rmm_at_once
}
