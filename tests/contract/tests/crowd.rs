//! The scenarios of many CPUs, as threads over the RMM core.

use addr::PhysAddr;
use conduit::{Conduit, Regs};
use contract::case::Dialect;
use contract::crowd::{Hall, SCENARIOS, Seat, Worker, Wrong};
use contract::model::{Model, ModelConduit};
use rmi::v2_0::Command;
use rmm_core::Behaviour;

/// A thread's place.
struct Chair {
    model: Model,
    conduit: ModelConduit,
}

impl Conduit for Chair {
    fn call(&self, regs: Regs) -> Regs {
        self.conduit.call(regs)
    }
}

impl Seat for Chair {
    fn pages(&self) -> u64 {
        0x5000_0000
    }

    fn granules(&self) -> u64 {
        0x6000_0000
    }

    fn write(&self, address: u64, value: u64) {
        let at = PhysAddr::new(address);
        self.model.machine.write(at, &value.to_le_bytes()).unwrap();
    }

    fn read(&self, address: u64) -> u64 {
        let mut raw = [0; 8];
        let at = PhysAddr::new(address);
        self.model.machine.read(at, &mut raw).unwrap();
        u64::from_le_bytes(raw)
    }

    fn pause(&self) {
        std::thread::yield_now();
    }

    fn is_parallel(&self) -> bool {
        false
    }
}

/// Nobody waits for a thread that panics.
struct Bell<'h>(&'h Hall);

impl Drop for Bell<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.give_up();
        }
    }
}

/// Runs everything with so many threads; what each of them found.
fn gather(model: Model, dialect: Dialect, workers: u64) {
    model.machine.count();
    let hall = Hall::new();
    hall.admit(workers);
    let work = &|number: u64| {
        let _bell = Bell(&hall);
        let chair = Chair {
            model,
            conduit: model.conduit_of(number as usize),
        };
        let worker = Worker::new(&chair, &hall, number, dialect);
        for scenario in SCENARIOS {
            if let Err(wrong) = worker.run(scenario) {
                hall.give_up();
                return match wrong {
                    Wrong::Elsewhere => Vec::new(),
                    wrong => vec![format!("{}: CPU {number}: {wrong}", scenario.name)],
                };
            }
        }
        Vec::new()
    };
    let found: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..workers)
            .map(|number| scope.spawn(move || work(number)))
            .collect();
        threads
            .into_iter()
            .flat_map(|it| it.join().unwrap())
            .collect()
    });
    assert!(found.is_empty(), "{found:#?}");
    assert_eq!(model.machine.realm_granules(), 0);
}

#[test]
fn cpus_do_not_get_into_each_others_way_in_rmi_1_0() {
    for workers in [1, 3, 8] {
        gather(Model::default(), Dialect::V1_0, workers);
    }
}

#[test]
fn cpus_do_not_get_into_each_others_way_in_rmi_2_0() {
    let behaviours = [
        Behaviour::default(),
        Behaviour {
            granules_per_call: 1,
            rec_granules: 5,
            pauses: 2,
            ..Behaviour::default()
        },
    ];
    for (behaviour, workers) in behaviours.into_iter().zip([8, 4]) {
        let model = Model::speaking(rmm_core::Dialect::V2_0(behaviour));
        let call = Regs::call(Command::RmmActivate.fid(), &[]);
        assert_eq!(model.conduit().call(call).0[0], 0);
        gather(model, Dialect::V2_0, workers);
    }
}
