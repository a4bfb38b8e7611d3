//! The vCPU loop: enter, look at the exit, act.
//!
//! What an exit means is decided by `vcpu` and `devices`; what is left to do
//! here touches the machine: memory for the Realm, waiting, interrupts, the
//! console.

use core::fmt;

use addr::Ipa;
use devices::{Board, Request};
use heapless::Vec;
use realm::{Fault, Realm, RealmError, RipasAnswer};
use report::summary::Outcome;
use rmi::client::{PsciAnswer, RmiError};
use rmi::rtt::Ripas;
use rmi::v1_0::RecRun;
use vcpu::{Stop, enter};

use crate::arch::ich::VirtualInterface;
use crate::arch::timer;
use crate::host::Host;
use crate::memory::{Ram, RunPage};
use crate::output::Output;
use crate::rmm::Dialect;

/// How a guest ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ended {
    /// Of its own.
    Stopped(Stop),
    /// The deadline came.
    Killed,
    /// It could not be built.
    NotBuilt,
    /// The RMM did not enter it.
    NotEntered(RmiError),
    /// It touched what nobody can provide.
    Fault(Fault),
    /// It turned its only vCPU off.
    NoCpuLeft,
}

impl Ended {
    /// The word for the summary.
    pub fn outcome(self) -> Outcome {
        match self {
            Self::Stopped(Stop::Off) => Outcome::Off,
            Self::Stopped(Stop::Reset) => Outcome::Reset,
            Self::Killed => Outcome::Killed,
            _ => Outcome::Crashed,
        }
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopped(stop) => stop.fmt(f),
            Self::Killed => f.write_str("killed, for its time is up"),
            Self::NotBuilt => f.write_str("it was not built"),
            Self::NotEntered(error) => write!(f, "stopped, for REC_ENTER gave {error}"),
            Self::Fault(fault) => write!(f, "stopped: {fault}"),
            Self::NoCpuLeft => f.write_str("stopped, for it has turned its last vCPU off"),
        }
    }
}

impl From<RealmError> for Ended {
    fn from(error: RealmError) -> Self {
        Self::Fault(Fault::Failed(error))
    }
}

/// What a guest wants of the host's console, and what it reports.
pub struct Services<'h> {
    /// Its console output.
    pub output: Output,
    /// The RIM it reported.
    pub rim: Option<Vec<u8, 64>>,
    host: &'h mut Host,
}

impl<'h> Services<'h> {
    /// Services of `host` for one guest.
    pub fn new(host: &'h mut Host) -> Self {
        Self {
            output: Output::new(host.bench),
            rim: None,
            host,
        }
    }
}

impl devices::Host for Services<'_> {
    #[inline]
    fn write(&mut self, byte: u8) {
        self.output.put(byte);
    }

    fn read(&mut self) -> Option<u8> {
        self.host.input()
    }

    fn mark(&mut self, number: u64) {
        if let Some(bench) = self.host.bench {
            bench.mark(number);
        }
    }

    fn rim(&mut self, rim: &[u8]) {
        self.rim = Vec::from_slice(rim).ok();
    }
}

/// One vCPU and all it needs while it runs.
pub struct Loop<'l, 'r, 'b, 'h, B> {
    /// The RMM.
    pub rmm: &'r B,
    /// The Realm.
    pub realm: &'l mut Realm<'r, B>,
    /// Its devices.
    pub board: &'l mut Board<'b>,
    /// Its console.
    pub services: &'l mut Services<'h>,
    /// Its interrupts, where not the RMM but this host puts them into the CPU.
    pub interface: Option<VirtualInterface>,
    /// Its run page.
    pub page: &'l mut RunPage,
    /// Where its memory comes from.
    pub ram: &'l mut Ram,
}

/// The vCPU that runs: Realms have one yet.
const VCPU: usize = 0;

impl<B: Dialect> Loop<'_, '_, '_, '_, B> {
    /// Runs the guest to its end.
    pub fn run(&mut self) -> Ended {
        if let Some(interface) = &mut self.interface {
            interface.attach();
        }
        let ended = self.turns();
        if let Some(interface) = &mut self.interface {
            interface.detach();
        }
        ended
    }

