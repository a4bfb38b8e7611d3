//! A host of RMI 2.0 that says anything at all.

mod host2;

use addr::{GranuleAddr, Pas};
use conduit::{Conduit, Regs};
use contract::model::Action;
use host2::{Host, delegated_range};
use rmi::v2_0::range::BlockSize;
use rmi::v2_0::{Command, Status};
use rmm_core::{Behaviour, Completion};

const POOL: u64 = 0x5000_0000;
const GRANULES: u64 = 1100;

/// Forty granules and the block of 2 MiB at [`BLOCK`] are delegated at first.
const GIVEN: u64 = POOL + 0x10_0000;
const BLOCK: u64 = POOL + 0x20_0000;

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

    /// Granules near the beginning, where the honest part has built, or any.
    fn granule(&mut self) -> u64 {
        let bound = self.one_of(&[40, 40, GRANULES]);
        POOL + self.below(bound) * 0x1000
    }

    fn descriptor(&mut self) -> u64 {
        let given = GIVEN + self.below(40) * 0x1000;
        let any = self.granule();
        let base = self.one_of(&[given, given, any]);
        match self.below(4) {
            0 => delegated_range(BLOCK, BlockSize::Size2M, 1),
            1 => delegated_range(base, BlockSize::Size4K, 1 + self.below(4)),
            2 => delegated_range(base, BlockSize::Size4K, 1) | self.below(2) << 63,
            _ => self.roll(),
        }
    }

    fn ipa(&mut self) -> u64 {
        let shared = self.below(2) << 32;
        let page = self.below(4) * 0x1000;
        let block = self.below(4) * 0x20_0000;
        shared + self.one_of(&[page, block, page + block])
    }

    fn argument(&mut self) -> u64 {
        match self.below(10) {
            0..=4 => self.granule(),
            5 | 6 => self.ipa(),
            7 => self.below(5),
            8 => self.descriptor(),
            _ => self.roll() >> self.below(64),
        }
    }
}

/// Fills in arguments that make sense.
fn aim(command: Command, args: &mut [u64; 5], rd: u64, recs: &[u64], dice: &mut Dice) {
    let rec = dice.one_of(recs);
    let page = POOL + (8 + dice.below(32)) * 0x1000;
    let base = dice.ipa();
    let top = base + dice.one_of(&[0x1000, 0x4000, 0x20_0000]);
    match command {
        Command::GranuleRangeDelegate | Command::GranuleRangeUndelegate => {
            args[1] = args[0].wrapping_add(0x1000 * dice.below(4));
        }
        Command::RttDataMap | Command::RttUnprotMap => {
            let flags = 1 | dice.below(2) << 18 | 3 << 19;
            let flags = if command == Command::RttDataMap {
                1
            } else {
                flags
            };
            *args = [rd, base, top, flags, dice.descriptor()];
        }
        Command::RttDataUnmap | Command::RttUnprotUnmap => {
            let (flags, oaddr) = dice.one_of(&[(0, 0), (1, 0), (2 | 8 << 2, page)]);
            *args = [rd, base, top, flags, oaddr];
        }
        Command::OpContinue | Command::OpCancel => {
            *args = [0x101 + dice.below(3), 0, 0, 0, 0];
        }
        Command::OpMemDonate | Command::OpMemReclaim => {
            *args = [0x101 + dice.below(3), page, 1 + dice.below(3), 0, 0];
        }
        Command::RecEnter => (args[0], args[1]) = (rec, page),
        Command::RecDestroy => args[0] = rec,
        Command::RecCreate => (args[0], args[2]) = (rd, page),
        Command::PsciComplete => (args[0], args[1], args[2]) = (rec, dice.one_of(recs), 0),
        Command::RttCreate => (args[0], args[3]) = (rd, 3),
        Command::RttDestroy | Command::RttFold => {
            (args[0], args[1], args[2]) = (rd, base & !0x1f_ffff, 3);
        }
        Command::RttSetRipas => (args[0], args[1]) = (rd, rec),
        Command::RttInitRipas | Command::RttDataMapInit | Command::RealmActivate => args[0] = rd,
        _ => {}
    }
}

