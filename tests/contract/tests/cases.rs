//! The contract's table against the RMM core.

use addr::PhysAddr;
use conduit::{Conduit, Regs};
use contract::bench::{self, Bench};
use contract::case::{CODE_IPA, Program, VMID};
use contract::cases;
use contract::fixture::registers;
use contract::model::{Action, Model, ModelConduit, Size};

struct ModelBench {
    model: Model,
    conduit: ModelConduit,
}

impl ModelBench {
    fn new() -> Self {
        let model = Model::default();
        Self {
            model,
            conduit: model.conduit(),
        }
    }
}

impl Conduit for ModelBench {
    fn call(&self, regs: Regs) -> Regs {
        self.conduit.call(regs)
    }
}

impl Bench for ModelBench {
    fn pool(&self) -> u64 {
        0x5000_0000
    }

    fn write(&mut self, address: u64, value: u64) {
        self.model
            .machine
            .write(PhysAddr::new(address), &value.to_le_bytes())
            .unwrap();
    }

    fn read(&self, address: u64) -> u64 {
        let mut raw = [0; 8];
        self.model
            .machine
            .read(PhysAddr::new(address), &mut raw)
            .unwrap();
        u64::from_le_bytes(raw)
    }

    fn program(&mut self, program: Program) {
        let [x0, x1, x2, x3, x4] = registers(program);
        let action = match program {
            Program::ReadRam | Program::ReadShared => Action::Read {
                ipa: x1,
                size: Size::Word,
                signed: false,
            },
            Program::WriteShared => Action::Write {
                ipa: x1,
                size: Size::Word,
                value: 0,
            },
            _ => Action::smc(x0 as u32, &[x1, x2, x3, x4]),
        };
        let fetch = Action::Fetch { ipa: CODE_IPA };
        self.model.machine.script(VMID, 0, [fetch, action]);
    }
}

#[test]
fn every_case_holds_on_the_rmm_core() {
    let mut failures = Vec::new();
    for case in cases::all() {
        let mut bench = ModelBench::new();
        if let Err(failure) = bench::run(&mut bench, case) {
            failures.push(failure.to_string());
        }
        assert_eq!(bench.model.machine.realm_granules(), 0, "{}", case.name);
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

#[test]
fn every_case_leaves_the_rmm_as_it_found_it() {
    let mut bench = ModelBench::new();
    for case in cases::all() {
        bench.model.machine.forget(VMID, 0);
        if let Err(failure) = bench::run(&mut bench, case) {
            panic!("{failure}");
        }
    }
}

#[test]
fn a_case_has_its_name_alone() {
    let mut names: Vec<_> = cases::all().map(|case| case.name).collect();
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all);
}
