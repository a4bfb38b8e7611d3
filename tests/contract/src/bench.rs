//! What a case needs of the place it runs in, and the interpreter.
//!
//! No allocation, no panics: an EL2 payload runs this over real SMCs.

use crate::case::{Arg, Fixture, Program, RmiCase, Slot, Step};
use crate::fixture;
use conduit::{Conduit, Regs};
use core::fmt;
use rmi::status::Status;

/// Granules of the pool, which is aligned to 64 KiB.
pub const POOL_GRANULES: u64 = 64;

/// A place to run cases in.
pub trait Bench: Conduit {
    /// The first of [`POOL_GRANULES`] Non-secure granules that are the bench's,
    /// aligned to 64 KiB, inside the DRAM that the RMM tracks.
    fn pool(&self) -> u64;

    /// Writes a doubleword of Non-secure memory.
    fn write(&mut self, address: u64, value: u64);

    /// Reads a doubleword of Non-secure memory.
    fn read(&self, address: u64) -> u64;

    /// Makes the fixture's REC follow a program. Its machine code is in place
    /// already; a model that executes none notes what to do instead.
    fn program(&mut self, program: Program);
}

/// What went wrong in a case.
#[derive(Clone, Copy, Debug)]
pub struct Failure {
    /// The case's name.
    pub case: &'static str,
    /// Number of the step in the case, from 0; `None` in fixture or teardown.
    pub step: Option<usize>,
    /// What was found.
    pub found: Found,
}

/// What was found instead of what was expected.
#[derive(Clone, Copy, Debug)]
pub enum Found {
    /// A call ended with another status.
    Status {
        /// x0 as it came.
        found: u64,
        /// What it should have been.
        expected: Status,
    },
    /// A call gave another output.
    Output {
        /// Which register.
        register: usize,
        /// Its value.
        found: u64,
        /// What it should have been.
        expected: u64,
    },
    /// Memory holds something else.
    Memory {
        /// Where.
        address: u64,
        /// What is there.
        found: u64,
        /// What should be.
        expected: u64,
    },
    /// The fixture could not be built, or a granule did not come back.
    Granule {
        /// The call.
        call: &'static str,
        /// Its first argument.
        address: u64,
        /// x0 as it came.
        found: u64,
    },
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "case \"{}\"", self.case)?;
        match self.step {
            Some(step) => write!(f, ", step {step}: ")?,
            None => f.write_str(", around it: ")?,
        }
        match self.found {
            Found::Status { found, expected } => write!(
                f,
                "the call ended with {} where {expected} was expected",
                Status::from_raw(found)
            ),
            Found::Output {
                register,
                found,
                expected,
            } => write!(f, "x{register} is {found:#x}, not {expected:#x}"),
            Found::Memory {
                address,
                found,
                expected,
            } => write!(f, "at {address:#x} lies {found:#x}, not {expected:#x}"),
            Found::Granule {
                call,
                address,
                found,
            } => write!(
                f,
                "{call} of {address:#x} ended with {}",
                Status::from_raw(found)
            ),
        }
    }
}

/// Address of a slot of the pool.
pub fn slot_address(bench: &impl Bench, slot: Slot) -> u64 {
    bench.pool() + u64::from(slot.0) * addr::GRANULE_SIZE
}

/// The value of an argument.
fn value(bench: &impl Bench, arg: Arg) -> u64 {
    match arg {
        Arg::Raw(raw) => raw,
        Arg::Granule(slot) => slot_address(bench, slot),
        Arg::At(slot, offset) => slot_address(bench, slot).wrapping_add(offset),
    }
}

/// Makes a call with arguments from x1.
pub(crate) fn call(bench: &impl Bench, fid: u32, args: &[Arg]) -> [u64; 8] {
    let mut values = [0; 7];
    for (to, arg) in values.iter_mut().zip(args) {
        *to = value(bench, *arg);
    }
    bench.call(Regs::call(fid, &values)).0
}

fn check_call(
    bench: &impl Bench,
    fid: u32,
    args: &[Arg],
    expected: Status,
    outputs: &[(usize, Arg)],
) -> Result<(), Found> {
    let reply = call(bench, fid, args);
    let [x0, ..] = reply;
    if Status::from_raw(x0) != expected {
        return Err(Found::Status {
            found: x0,
            expected,
        });
    }
    for (register, wanted) in outputs {
        let found = reply.get(*register).copied().unwrap_or(0);
        let expected = value(bench, *wanted);
        if found != expected {
            return Err(Found::Output {
                register: *register,
                found,
                expected,
            });
        }
    }
    Ok(())
}

fn perform(bench: &mut impl Bench, step: &Step) -> Result<(), Found> {
    match *step {
        Step::Call(command, args, status, outputs) => {
            check_call(bench, command.fid(), args, status, outputs)
        }
        Step::Fid(fid, args, status) => check_call(bench, fid, args, status, &[]),
        Step::Poke(slot, offset, arg) => {
            let address = slot_address(bench, slot) + offset;
            let raw = value(bench, arg);
            bench.write(address, raw);
            Ok(())
        }
        Step::Peek(slot, offset, mask, expected) => {
            let address = slot_address(bench, slot) + offset;
            let found = bench.read(address) & mask;
            if found == expected {
                Ok(())
            } else {
                Err(Found::Memory {
                    address,
                    found,
                    expected,
                })
            }
        }
    }
}

/// Runs a case: builds its fixture, performs its steps, takes everything apart
/// and sees that every granule of the pool is the host's again.
pub fn run(bench: &mut impl Bench, case: &RmiCase) -> Result<(), Failure> {
    let failure = |step, found| Failure {
        case: case.name,
        step,
        found,
    };
    let built = fixture::build(bench, case.fixture);
    let mut result = built.map_err(|found| failure(None, found));
    if result.is_ok() {
        for (number, step) in case.steps.iter().enumerate() {
            if let Err(found) = perform(bench, step) {
                result = Err(failure(Some(number), found));
                break;
            }
        }
    }
    // Take apart even after a failure, so that the next case starts clean.
    let torn = fixture::tear_down(bench).map_err(|found| failure(None, found));
    result.and(torn)
}

/// Whether a fixture has an active Realm.
pub(crate) const fn is_active(fixture: Fixture) -> bool {
    matches!(fixture, Fixture::Active(_))
}
