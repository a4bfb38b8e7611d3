//! What a case needs of the place it runs in, and the interpreter.
//!
//! No allocation, no panics: an EL2 payload runs this over real SMCs.

use crate::case::{Arg, Dialect, Fixture, Program, RmiCase, Slot, Step};
use crate::{fixture, fixture2};
use conduit::{Conduit, Regs};
use core::fmt;
use rmi::status::Status;
use rmi::v2_0;

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
    /// A call of RMI 2.0 ended with another status.
    Status2 {
        /// x0 as it came.
        found: u64,
        /// What it should have been.
        expected: v2_0::Status,
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
            Found::Status2 { found, expected } => write!(
                f,
                "the call ended with {} where {expected} was expected",
                v2_0::Status::from_raw(found)
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
fn value(bench: &impl Bench, handle: u64, arg: Arg) -> u64 {
    match arg {
        Arg::Raw(raw) => raw,
        Arg::Granule(slot) => slot_address(bench, slot),
        Arg::At(slot, offset) => slot_address(bench, slot).wrapping_add(offset),
        Arg::Handle => handle,
    }
}

/// Makes a call with arguments from x1.
pub(crate) fn call(bench: &impl Bench, fid: u32, args: &[Arg]) -> [u64; 8] {
    call_about(bench, 0, fid, args)
}

/// The same about an operation of RMI 2.0.
fn call_about(bench: &impl Bench, handle: u64, fid: u32, args: &[Arg]) -> [u64; 8] {
    let mut values = [0; 7];
    for (to, arg) in values.iter_mut().zip(args) {
        *to = value(bench, handle, *arg);
    }
    bench.call(Regs::call(fid, &values)).0
}

/// A case that is being run.
struct Running<'b, B> {
    bench: &'b mut B,
    /// The last operation of RMI 2.0 that has begun.
    handle: u64,
}

impl<B: Bench> Running<'_, B> {
    fn value(&self, arg: Arg) -> u64 {
        value(self.bench, self.handle, arg)
    }

    fn check_outputs(&self, reply: &[u64; 8], outputs: &[(usize, Arg)]) -> Result<(), Found> {
        for (register, wanted) in outputs {
            let found = reply.get(*register).copied().unwrap_or(0);
            let expected = self.value(*wanted);
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

    fn check_call(
        &self,
        fid: u32,
        args: &[Arg],
        expected: Status,
        outputs: &[(usize, Arg)],
    ) -> Result<(), Found> {
        let reply = call(self.bench, fid, args);
        let [found, ..] = reply;
        if Status::from_raw(found) != expected {
            return Err(Found::Status { found, expected });
        }
        self.check_outputs(&reply, outputs)
    }

    fn check_call_2(
        &mut self,
        command: v2_0::Command,
        args: &[Arg],
        expected: v2_0::Status,
        outputs: &[(usize, Arg)],
    ) -> Result<(), Found> {
        use v2_0::Command::{RecCreate, RecDestroy};
        let reply = call_about(self.bench, self.handle, command.fid(), args);
        let [found, x1, ..] = reply;
        let status = v2_0::Status::from_raw(found);
        let begins = matches!(command, RecCreate | RecDestroy);
        if begins && matches!(status, v2_0::Status::Incomplete { .. }) {
            self.handle = x1;
        }
        if status != expected {
            return Err(Found::Status2 { found, expected });
        }
        self.check_outputs(&reply, outputs)
    }

    fn perform(&mut self, step: &Step) -> Result<(), Found> {
        match *step {
            Step::Call(command, args, status, outputs) => {
                self.check_call(command.fid(), args, status, outputs)
            }
            Step::Call2(command, args, status, outputs) => {
                self.check_call_2(command, args, status, outputs)
            }
            Step::Fid(fid, args, status) => self.check_call(fid, args, status, &[]),
            Step::Poke(slot, offset, arg) => {
                let address = slot_address(self.bench, slot) + offset;
                let raw = self.value(arg);
                self.bench.write(address, raw);
                Ok(())
            }
            Step::Peek(slot, offset, mask, expected) => {
                let address = slot_address(self.bench, slot) + offset;
                let found = self.bench.read(address) & mask;
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
}

/// Runs a case: builds its fixture, performs its steps, takes everything apart
/// and sees that every granule of the pool is the host's again.
pub fn run(bench: &mut impl Bench, case: &RmiCase, dialect: Dialect) -> Result<(), Failure> {
    let failure = |step, found| Failure {
        case: case.name,
        step,
        found,
    };
    let built = match dialect {
        Dialect::V1_0 => fixture::build(bench, case.fixture),
        Dialect::V2_0 => fixture2::build(bench, case.fixture),
    };
    let mut result = built.map_err(|found| failure(None, found));
    let mut running = Running { bench, handle: 0 };
    if result.is_ok() {
        for (number, step) in case.steps.iter().enumerate() {
            if let Err(found) = running.perform(step) {
                result = Err(failure(Some(number), found));
                break;
            }
        }
    }
    // Take apart even after a failure, so that the next case starts clean.
    let torn = match dialect {
        Dialect::V1_0 => fixture::tear_down(running.bench),
        Dialect::V2_0 => fixture2::tear_down(running.bench, running.handle),
    };
    result.and(torn.map_err(|found| failure(None, found)))
}

/// Whether a fixture has an active Realm.
pub(crate) const fn is_active(fixture: Fixture) -> bool {
    matches!(fixture, Fixture::Active(_))
}
