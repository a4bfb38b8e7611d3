//! RMI 2.0: the same machines, asked in other words (DEN0137 2.0, as TF-RMM's
//! head and bet3 serve it).
//!
//! Ranges and blocks are honoured for real. Two commands cannot finish in one
//! call because they need memory from the host or give it back: creating and
//! destroying a REC; [`operation`] is their state machine. Granules named by a
//! descriptor are only ever tried to lock while an RD is held; where somebody
//! has them, the command says BUSY and has changed nothing.

mod block;
mod map;
mod operation;
mod psci;
mod range;
mod realm;
mod rec;
mod system;
mod unmap;

pub(crate) use operation::Operations;

use crate::behaviour::{Behaviour, Completion};
use crate::hal::Hal;
use crate::rmm::{Rmm, log};
use ::rmi::status::Status;
use ::rmi::v2_0::{Command, Status as Status2};
use conduit::{NOT_SUPPORTED, Regs};

/// `GPT_INFO`: the platform has made the tables.
const PLATFORM: u64 = 1;

/// What a command of RMI 2.0 answers: x0 and up to seven outputs.
pub(crate) type Answer = [u64; 8];

/// Why a command of RMI 2.0 did not do what it was asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Refusal {
    /// For a reason that RMI 1.0 knows.
    Known(Status),
    /// Somebody else holds what it needs; nothing has changed.
    Busy,
    /// All operations that can be under way are.
    Blocked,
    /// The RMM is not active, or is already, or has run out of something.
    Global,
}

impl From<Status> for Refusal {
    fn from(status: Status) -> Self {
        // RMI 2.0 has no index with a Realm's state.
        Self::Known(match status {
            Status::ErrorRealm { .. } => Status::ErrorRealm { index: 0 },
            other => other,
        })
    }
}

impl Refusal {
    fn raw(self) -> u64 {
        match self {
            Self::Known(status) => status.raw(),
            Self::Busy => Status2::Busy.raw(),
            Self::Blocked => Status2::Blocked.raw(),
            Self::Global => Status2::ErrorGlobal.raw(),
        }
    }
}

/// Outcome of a command of RMI 2.0.
pub(crate) type Outcome2<T> = Result<T, Refusal>;

/// Success with outputs from x1.
fn success(outputs: &[u64]) -> Answer {
    with_status(0, outputs)
}

fn with_status(x0: u64, outputs: &[u64]) -> Answer {
    let mut answer = [0; 8];
    let values = core::iter::once(&x0).chain(outputs);
    for (to, from) in answer.iter_mut().zip(values) {
        *to = *from;
    }
    answer
}

fn done(outcome: Outcome2<()>) -> Answer {
    match outcome {
        Ok(()) => success(&[]),
        Err(refusal) => with_status(refusal.raw(), &[]),
    }
}

fn value(outcome: Outcome2<u64>) -> Answer {
    match outcome {
        Ok(value) => success(&[value]),
        Err(refusal) => with_status(refusal.raw(), &[]),
    }
}

/// An answer of the code that RMI 1.0 shares.
fn shared(reply: &crate::rmi::Reply) -> Answer {
    let Regs(regs) = reply.registers(&Regs::default());
    match Status::from_raw(reply.status().raw()) {
        Status::Success => regs,
        status => {
            let [_, outputs @ ..] = regs;
            with_status(Refusal::from(status).raw(), &outputs)
        }
    }
}

