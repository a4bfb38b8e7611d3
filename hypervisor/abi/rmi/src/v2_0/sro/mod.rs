//! Stateful RMM operations: commands that take more than one call and may want
//! memory of the host, or give some back, on the way.
//!
//! [`Operation`] is a state machine without side effects: it says which call
//! comes next and digests the answer. It can be left at any point and taken up
//! again, on any CPU. Memory comes from a [`Reserve`] that the caller fills
//! before the first call, so no step allocates, and which remembers what the
//! RMM holds: what was given is out until the RMM names it in a list.
//!
//! The RMM's answers are input from another side. An answer that cannot be
//! becomes a [`Fault`]; after it the operation is cancelled if the RMM lets it
//! be, and ends. Nothing repeats without a limit.

mod fault;
mod reserve;

pub use fault::{Failure, Fault};
pub use reserve::{Held, Reserve, ReserveFull};

use super::range::{DonateRequest, LIST_ENTRIES, ListPage, RangeDesc, StateField};
use super::{Command, MemRequest, Status};
use addr::{GranuleAddr, PhysAddr};

/// Flag of `OP_CONTINUE`: stop here and tell how far it came.
pub const CONTINUE_STOP: u64 = 1 << 0;

/// How long an operation may go on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Answers `BUSY` in a row.
    pub busy: u32,
    /// Answers `BLOCKED` in a row.
    pub blocked: u32,
    /// Answers `INCOMPLETE` in a row without memory changing hands.
    pub idle: u32,
    /// Calls in all; as many again to cancel.
    pub calls: u32,
    /// Where this RMM's descriptors hold their state.
    pub field: StateField,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            busy: 10_000,
            blocked: 1_000,
            idle: 4_096,
            calls: 65_536,
            field: StateField::OneBit,
        }
    }
}

/// A call to make: x0 is the command's identifier, x1 and up its arguments.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Call {
    /// The command.
    pub command: Command,
    /// x1 to x7.
    pub args: [u64; 7],
}

/// What comes next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// Make this call and pass the answer to [`Operation::answer`].
    Call(Call),
    /// The reserve cannot serve this request: fill it and ask again, or
    /// [`Operation::give_up`].
    Short {
        /// What the RMM wants.
        request: DonateRequest,
        /// Suitable granules at hand.
        have: usize,
    },
    /// It has ended.
    Done(Result<Outcome, Failure>),
}

/// How an operation ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// The command's status.
    pub status: Status,
    /// The command's outputs, x1 to x4.
    pub outputs: [u64; 4],
    /// Granules the RMM took.
    pub donated: u64,
    /// Granules it gave back.
    pub reclaimed: u64,
    /// Calls made.
    pub calls: u32,
    /// Whether it was cancelled on the way.
    pub cancelled: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    Initiate,
    Continue,
    Donate(DonateRequest),
    Reclaim,
    Cancel,
    Done(Result<Outcome, Failure>),
}

/// A command on its way to its end. It needs its [`Reserve`] and its list page
/// to itself until then.
#[derive(Clone, Debug)]
pub struct Operation {
    first: Call,
    limits: Limits,
    phase: Phase,
    handle: Option<u64>,
    can_cancel: bool,
    wants_cancel: bool,
    cancelled: bool,
    stop: bool,
    cause: Option<Fault>,
    busy: u32,
    blocked: u32,
    idle: u32,
    calls: u32,
    budget: u32,
    donated: u64,
    reclaimed: u64,
}

impl Operation {
    /// `command` with `args`, not begun. A command that ends at once is just
    /// an operation of one call.
    pub fn new(command: Command, args: &[u64], limits: Limits) -> Self {
        let mut regs = [0; 7];
        for (reg, arg) in regs.iter_mut().zip(args) {
            *reg = *arg;
        }
        Self {
            first: Call {
                command,
                args: regs,
            },
            limits,
            phase: Phase::Initiate,
            handle: None,
            can_cancel: false,
            wants_cancel: false,
            cancelled: false,
            stop: false,
            cause: None,
            busy: 0,
            blocked: 0,
            idle: 0,
            calls: 0,
            budget: limits.calls,
            donated: 0,
            reclaimed: 0,
        }
    }

    /// Asks that the operation be undone, as soon as the RMM allows.
    pub fn cancel(&mut self) {
        self.wants_cancel = true;
    }

    /// Asks a command on a range to stop and tell how far it came.
    pub fn stop(&mut self) {
        self.stop = true;
    }

    /// The RMM's name for it, once begun and not ended.
    pub const fn handle(&self) -> Option<u64> {
        self.handle
    }

    /// Whether it has ended.
    pub const fn is_done(&self) -> bool {
        matches!(self.phase, Phase::Done(_))
    }