fn storm(behaviour: Behaviour, seed: u64) -> [u32; 256] {
    let mut host = Host::new(behaviour);
    let mut realm = host.realm();
    realm.table(&mut host, 0);
    realm.table(&mut host, 1 << 32);
    host.ok(Command::RttInitRipas, &[realm.rd, 0, 0x4000]);
    realm.rec(&mut host, 1);
    realm.rec(&mut host, 0);
    host.ok(Command::RealmActivate, &[realm.rd]);
    host.delegate(GIVEN, 40 * 0x1000);
    host.delegate(BLOCK, 0x20_0000);
    let mut dice = Dice(seed);
    let mut succeeded = [0; 256];
    for _ in 0..5_000 {
        if dice.below(6) == 0 {
            // Lists and parameters, in pages that may be the host's.
            let at = addr::PhysAddr::new(dice.granule());
            let words: Vec<u8> = (0..8)
                .flat_map(|_| dice.descriptor().to_le_bytes())
                .collect();
            let _ = host.model.machine.write(at, &words);
            let ipa = dice.ipa();
            let action = dice.one_of(&[Action::read(ipa), Action::write(ipa, 1), Action::Irq]);
            host.model.machine.script(0, 0, [action]);
        }
        let mut command = dice.one_of(Command::ALL);
        // Ends come late.
        if matches!(command, Command::RealmTerminate | Command::RealmDestroy) {
            command = Command::RttDataMap;
        }
        let mut args = [0; 5];
        args.fill_with(|| dice.argument());
        if dice.below(8) != 0 {
            aim(command, &mut args, realm.rd, &realm.recs, &mut dice);
        }
        let reply = host.conduit.call(Regs::call(command.fid(), &args)).0;
        let status = Status::from_raw(reply[0]);
        assert!(
            !matches!(status, Status::Unknown { .. }),
            "{} ended with {:#x}",
            command.name(),
            reply[0]
        );
        succeeded[command as usize] += u32::from(reply[0] == 0);
    }
    see_that_all_is_accounted_for(&host);
    succeeded
}

/// Whatever can be undelegated is scrubbed, and what is the host's is so for
/// the machine, too.
fn see_that_all_is_accounted_for(host: &Host) {
    for number in 0..GRANULES {
        let granule = POOL + number * 0x1000;
        let range = [granule, granule + 0x1000];
        let address = GranuleAddr::from_raw(granule).unwrap();
        let was_host = host.model.machine.pas(address) == Pas::NonSecure;
        if was_host {
            host.ok(Command::GranuleRangeDelegate, &range);
        }
        let (status, _) = host.call(Command::GranuleRangeUndelegate, &range);
        if status == Status::Success {
            let bytes = host.model.machine.bytes(address);
            assert!(bytes.iter().all(|byte| *byte == 0), "{granule:#x}");
        } else {
            assert!(!was_host);
        }
    }
}

#[test]
fn nothing_a_host_says_breaks_the_second_dialect() {
    let mut succeeded = [0; 256];
    for seed in 1..=12u64 {
        let behaviour = Behaviour {
            granules_per_call: [1, 3, 4096][seed as usize % 3],
            granules_per_map: [4096, 1, 3][seed as usize % 3],
            can_cancel: seed % 3 != 0,
            completion: [Completion::ByHost, Completion::ByRmm][seed as usize % 2],
            rec_granules: [1, 4][seed as usize % 2],
            pauses: (seed % 3) as u8,
        };
        let counts = storm(behaviour, seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        for (sum, count) in succeeded.iter_mut().zip(counts) {
            *sum += count;
        }
    }
    for command in [
        Command::GranuleRangeDelegate,
        Command::RttDataMap,
        Command::RttDataUnmap,
        Command::RttUnprotMap,
        Command::RttUnprotUnmap,
        Command::RecEnter,
        Command::RttCreate,
    ] {
        assert!(
            succeeded[command as usize] != 0,
            "never: {}",
            command.name()
        );
    }
}