impl<H: Hal> Rmm<'_, H> {
    /// Serves one call of RMI 2.0.
    pub(crate) fn handle_v2(&self, cpu: usize, regs: Regs, behaviour: &Behaviour) -> Regs {
        let Some(command) = Command::from_fid(regs.fid()) else {
            let mut reply = regs;
            if let Some(first) = reply.0.first_mut() {
                *first = NOT_SUPPORTED;
            }
            return reply;
        };
        let answer = if self.is_allowed_now(command) {
            self.serve(cpu, command, &regs, behaviour)
        } else {
            with_status(Refusal::Global.raw(), &[])
        };
        let [_, a1, a2, a3, a4, a5, a6, a7] = regs.0;
        let [x0, o1, o2, o3, o4, ..] = answer;
        log!(
            self.hal,
            Trace,
            "RMI {} {a1:#x} {a2:#x} {a3:#x} {a4:#x} > {x0:#x} {o1:#x} {o2:#x}",
            command.name()
        );
        // What no output needs comes back as it was.
        let x4 = if command == Command::RttReadEntry {
            o4
        } else {
            a4
        };
        Regs([x0, o1, o2, o3, x4, a5, a6, a7])
    }

    fn serve(&self, cpu: usize, command: Command, regs: &Regs, behaviour: &Behaviour) -> Answer {
        let [_, a1, a2, a3, a4, a5, ..] = regs.0;
        match command {
            Command::Version => self.version_2(a1),
            Command::Features => success(&[self.features_2(a1)]),
            Command::RmmConfigGet => done(self.config_get(a1)),
            Command::RmmConfigSet => done(self.config_set(a1)),
            Command::RmmActivate => done(self.rmm_activate()),
            // Only the late flavour has these two; a host tells it by them.
            Command::RmmStateGet if behaviour.completion == Completion::ByRmm => {
                success(&[u64::from(self.is_active())])
            }
            Command::GptInfo if behaviour.completion == Completion::ByRmm => {
                success(&[a2, PLATFORM])
            }
            Command::GptL1Create => with_status(Status2::ErrorGpt.raw(), &[]),
            Command::GranuleTrackingGet => self.tracking_get(a1, a2),
            Command::GranuleRangeDelegate => self.range_delegate(a1, a2, behaviour),
            Command::GranuleRangeUndelegate => self.range_undelegate(a1, a2, behaviour),
            Command::RealmCreate => done(self.realm_create_2(a1, a2)),
            Command::RealmActivate => done(self.realm_activate(a1).map_err(Refusal::from)),
            Command::RealmTerminate => done(self.realm_terminate(a1)),
            Command::RealmDestroy => done(self.realm_destroy_2(a1)),
            Command::RecCreate => self.rec_create_2(a1, a2, a3, behaviour),
            Command::RecDestroy => self.rec_destroy_2(a1, behaviour),
            Command::RecEnter => done(self.rec_enter(cpu, a1, a2).map_err(Refusal::from)),
            Command::PsciComplete => done(match behaviour.completion {
                Completion::ByHost => self.psci_complete(a1, a2, a3).map_err(Refusal::from),
                Completion::ByRmm => self.psci_complete_2(a1, a2),
            }),
            Command::RttDataMapInit => {
                done(self.data_create(a1, a2, a3, a4, a5).map_err(Refusal::from))
            }
            Command::RttDataMap => self.data_map(a1, [a2, a3], a4, a5, behaviour),
            Command::RttDataUnmap => self.data_unmap(a1, [a2, a3], a4, a5, behaviour),
            Command::RttUnprotMap => self.unprot_map(a1, [a2, a3], a4, a5),
            Command::RttUnprotUnmap => self.unprot_unmap(a1, [a2, a3], a4, a5),
            Command::RttCreate => done(self.rtt_create(a1, a2, a3, a4).map_err(Refusal::from)),
            Command::RttDestroy => shared(&self.rtt_destroy(a1, a2, a3)),
            Command::RttFold => value(self.rtt_fold(a1, a2, a3).map_err(Refusal::from)),
            Command::RttReadEntry => shared(&self.rtt_read_entry(a1, a2, a3)),
            Command::RttInitRipas => value(self.rtt_init_ripas(a1, a2, a3).map_err(Refusal::from)),
            Command::RttSetRipas => {
                value(self.rtt_set_ripas(a1, a2, a3, a4).map_err(Refusal::from))
            }
            Command::OpContinue => self.op_continue(a1, a2),
            Command::OpMemDonate => self.op_donate(a1, a2, a3),
            Command::OpMemReclaim => self.op_reclaim(a1, a2, a3),
            Command::OpCancel => self.op_cancel(a1),
            _ => with_status(NOT_SUPPORTED, &[]),
        }
    }
}
