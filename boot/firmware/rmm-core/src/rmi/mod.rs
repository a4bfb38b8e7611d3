//! RMI 1.0: what the host asks (DEN0137 B4).
//!
//! One file per family of commands. Handlers return [`Outcome`]s; the only
//! place that encodes registers is [`Rmm::handle`].

mod data;
mod granule;
mod psci;
mod realm;
mod rec;
mod ripas;
mod rtt;
mod unprotected;
mod version;

use crate::hal::Hal;
use crate::rmm::{Dialect, Outcome, Rmm, log};
use ::rmi::status::Status;
use ::rmi::v1_0::Command;
use conduit::{NOT_SUPPORTED, Regs};

/// Outputs x1 to x4 of a command; what it does not name is zero, but for x4,
/// which the caller keeps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Reply {
    status: Status,
    out: [u64; 3],
    x4: Option<u64>,
}

impl Reply {
    /// A status with values in x1 and up.
    pub(crate) fn with(status: Status, out: &[u64]) -> Self {
        let mut reply = Self {
            status,
            out: [0; 3],
            x4: out.get(3).copied(),
        };
        for (to, from) in reply.out.iter_mut().zip(out) {
            *to = *from;
        }
        reply
    }
}

impl Reply {
    /// The status.
    pub(crate) fn status(&self) -> Status {
        self.status
    }

    /// The registers, of which the caller keeps those that no output needs.
    pub(crate) fn registers(&self, regs: &Regs) -> Regs {
        let [o1, o2, o3] = self.out;
        let [_, _, _, _, x4, x5, x6, x7] = regs.0;
        let x4 = self.x4.unwrap_or(x4);
        Regs([self.status.raw(), o1, o2, o3, x4, x5, x6, x7])
    }
}

impl From<Outcome<()>> for Reply {
    fn from(outcome: Outcome<()>) -> Self {
        Self::with(outcome.err().unwrap_or(Status::Success), &[])
    }
}

impl From<Outcome<u64>> for Reply {
    fn from(outcome: Outcome<u64>) -> Self {
        match outcome {
            Ok(value) => Self::with(Status::Success, &[value]),
            Err(status) => Self::with(status, &[]),
        }
    }
}

impl<H: Hal> Rmm<'_, H> {
    /// Serves one call of the host on this CPU: function identifier in x0,
    /// arguments from x1. RMI 1.0 gives back x0 to x4, x5 and up are as they
    /// came; RMI 2.0 gives back x0 to x7.
    pub fn handle(&self, cpu: usize, regs: Regs) -> Regs {
        match &self.dialect {
            Dialect::V1_0 => self.handle_v1(cpu, regs),
            Dialect::V2_0(behaviour) => self.handle_v2(cpu, regs, behaviour),
        }
    }

    fn handle_v1(&self, cpu: usize, regs: Regs) -> Regs {
        let [x0, a1, a2, a3, a4, a5, ..] = regs.0;
        let Some(command) = Command::from_fid(regs.fid()) else {
            let mut reply = regs;
            if let Some(first) = reply.0.first_mut() {
                *first = NOT_SUPPORTED;
            }
            log!(self.hal, Debug, "RMI {x0:#x} is not implemented");
            return reply;
        };
        let reply: Reply = match command {
            Command::Version => self.version(a1),
            Command::Features => Ok(self.features(a1)).into(),
            Command::GranuleDelegate => self.granule_delegate(a1).into(),
            Command::GranuleUndelegate => self.granule_undelegate(a1).into(),
            Command::RealmCreate => self.realm_create(a1, a2).into(),
            Command::RealmActivate => self.realm_activate(a1).into(),
            Command::RealmDestroy => self.realm_destroy(a1).into(),
            Command::RecAuxCount => self.rec_aux_count(a1).into(),
            Command::RecCreate => self.rec_create(a1, a2, a3).into(),
            Command::RecDestroy => self.rec_destroy(a1).into(),
            Command::RecEnter => self.rec_enter(cpu, a1, a2).into(),
            Command::PsciComplete => self.psci_complete(a1, a2, a3).into(),
            Command::DataCreate => self.data_create(a1, a2, a3, a4, a5).into(),
            Command::DataCreateUnknown => self.data_create_unknown(a1, a2, a3).into(),
            Command::DataDestroy => self.data_destroy(a1, a2),
            Command::RttCreate => self.rtt_create(a1, a2, a3, a4).into(),
            Command::RttDestroy => self.rtt_destroy(a1, a2, a3),
            Command::RttFold => self.rtt_fold(a1, a2, a3).into(),
            Command::RttReadEntry => self.rtt_read_entry(a1, a2, a3),
            Command::RttInitRipas => self.rtt_init_ripas(a1, a2, a3).into(),
            Command::RttSetRipas => self.rtt_set_ripas(a1, a2, a3, a4).into(),
            Command::RttMapUnprotected => self.rtt_map_unprotected(a1, a2, a3, a4).into(),
            Command::RttUnmapUnprotected => self.rtt_unmap_unprotected(a1, a2, a3),
        };
        self.log_call(command, &regs, &reply);
        reply.registers(&regs)
    }

    /// Commands that come by the thousand are only logged when everything is.
    fn log_call(&self, command: Command, regs: &Regs, reply: &Reply) {
        let [_, a1, a2, a3, a4, a5, ..] = regs.0;
        let [o1, o2, _] = reply.out;
        let (name, status) = (command.name(), reply.status);
        match command {
            Command::Version
            | Command::Features
            | Command::RealmCreate
            | Command::RealmActivate
            | Command::RealmDestroy
            | Command::RecCreate
            | Command::RecDestroy
            | Command::PsciComplete => log!(
                self.hal,
                Debug,
                "RMI {name} {a1:#x} {a2:#x} {a3:#x} > {status} {o1:#x} {o2:#x}"
            ),
            _ => log!(
                self.hal,
                Trace,
                "RMI {name} {a1:#x} {a2:#x} {a3:#x} {a4:#x} {a5:#x} > {status} {o1:#x} {o2:#x}"
            ),
        }
    }
}
