//! Running operations to their end.

use super::Rmi;
use crate::client::{Absurd, RmiError};
use crate::v2_0::range::ListPage;
use crate::v2_0::sro::{Call, Failure, Limits, Operation, Outcome, Reserve, Step};
use crate::v2_0::{Command, Status};
use conduit::{Conduit, Regs};
use core::fmt;
use core::hint::spin_loop;

/// An operation that did not do what it was asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OpError {
    /// It ended with an error of its command; nothing is left half done.
    Ended(RmiError),
    /// It went wrong on its way.
    Broken(Failure),
}

impl fmt::Display for OpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended(error) => write!(f, "{error}"),
            Self::Broken(failure) => write!(f, "{failure}"),
        }
    }
}

impl core::error::Error for OpError {}

impl From<OpError> for RmiError {
    fn from(error: OpError) -> Self {
        match error {
            OpError::Ended(error) => error,
            OpError::Broken(failure) => failure.into(),
        }
    }
}

impl From<Failure> for RmiError {
    fn from(failure: Failure) -> Self {
        use crate::v2_0::sro::Fault;
        match failure.fault {
            Fault::Busy { .. } => Self::Status(Status::Busy),
            Fault::Blocked { .. } => Self::Status(Status::Blocked),
            Fault::Refused { status, .. } => match Self::check_v2_0(status) {
                Err(error) => error,
                Ok(()) => Self::Status(status),
            },
            _ => Self::Absurd {
                what: Absurd::Operation,
                value: failure.handle.unwrap_or_default(),
            },
        }
    }
}

impl<C: Conduit> Rmi<C> {
    /// How long operations may go on, for an [`Operation`] of the caller's own.
    pub fn limits(&self) -> Limits {
        Limits {
            field: self.field,
            ..Limits::default()
        }
    }

    #[inline(always)]
    pub(super) fn call(&self, command: Command, args: [u64; 7]) -> [u64; 8] {
        self.calls.count_v2_0(command);
        let [a, b, c, d, e, g, h] = args;
        let fid = u64::from(command.fid());
        self.conduit.call(Regs([fid, a, b, c, d, e, g, h])).0
    }

    /// Runs `op` until it ends. After each answer that does not end it `pause`
    /// may do other work; when it says `false` the operation rests, `None`
    /// comes back, and another call takes it up again.
    pub fn operate<const N: usize>(
        &self,
        op: &mut Operation,
        reserve: &mut Reserve<N>,
        page: &mut impl ListPage,
        pause: &mut dyn FnMut() -> bool,
    ) -> Option<Result<Outcome, Failure>> {
        loop {
            match op.next(reserve, page) {
                Step::Call(Call { command, args }) => {
                    let answer = self.call(command, args);
                    op.answer(&answer, reserve, page);
                }
                Step::Short { .. } => op.give_up(reserve),
                Step::Done(result) => return Some(result),
            }
            if !op.is_done() && !pause() {
                return None;
            }
        }
    }

    /// Runs a command that may move memory between the RMM and `reserve`: what
    /// the methods for RECs do, for commands that want memory of some RMMs only.
    pub fn with_memory<const N: usize>(
        &self,
        command: Command,
        args: &[u64],
        reserve: &mut Reserve<N>,
        page: &mut impl ListPage,
    ) -> Result<Outcome, OpError> {
        let mut op = Operation::new(command, args, self.limits());
        let mut pause = || {
            spin_loop();
            true
        };
        loop {
            if let Some(result) = self.operate(&mut op, reserve, page, &mut pause) {
                let outcome = result.map_err(OpError::Broken)?;
                RmiError::check_v2_0(outcome.status).map_err(OpError::Ended)?;
                return Ok(outcome);
            }
        }
    }

    /// Runs a command that moves no memory: its status and x1 to x4.
    #[inline(never)]
    pub(super) fn end(&self, command: Command, args: [u64; 7]) -> (Result<(), RmiError>, [u64; 4]) {
        self.end_here(command, args)
    }

    /// [`end`](Self::end) where it is called from: for the command that a Realm waits
    /// for at each fault.
    #[inline(always)]
    pub(super) fn end_here(
        &self,
        command: Command,
        args: [u64; 7],
    ) -> (Result<(), RmiError>, [u64; 4]) {
        let [x0, x1, x2, x3, x4, x5, x6, x7] = self.call(command, args);
        // The common case first. Nothing of it is in memory.
        if x0 == 0 {
            return (Ok(()), [x1, x2, x3, x4]);
        }
        self.end_badly(command, args, [x0, x1, x2, x3, x4, x5, x6, x7])
    }

    #[cold]
    fn end_badly(
        &self,
        command: Command,
        args: [u64; 7],
        answer: [u64; 8],
    ) -> (Result<(), RmiError>, [u64; 4]) {
        let [x0, x1, x2, x3, x4, ..] = answer;
        match Status::from_raw(x0) {
            Status::Busy | Status::Blocked | Status::Incomplete { .. } => {
                self.end_later(command, args, &answer)
            }
            status => (RmiError::check_v2_0(status), [x1, x2, x3, x4]),
        }
    }

    fn end_later(
        &self,
        command: Command,
        args: [u64; 7],
        answer: &[u64; 8],
    ) -> (Result<(), RmiError>, [u64; 4]) {
        let mut op = Operation::new(command, &args, self.limits());
        op.answer_without_memory(answer);
        loop {
            match op.next_without_memory() {
                Step::Call(Call { command, args }) => {
                    spin_loop();
                    op.answer_without_memory(&self.call(command, args));
                }
                Step::Done(Ok(outcome)) => {
                    return (RmiError::check_v2_0(outcome.status), outcome.outputs);
                }
                Step::Done(Err(failure)) => return (Err(failure.into()), [0; 4]),
                // No request gets this far without memory.
                Step::Short { .. } => op.give_up(&mut Reserve::<0>::new()),
            }
        }
    }

    pub(super) fn done(&self, command: Command, args: [u64; 7]) -> Result<(), RmiError> {
        self.end(command, args).0
    }
}
