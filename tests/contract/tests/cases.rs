//! The contract's tables against the RMM core.

use addr::PhysAddr;
use conduit::{Conduit, Regs};
use contract::bench::{self, Bench};
use contract::case::{CODE_IPA, Dialect, Program, VMID};
use contract::cases;
use contract::fixture::registers;
use contract::model::{Action, Model, ModelConduit, Size};
use rmi::v2_0::Command::RmmActivate;
use rmm_core::Behaviour;

const DIALECTS: [Dialect; 2] = [Dialect::V1_0, Dialect::V2_0];

struct ModelBench {
    model: Model,
    conduit: ModelConduit,
    /// The fixture's VMID, which the RMM of RMI 2.0 chooses: the lowest.
    vmid: u16,
}

impl ModelBench {
    fn new(dialect: Dialect) -> Self {
        let (model, vmid) = match dialect {
            Dialect::V1_0 => (Model::default(), VMID),
            Dialect::V2_0 => {
                let spoken = rmm_core::Dialect::V2_0(Behaviour::default());
                let model = Model::speaking(spoken);
                let activate = Regs::call(RmmActivate.fid(), &[]);
                assert_eq!(model.conduit().call(activate).0[0], 0);
                (model, 0)
            }
        };
        Self {
            model,
            conduit: model.conduit(),
            vmid,
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
        self.model.machine.script(self.vmid, 0, [fetch, action]);
    }
}

#[test]
fn every_case_holds_on_the_rmm_core() {
    let mut failures = Vec::new();
    for dialect in DIALECTS {
        for case in cases::all(dialect) {
            let mut bench = ModelBench::new(dialect);
            if let Err(failure) = bench::run(&mut bench, case, dialect) {
                failures.push(format!("{dialect:?}: {failure}"));
            }
            assert_eq!(bench.model.machine.realm_granules(), 0, "{}", case.name);
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

#[test]
fn every_case_leaves_the_rmm_as_it_found_it() {
    for dialect in DIALECTS {
        let mut bench = ModelBench::new(dialect);
        for case in cases::all(dialect) {
            bench.model.machine.forget(bench.vmid, 0);
            if let Err(failure) = bench::run(&mut bench, case, dialect) {
                panic!("{dialect:?}: {failure}");
            }
        }
    }
}

#[test]
fn a_case_has_its_name_alone() {
    for dialect in DIALECTS {
        let mut names: Vec<_> = cases::all(dialect).map(|case| case.name).collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}
