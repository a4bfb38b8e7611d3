//! The vCPU loop: enter, look at the exit, act.

use core::fmt;

use addr::Ipa;
use heapless::Vec;
use realm::{Fault, RipasAnswer};
use report::summary::{Exits, Outcome};
use rmi::client::RmiError;
use rmi::rtt::Ripas;
use rmi::v1_0::{ENTER_FLAG_INJECT_SEA, ENTER_FLAG_RIPAS_RESPONSE, ExitReason, RecRun};
use rsi::{host_call, psci};
use vm_config::VmPlan;

use crate::host::Host;
use crate::machine::HostRealm;
use crate::memory::{Ram, RunPage};
use crate::output::Output;

/// What the host keeps of a guest while it runs.
pub struct Guest {
    /// Its console output.
    pub output: Output,
    /// Its exits.
    pub exits: Exits,
    /// The RIM it reported.
    pub rim_reported: Option<Vec<u8, 64>>,
}

impl Guest {
    /// A guest that has not run.
    pub fn new(_vm: &VmPlan) -> Self {
        Self {
            output: Output::new(None),
            exits: Exits::default(),
            rim_reported: None,
        }
    }
}

/// How a guest ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ended {
    /// It turned itself off.
    Off,
    /// It asked for a reset.
    Reset,
    /// The deadline came.
    Killed,
    /// It could not be built.
    NotBuilt,
    /// The RMM did not enter it.
    NotEntered(RmiError),
    /// It touched what nobody can provide.
    Fault(Fault),
    /// An exit that nothing answers.
    Unanswered {
        /// The reason as the RMM gave it.
        reason: u64,
        /// The syndrome.
        esr: u64,
        /// The address.
        ipa: Ipa,
    },
}

impl Ended {
    /// The word for the summary.
    pub fn outcome(self) -> Outcome {
        match self {
            Self::Off => Outcome::Off,
            Self::Reset => Outcome::Reset,
            Self::Killed => Outcome::Killed,
            _ => Outcome::Crashed,
        }
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::Reset => f.write_str("asks for a reset"),
            Self::Killed => f.write_str("killed: its time is up"),
            Self::NotBuilt => f.write_str("not built"),
            Self::NotEntered(error) => {
                write!(f, "stopped: the RMM answered REC_ENTER with {error}")
            }
            Self::Fault(fault) => write!(f, "stopped: {fault}"),
            Self::Unanswered { reason, esr, ipa } => write!(
                f,
                "stopped: nothing answers exit reason {reason}, syndrome {esr:#x}, at {ipa}"
            ),
        }
    }
}

/// Runs a guest to its end.
pub fn run(
    realm: &mut HostRealm<'_>,
    guest: &mut Guest,
    page: &mut RunPage,
    ram: &mut Ram,
    host: &mut Host,
) -> Ended {
    loop {
        if let Err(error) = realm.enter(0, page.granule()) {
            return Ended::NotEntered(error);
        }
        let run = page.get();
        run.enter.flags = 0;
        let acted = match ExitReason::from_raw(run.exit.exit_reason) {
            Some(ExitReason::HostCall) => {
                guest.exits.host_call += 1;
                host_call(run, guest, host)
            }
            Some(ExitReason::Irq) => {
                guest.exits.irq += 1;
                host.take_interrupts();
                Ok(())
            }
            Some(ExitReason::Fiq) => {
                guest.exits.fiq += 1;
                Ok(())
            }
            Some(ExitReason::Psci) => {
                guest.exits.psci += 1;
                psci_call(run)
            }
            Some(ExitReason::RipasChange) => {
                guest.exits.ripas_change += 1;
                ripas_change(realm, run, ram)
            }
            Some(ExitReason::Sync) => {
                guest.exits.sync += 1;
                sync(realm, run, ram, host)
            }
            Some(ExitReason::SError) => {
                guest.exits.serror += 1;
                Err(unanswered(run))
            }
            None => Err(unanswered(run)),
        };
        if let Err(ended) = acted {
            return ended;
        }
        if host.is_late() {
            return Ended::Killed;
        }
    }
}

