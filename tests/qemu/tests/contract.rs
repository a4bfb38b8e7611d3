//! The table of RMI cases against the R-EL2 image, from an EL2 payload that is
//! booted in the hypervisor's place.

use std::time::Duration;

use xtask::board::{Board, Clock, HYPERVISOR_BASE, Start};
use xtask::build::{self, Program};
use xtask::cmd::run::embedded_firmware;
use xtask::session::{self, Input, Output, Plan};
use xtask::summary::Nonce;
use xtask::{image, provision};

const PAYLOAD: Program<'_> = Program {
    package: "contract-payload",
    bin: "contract-payload",
};

/// Boots the payload and returns what it said.
fn serial_log() -> String {
    let payload = build::flat(PAYLOAD).unwrap();
    let composed = image::compose(&payload, &[]).unwrap();
    let plan = Plan {
        board: Board {
            start: Start::Realms {
                flash: embedded_firmware().unwrap(),
                image: build::store_unique("contract", "img", &composed).unwrap(),
                base: HYPERVISOR_BASE,
                jump: None,
                carrier: build::store("carrier", b"carries the command line\n").unwrap(),
            },
            cpus: 1,
            ram_mib: 3072,
            clock: Clock::Host,
            bootargs: String::new(),
            device_tree: None,
        },
        nonce: Nonce::draw().unwrap(),
        deadline: Some(Duration::from_secs(180)),
        output: Output::Quiet,
        input: Input::None,
    };
    session::boot(&provision::qemu().unwrap(), &plan)
        .unwrap()
        .log
}

#[test]
fn every_case_of_the_contract_holds_on_the_r_el2_image() {
    let log = serial_log();
    let planned = log.lines().find_map(|line| line.strip_prefix("1.."));
    let planned: usize = planned.expect(&log).trim().parse().unwrap();
    let passed = log.lines().filter(|line| line.starts_with("ok ")).count();
    let complaints: Vec<_> = log
        .lines()
        .filter(|line| line.starts_with("not ok") || line.starts_with('#') || line.contains("Bail"))
        .collect();
    assert!(planned > 50, "only {planned} cases");
    assert_eq!(passed, planned, "{complaints:#?}");
}
