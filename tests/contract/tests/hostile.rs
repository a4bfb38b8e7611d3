//! A host that says anything at all, from two CPUs at once.
//!
//! The machine itself judges: it panics when the RMM maps a page twice, maps
//! or scrubs what is not in the Realm address space, or walks it.

mod host;

use addr::{GranuleAddr, PhysAddr};
use conduit::{Conduit, Regs};
use contract::model::{Action, Model, ModelConduit};
use host::Host;
use rmi::status::Status;
use rmi::v1_0::{Command, Mpidr, RealmParams, RecEnter, RecParams};
use zerocopy::{FromZeros, IntoBytes};

const POOL: u64 = 0x5000_0000;
const GRANULES: u64 = 96;
/// The first granules of the pool stay the host's: pages of parameters.
const PAGES: u64 = 6;

/// A reproducible sequence (xorshift64*).
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, bound: u64) -> u64 {
        (self.roll() >> 20) % bound
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len() as u64) as usize]
    }

    /// An argument that has a chance of meaning something.
    fn argument(&mut self) -> u64 {
        let granule = POOL + self.below(GRANULES) * 0x1000;
        let ipas = [
            0,
            0x1000,
            0x2000,
            0x20_0000,
            0x4000_0000,
            1 << 32,
            (1 << 32) + 0x1000,
            (1 << 32) - 0x1000,
            1 << 33,
        ];
        match self.below(16) {
            0..=8 => granule,
            9..=11 => self.one_of(&ipas),
            12 | 13 => self.below(5),
            14 => granule | 0xd8,
            _ => self.roll() >> self.below(64),
        }
    }
}

fn write(model: Model, page: u64, bytes: &[u8]) {
    // The page may have been delegated meanwhile; that is the host's loss.
    let _ = model
        .machine
        .write(PhysAddr::new(POOL + page * 0x1000), bytes);
}

/// Parameters that are often right.
fn pages(model: Model, dice: &mut Dice) {
    let mut params = RealmParams::new_zeroed();
    params.s2sz = dice.one_of(&[32, 33, 33, 33, 34, 40, 48, 255]);
    params.num_bps = 1;
    params.num_wps = 1;
    params.vmid = dice.below(3);
    params.rtt_level_start = dice.one_of(&[2, 2, 2, 1, 0, -1]);
    params.rtt_num_start = dice.one_of(&[8, 8, 8, 4, 1, 0, 3]);
    params.rtt_base = POOL + 0x8000 * (1 + dice.below(4));
    write(model, 0, params.as_bytes());

    let mut params = RecParams::new_zeroed();
    params.flags = dice.below(2);
    params.mpidr = Mpidr::from_index(dice.below(2) as u32).raw();
    params.num_aux = dice.one_of(&[1, 1, 1, 0, 2]);
    params.aux[0] = POOL + dice.below(GRANULES) * 0x1000;
    write(model, 1, params.as_bytes());

    let mut enter = RecEnter::new_zeroed();
    enter.flags = dice.one_of(&[0, 0, 0, 1, 2, 4, 16, 31]);
    enter.gprs = [dice.roll(); 31];
    enter.gicv3_lrs[0] = dice.one_of(&[0, 0, 1 << 62 | 27, u64::MAX]);
    write(model, 2, enter.as_bytes());
}

fn action(dice: &mut Dice) -> Action {
    let ipa = dice.argument();
    match dice.below(9) {
        0 => Action::read(ipa & !7),
        1 => Action::write(ipa & !7, dice.roll()),
        2 => Action::Fetch { ipa: ipa & !3 },
        3 => {
            let command = dice.one_of(rsi::Command::ALL);
            let args = [
                dice.argument(),
                dice.argument(),
                dice.below(3),
                dice.below(2),
            ];
            Action::rsi(command, &args)
        }
        4 => {
            let fid = dice.one_of(&[
                rsi::psci::CPU_ON_64,
                rsi::psci::CPU_OFF,
                rsi::psci::AFFINITY_INFO_64,
                rsi::psci::SYSTEM_OFF,
                rsi::psci::FEATURES,
                dice.0 as u32,
            ]);
            Action::smc(fid, &[dice.below(3), dice.argument(), dice.roll()])
        }
        5 => Action::VirtualTimer {
            ticks: dice.below(100),
        },
        6 => Action::Compute(dice.below(100)),
        7 => Action::Irq,
        _ => Action::Exception(dice.roll() & 0xffff_ffff),
    }
}

/// What the host has built honestly before it turns hostile.
#[derive(Clone)]
struct Known {
    realms: Vec<u64>,
    recs: Vec<u64>,
}

/// An active Realm with two RECs and a new one, both with some memory.
fn honest(model: Model) -> Known {
    let mut host = Host::new(model);
    // Pages of parameters come first.
    for _ in 0..PAGES {
        host.granule();
    }
    let mut known = Known {
        realms: Vec::new(),
        recs: Vec::new(),
    };
    for vmid in 0..2 {
        let mut realm = host.realm(vmid);
        realm.ram(&mut host, 0x1000);
        realm.populate(&mut host, 0, b"code");
        realm.table(&mut host, 1 << 32);
        if vmid == 0 {
            realm.rec(&mut host, 0);
            realm.rec_with(&mut host, 0, 0);
            realm.activate(&mut host);
        }
        known.realms.push(realm.rd);
        known.recs.extend(realm.recs.iter().map(|rec| rec.rec));
    }
    known
}