    fn turns(&mut self) -> Ended {
        let bench = self.services.host.bench;
        let Some(rec) = self.realm.rec(VCPU as u32) else {
            return Ended::NotBuilt;
        };
        let (rmm, page) = (self.rmm, self.page.granule());
        loop {
            let enter = &mut self.page.get().enter;
            self.board.before_enter(VCPU, enter);
            // The constant keeps all of it out of the loop of RMI 1.0.
            if B::PROGRAMS_GIC
                && let Some(interface) = &mut self.interface
            {
                interface.load(enter);
            }
            if let Err(error) = rmm.enter(rec, page) {
                return Ended::NotEntered(error);
            }
            let run = self.page.get();
            if B::PROGRAMS_GIC
                && let Some(interface) = &mut self.interface
            {
                interface.save(&mut run.exit);
            }
            if let Some(bench) = bench {
                bench.exited(&run.exit);
            }
            match self.board.after_exit(VCPU, run, self.services) {
                Request::Resume => {}
                request => {
                    if let Err(ended) = self.perform(request) {
                        return ended;
                    }
                }
            }
        }
    }

    /// Does what `devices` cannot.
    fn perform(&mut self, request: Request) -> Result<(), Ended> {
        let vcpu = VCPU as u32;
        match request {
            Request::Resume => Ok(()),
            Request::Interrupted => self.interrupted(),
            Request::Populate(ipa) => self.populate(ipa),
            Request::Share(ipa) => self.share(ipa),
            Request::Wait => self.wait(),
            Request::ConvertRipas { base, top, value } => self.convert(base, top, value),
            Request::CpuOff => Err(Ended::NoCpuLeft),
            Request::CpuOn { target } => {
                let answer = PsciAnswer::Denied;
                Ok(self.realm.psci_complete(vcpu, target as u32, answer)?)
            }
            Request::AffinityInfo { target } => {
                let answer = PsciAnswer::Success;
                Ok(self.realm.psci_complete(vcpu, target as u32, answer)?)
            }
            Request::Stop(stop) => Err(Ended::Stopped(stop)),
        }
    }

    /// Takes the physical interrupt that ended the guest's turn.
    fn interrupted(&mut self) -> Result<(), Ended> {
        let host = &mut *self.services.host;
        host.take_interrupts();
        self.feed();
        match self.services.host.is_late() {
            true => Err(Ended::Killed),
            false => Ok(()),
        }
    }

    /// Gives the guest's UART what came in, as far as it has room.
    fn feed(&mut self) {
        while let Some(byte) = self.services.host.peek_input() {
            if !self.board.receive(byte) {
                return;
            }
            self.services.host.input();
        }
    }

    /// Sleeps until there is something for the guest to do.
    fn wait(&mut self) -> Result<(), Ended> {
        self.services.output.flush();
        loop {
            self.feed();
            let exit = &self.page.get().exit;
            if self.board.wakes(VCPU, exit, timer::now()) {
                return Ok(());
            }
            let host = &mut *self.services.host;
            if host.is_late() {
                return Err(Ended::Killed);
            }
            host.sleep(vcpu::timer::next(exit));
        }
    }

    fn populate(&mut self, ipa: Ipa) -> Result<(), Ended> {
        let pages = self.realm.populate_on_fault(self.ram, ipa);
        let pages = pages.map_err(Ended::Fault)?;
        if let Some(bench) = self.services.host.bench {
            bench.populated(pages);
        }
        Ok(())
    }

    fn share(&mut self, ipa: Ipa) -> Result<(), Ended> {
        match self.realm.share_on_fault(self.ram, ipa) {
            Ok(_) => Ok(()),
            Err(Fault::NotShared(_)) => {
                enter::inject_sea(&mut self.page.get().enter);
                Ok(())
            }
            Err(fault) => Err(Ended::Fault(fault)),
        }
    }

    fn convert(&mut self, base: Ipa, top: Ipa, value: u8) -> Result<(), Ended> {
        let answer = match Ripas::from_raw(value.into()) {
            Some(ripas) => {
                let vcpu = VCPU as u32;
                self.realm.ripas_change(self.ram, vcpu, base, top, ripas)?
            }
            None => RipasAnswer::Reject,
        };
        let run: &mut RecRun = self.page.get();
        if answer == RipasAnswer::Reject {
            enter::reject_ripas(&mut run.enter);
        }
        Ok(())
    }
}