fn unanswered(run: &RecRun) -> Ended {
    Ended::Unanswered {
        reason: run.exit.exit_reason,
        esr: run.exit.esr,
        ipa: fault_ipa(run),
    }
}

fn fault_ipa(run: &RecRun) -> Ipa {
    Ipa::new((run.exit.hpfar & 0xff_ffff_fff0) << 8 | run.exit.far & 0xfff)
}

fn host_call(run: &mut RecRun, guest: &mut Guest, host: &mut Host) -> Result<(), Ended> {
    let (enter, exit) = (&mut run.enter, &run.exit);
    enter.gprs = exit.gprs;
    match exit.imm as u16 {
        host_call::CONSOLE_WRITE => {
            host_call::unpack(&exit.gprs).for_each(|byte| guest.output.put(byte));
        }
        host_call::CONSOLE_READ => {
            let mut bytes = Vec::<u8, { host_call::CONSOLE_BYTES }>::new();
            while !bytes.is_full() {
                let Some(byte) = host.input() else { break };
                let _ = bytes.push(byte);
            }
            host_call::pack(&mut enter.gprs, &bytes);
        }
        host_call::REPORT_RIM => {
            let bytes = host_call::unpack(&exit.gprs).take(64);
            guest.rim_reported = Some(bytes.collect());
        }
        host_call::NOP | host_call::MARK => {}
        _ => enter.gprs[0] = host_call::UNKNOWN,
    }
    Ok(())
}

fn psci_call(run: &RecRun) -> Result<(), Ended> {
    match run.exit.gprs[0] as u32 {
        psci::SYSTEM_OFF => Err(Ended::Off),
        psci::SYSTEM_RESET => Err(Ended::Reset),
        psci::CPU_SUSPEND_32 | psci::CPU_SUSPEND_64 => Ok(()),
        _ => Err(unanswered(run)),
    }
}

fn ripas_change(realm: &mut HostRealm<'_>, run: &mut RecRun, ram: &mut Ram) -> Result<(), Ended> {
    let (base, top) = (Ipa::new(run.exit.ripas_base), Ipa::new(run.exit.ripas_top));
    let ripas = Ripas::from_raw(run.exit.ripas_value).ok_or(unanswered(run))?;
    match realm.ripas_change(ram, 0, base, top, ripas) {
        Ok(RipasAnswer::Accept { .. }) => {}
        Ok(RipasAnswer::Reject) => run.enter.flags |= ENTER_FLAG_RIPAS_RESPONSE,
        Err(error) => return Err(Ended::Fault(Fault::Failed(error))),
    }
    Ok(())
}

fn sync(
    realm: &mut HostRealm<'_>,
    run: &mut RecRun,
    ram: &mut Ram,
    host: &mut Host,
) -> Result<(), Ended> {
    let ipa = fault_ipa(run);
    match run.exit.esr >> 26 {
        0x01 => {
            let until = [
                (run.exit.cntv_ctl, run.exit.cntv_cval),
                (run.exit.cntp_ctl, run.exit.cntp_cval),
            ];
            let until = until
                .iter()
                .filter(|(ctl, _)| ctl & 3 == 1)
                .map(|(_, cval)| *cval)
                .min();
            host.sleep(until);
            Ok(())
        }
        0x20 | 0x24 => {
            let space = realm.spec().ipa;
            if ipa < space.unprotected_base() {
                return realm
                    .populate_on_fault(ram, ipa)
                    .map(|_| ())
                    .map_err(Ended::Fault);
            }
            match realm.share_on_fault(ram, ipa) {
                Ok(_) => Ok(()),
                Err(Fault::NotShared(_)) => {
                    run.enter.flags |= ENTER_FLAG_INJECT_SEA;
                    Ok(())
                }
                Err(fault) => Err(Ended::Fault(fault)),
            }
        }
        _ => Err(unanswered(run)),
    }
}