    /// Ends an operation whose request the reserve cannot serve.
    pub fn give_up<const N: usize>(&mut self, reserve: &mut Reserve<N>) {
        if let Phase::Donate(request) = self.phase {
            let have = reserve.suitable(request);
            self.fail(Fault::ReserveTooSmall { request, have }, reserve);
        }
    }

    /// What comes next for a command that moves no memory; a request to do so
    /// is a [`Fault::Unprovided`]. No list page is needed.
    pub fn next_without_memory(&mut self) -> Step {
        let mut reserve = Reserve::<0>::new();
        if matches!(self.phase, Phase::Donate(_) | Phase::Reclaim) {
            self.fail(Fault::Unprovided, &mut reserve);
        }
        self.next(&mut reserve, &mut NoPage)
    }

    /// Digests the answer to a call that moved no memory.
    pub fn answer_without_memory(&mut self, regs: &[u64; 8]) {
        self.answer(regs, &mut Reserve::<0>::new(), &NoPage);
    }

    /// What comes next. Asking again without an answer says the same again;
    /// a list of memory to give is in `page` each time.
    pub fn next<const N: usize>(
        &mut self,
        reserve: &mut Reserve<N>,
        page: &mut impl ListPage,
    ) -> Step {
        if self.wants_cancel && self.can_cancel && !self.cancelled && !self.is_done() {
            self.turn_back(reserve);
        }
        if self.calls >= self.budget && !self.is_done() {
            self.fail(Fault::Endless { calls: self.calls }, reserve);
        }
        let handle = self.handle.unwrap_or_default();
        match self.phase {
            Phase::Done(result) => Step::Done(result),
            Phase::Initiate => {
                // What is on offer now was left by an operation nobody ended.
                reserve.doubt();
                Step::Call(self.first)
            }
            Phase::Continue => {
                let flags = if self.stop { CONTINUE_STOP } else { 0 };
                call(Command::OpContinue, [handle, flags, 0])
            }
            Phase::Cancel => call(Command::OpCancel, [handle, 0, 0]),
            Phase::Reclaim => call(
                Command::OpMemReclaim,
                [handle, page.page().raw(), LIST_ENTRIES as u64],
            ),
            Phase::Donate(request) => match reserve.offer(request, page, self.limits.field) {
                Some(entries) => call(
                    Command::OpMemDonate,
                    [handle, page.page().raw(), entries as u64],
                ),
                None => Step::Short {
                    request,
                    have: reserve.suitable(request),
                },
            },
        }
    }

    /// Digests the answer to the call that [`next`](Self::next) named: x0 to
    /// x7, and `page` as the RMM left it.
    pub fn answer<const N: usize>(
        &mut self,
        regs: &[u64; 8],
        reserve: &mut Reserve<N>,
        page: &impl ListPage,
    ) {
        if self.is_done() {
            return;
        }
        self.calls = self.calls.saturating_add(1);
        let [x0, x1, x2, x3, x4, ..] = *regs;
        let status = Status::from_raw(x0);
        if status.is_transient() {
            return self.wait(status, reserve);
        }
        self.busy = 0;
        self.blocked = 0;
        if let Status::Incomplete { can_cancel, .. } = status {
            self.can_cancel = can_cancel;
        }
        let moved = match self.phase {
            Phase::Initiate => {
                if matches!(status, Status::Incomplete { .. }) {
                    // Only here is x1 the handle; in later answers it counts.
                    self.handle = Some(x1);
                }
                Ok(0)
            }
            Phase::Continue => refused(Command::OpContinue, status, false),
            Phase::Cancel => refused(Command::OpCancel, status, true),
            Phase::Donate(request) => self.donated_to(request, status, x1, reserve),
            Phase::Reclaim => self.reclaimed_from(status, x1, reserve, page),
            Phase::Done(_) => return,
        };
        match (moved, status) {
            (Err(fault), _) => self.fail(fault, reserve),
            (Ok(moved), Status::Incomplete { request, .. }) => {
                self.advance(request, x2, moved, reserve);
            }
            (Ok(_), _) => self.end(status, [x1, x2, x3, x4], reserve),
        }
    }

    fn wait<const N: usize>(&mut self, status: Status, reserve: &mut Reserve<N>) {
        if status == Status::Busy {
            self.blocked = 0;
            self.busy = self.busy.saturating_add(1);
            if self.busy > self.limits.busy {
                self.fail(Fault::Busy { tries: self.busy }, reserve);
            }
        } else {
            self.busy = 0;
            self.blocked = self.blocked.saturating_add(1);
            if self.blocked > self.limits.blocked {
                let tries = self.blocked;
                self.fail(Fault::Blocked { tries }, reserve);
            }
        }
    }