/// Fills in arguments that make sense, most of the time.
fn aim(command: Command, args: &mut [u64; 5], known: &Known, dice: &mut Dice) {
    let rd = dice.one_of(&known.realms);
    let rec = dice.one_of(&known.recs);
    let page = |number: u64| POOL + number * 0x1000;
    let shared = dice.one_of(&[1 << 32, (1 << 32) + 0x1000, (1 << 32) + 0x20_0000]);
    match command {
        Command::Version => args[0] = 0x1_0000,
        Command::RealmCreate => args[1] = page(0),
        Command::RecCreate => (args[0], args[2]) = (rd, page(1)),
        Command::RecEnter => (args[0], args[1]) = (rec, page(2)),
        Command::RecDestroy => args[0] = rec,
        Command::PsciComplete => {
            args[0] = rec;
            args[1] = dice.one_of(&known.recs);
            args[2] = dice.one_of(&[0, 0, (-3i64) as u64]);
        }
        Command::RealmActivate | Command::RealmDestroy | Command::RecAuxCount => args[0] = rd,
        Command::DataCreate => {
            args[0] = rd;
            args[3] = page(3 + dice.below(3));
            args[4] = dice.below(2);
        }
        Command::RttCreate => (args[0], args[3]) = (rd, 3),
        Command::RttSetRipas => (args[0], args[1]) = (rd, rec),
        Command::RttDestroy | Command::RttFold | Command::RttReadEntry => {
            (args[0], args[2]) = (rd, 3);
        }
        Command::RttMapUnprotected | Command::RttUnmapUnprotected => {
            (args[0], args[1], args[2]) = (rd, shared, dice.one_of(&[3, 3, 2]));
        }
        Command::DataCreateUnknown | Command::DataDestroy | Command::RttInitRipas => args[0] = rd,
        Command::Features | Command::GranuleDelegate | Command::GranuleUndelegate => {}
    }
}

/// One step of a hostile host.
fn step(model: Model, conduit: ModelConduit, known: &Known, dice: &mut Dice) -> (Command, u64) {
    if dice.below(8) == 0 {
        pages(model, dice);
    }
    let command = dice.one_of(Command::ALL);
    let mut args = [0; 5];
    args.fill_with(|| dice.argument());
    if dice.below(8) != 0 {
        aim(command, &mut args, known, dice);
    }
    let reply = conduit.call(Regs::call(command.fid(), &args));
    (command, reply.0[0])
}

fn storm(model: Model, known: &Known, cpu: usize, seed: u64, steps: u64) -> [u32; 64] {
    let conduit = model.conduit_of(cpu);
    let mut dice = Dice(seed);
    let mut succeeded = [0; 64];
    for _ in 0..PAGES {
        pages(model, &mut dice);
    }
    for _ in 0..steps {
        let vmid = dice.below(3) as u16;
        let rec = dice.below(2) as u32;
        if dice.below(4) == 0 {
            model.machine.script(vmid, rec, [action(&mut dice)]);
        }
        let (command, x0) = step(model, conduit, known, &mut dice);
        let status = Status::from_raw(x0);
        assert!(
            !matches!(status, Status::Unknown { .. } | Status::NotSupported),
            "{} ended with {x0:#x}",
            command.name()
        );
        if status == Status::Success {
            succeeded[command as usize] += 1;
        }
    }
    succeeded
}

#[test]
fn nothing_a_host_says_breaks_the_rmm() {
    let mut succeeded = [0; 64];
    for seed in 1..=16u64 {
        let model = Model::default();
        let known = honest(model);
        let seed = u64::wrapping_mul(seed, 0x9e37_79b9_7f4a_7c15);
        let counts = storm(model, &known, 0, seed, 4_000);
        for (sum, count) in succeeded.iter_mut().zip(counts) {
            *sum += count;
        }
        see_that_all_is_accounted_for(model);
    }
    // The storm got somewhere: most commands have succeeded at times.
    let never: Vec<&str> = Command::ALL
        .iter()
        .filter(|command| succeeded[**command as usize] == 0)
        .map(|command| command.name())
        .collect();
    assert!(never.len() <= 5, "never succeeded: {never:?}");
}

#[test]
fn two_cpus_that_call_at_once_neither_break_nor_block_the_rmm() {
    for seed in 1..=5 {
        let model = Model::default();
        let known = honest(model);
        std::thread::scope(|scope| {
            for cpu in 0..2 {
                let known = &known;
                scope.spawn(move || storm(model, known, cpu, seed * 77 + cpu as u64 + 1, 4_000));
            }
        });
        see_that_all_is_accounted_for(model);
    }
}

/// Whatever the RMM counts as the host's is in the Non-secure address space
/// and can be delegated; whatever it counts as delegated is scrubbed.
fn see_that_all_is_accounted_for(model: Model) {
    let conduit = model.conduit();
    let call = |command: Command, granule: u64| {
        Status::from_raw(conduit.call(Regs::call(command.fid(), &[granule])).0[0])
    };
    for number in 0..GRANULES {
        let granule = POOL + number * 0x1000;
        let address = GranuleAddr::from_raw(granule).unwrap();
        let was_host = model.machine.pas(address) == addr::Pas::NonSecure;
        if was_host {
            assert_eq!(call(Command::GranuleDelegate, granule), Status::Success);
        }
        if call(Command::GranuleUndelegate, granule) == Status::Success {
            let bytes = model.machine.bytes(address);
            assert!(bytes.iter().all(|byte| *byte == 0), "{granule:#x}");
            assert_eq!(model.machine.pas(address), addr::Pas::NonSecure);
        } else {
            assert!(!was_host);
        }
    }
}