    fn donated_to<const N: usize>(
        &mut self,
        request: DonateRequest,
        status: Status,
        consumed: u64,
        reserve: &mut Reserve<N>,
    ) -> Result<u64, Fault> {
        match status {
            // When it turns round here, what x1 counts is not agreed on: only
            // a list, or an attempt to undelegate, tells what was taken.
            Status::Incomplete {
                request: MemRequest::Reclaim,
                ..
            } => {
                reserve.doubt();
                Ok(0)
            }
            Status::Incomplete { .. } | Status::Success => {
                let moved = reserve.give(request, consumed)?;
                self.donated = self.donated.saturating_add(moved);
                Ok(moved)
            }
            status => {
                reserve.doubt();
                Err(Fault::Refused {
                    command: Command::OpMemDonate,
                    status,
                })
            }
        }
    }

    fn reclaimed_from<const N: usize>(
        &mut self,
        status: Status,
        entries: u64,
        reserve: &mut Reserve<N>,
        page: &impl ListPage,
    ) -> Result<u64, Fault> {
        if !matches!(status, Status::Incomplete { .. } | Status::Success) {
            return Err(Fault::Refused {
                command: Command::OpMemReclaim,
                status,
            });
        }
        if entries > LIST_ENTRIES as u64 {
            return Err(Fault::Entries { entries });
        }
        let mut moved = 0;
        for index in 0..entries as usize {
            let desc = RangeDesc::decode(page.get(index), self.limits.field)
                .map_err(|error| Fault::Entry { index, error })?;
            let granules = reserve.take_back(desc)?;
            moved += granules;
            self.reclaimed = self.reclaimed.saturating_add(granules);
        }
        Ok(moved)
    }

    fn advance<const N: usize>(
        &mut self,
        request: MemRequest,
        wanted: u64,
        moved: u64,
        reserve: &mut Reserve<N>,
    ) {
        self.idle = if moved == 0 {
            self.idle.saturating_add(1)
        } else {
            0
        };
        self.phase = match request {
            MemRequest::None => Phase::Continue,
            MemRequest::Reclaim => Phase::Reclaim,
            MemRequest::Donate if self.cancelled => {
                return self.fail(Fault::DonateAfterCancel, reserve);
            }
            MemRequest::Donate => match DonateRequest::decode(wanted) {
                Some(request) => Phase::Donate(request),
                None => return self.fail(Fault::BadRequest { raw: wanted }, reserve),
            },
        };
        if self.idle > self.limits.idle {
            self.fail(Fault::NoProgress { rounds: self.idle }, reserve);
        }
    }

    fn turn_back<const N: usize>(&mut self, reserve: &mut Reserve<N>) {
        // Nothing on offer has been taken: the call was not made, or the RMM
        // answered that it changed nothing.
        reserve.withdraw();
        self.cancelled = true;
        self.phase = Phase::Cancel;
        self.busy = 0;
        self.blocked = 0;
        self.idle = 0;
        self.budget = self.calls.saturating_add(self.limits.calls);
    }

    fn fail<const N: usize>(&mut self, fault: Fault, reserve: &mut Reserve<N>) {
        let fault = *self.cause.get_or_insert(fault);
        if self.handle.is_some() && self.can_cancel && !self.cancelled {
            return self.turn_back(reserve);
        }
        reserve.withdraw();
        self.phase = Phase::Done(Err(Failure {
            command: self.first.command,
            fault,
            status: None,
            handle: self.handle,
            out: reserve.out(),
        }));
    }

    fn end<const N: usize>(&mut self, status: Status, outputs: [u64; 4], reserve: &mut Reserve<N>) {
        self.handle = None;
        self.phase = Phase::Done(match self.cause {
            Some(fault) => Err(Failure {
                command: self.first.command,
                fault,
                status: Some(status),
                handle: None,
                out: reserve.out(),
            }),
            None => Ok(Outcome {
                status,
                outputs,
                donated: self.donated,
                reclaimed: self.reclaimed,
                calls: self.calls,
                cancelled: self.cancelled,
            }),
        });
    }
}

/// The list page of an operation that never gets to use one.
struct NoPage;

impl ListPage for NoPage {
    fn page(&self) -> GranuleAddr {
        GranuleAddr::containing(PhysAddr::new(0))
    }

    fn put(&mut self, _: usize, _: u64) {}

    fn get(&self, _: usize) -> u64 {
        0
    }
}

fn call(command: Command, [a, b, c]: [u64; 3]) -> Step {
    Step::Call(Call {
        command,
        args: [a, b, c, 0, 0, 0, 0],
    })
}

/// Answers to a call on a handle that cannot be the command's own status:
/// the operation may still be open.
fn refused(command: Command, status: Status, strict: bool) -> Result<u64, Fault> {
    match status {
        Status::NotImplemented | Status::Unknown { .. } => Err(Fault::Refused { command, status }),
        Status::ErrorInput if strict => Err(Fault::Refused { command, status }),
        _ => Ok(0),
    }
}

#[cfg(test)]
mod tests;
