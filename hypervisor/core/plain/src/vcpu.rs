//! What an exception of a guest means, and what its answer does.

use rmi::v1_0::{ENTER_FLAG_EMUL_MMIO, ENTER_FLAG_INJECT_SEA, ExitReason, RecEnter, RecExit};
use rsi::psci::{AFFINITY_INFO_32, AFFINITY_INFO_64, CPU_ON_32, CPU_ON_64, DENIED, SUCCESS};

use crate::psci::{self, Caller, Outcome, Start};
use crate::syndrome::{self, *};
use crate::sysreg::{self, Access};
use crate::{Context, IdRegisters, Injection, Level1};

/// A synchronous exception taken to EL2.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Exception {
    /// `ESR_EL2`.
    pub esr: u64,
    /// `FAR_EL2`.
    pub far: u64,
    /// `HPFAR_EL2`.
    pub hpfar: u64,
}

/// How a guest goes on after an exception.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Next {
    /// It goes on.
    Resume,
    /// It goes on with an exception of its own.
    Inject(Injection),
    /// The exit is described; devices and host decide.
    Leave,
}

/// What the last exit waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Pending {
    /// Nothing.
    None,
    /// The access to memory that was described: it is emulated, or aborts, or is
    /// made again.
    Access { esr: u64, far: u64 },
    /// A host call: all registers come back.
    HostCall,
    /// A PSCI call whose answer is not known yet.
    Psci(Start),
}

/// One vCPU, as far as its exits go.
#[derive(Clone, Debug)]
pub struct Vcpu {
    caller: Caller,
    ids: IdRegisters,
    pending: Pending,
}

impl Vcpu {
    /// A vCPU that was not entered yet.
    pub const fn new(caller: Caller, ids: IdRegisters) -> Self {
        Self {
            caller,
            ids,
            pending: Pending::None,
        }
    }

    /// Its index and its VM.
    #[inline]
    pub const fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Gives the guest what the host answered to its last exit, as an RMM does
    /// when a REC is entered. Returns the exception to take, if that was it.
    #[inline]
    pub fn answer(
        &mut self,
        context: &mut Context,
        level1: impl FnOnce() -> Level1,
        enter: &RecEnter,
    ) -> Option<Injection> {
        match core::mem::replace(&mut self.pending, Pending::None) {
            Pending::None => None,
            Pending::Access { esr, far } => {
                if enter.flags & ENTER_FLAG_INJECT_SEA != 0 {
                    return Some(context.external_abort(&level1(), esr, far));
                }
                if enter.flags & ENTER_FLAG_EMUL_MMIO != 0 {
                    emulated(context, esr, enter);
                }
                None
            }
            Pending::HostCall => {
                context.gprs = enter.gprs;
                None
            }
            // Nobody has completed it.
            Pending::Psci(_) => {
                context.set(0, DENIED as u64);
                None
            }
        }
    }

    /// Where the vCPU that the last exit wants turned on shall start.
    pub const fn wanted_start(&self) -> Option<Start> {
        match self.pending {
            Pending::Psci(start) => Some(start),
            _ => None,
        }
    }

    /// Completes the PSCI call of the last exit with what x0 shall be.
    pub fn complete(&mut self, context: &mut Context, x0: u64) {
        if let Pending::Psci(_) = self.pending {
            self.pending = Pending::None;
            context.set(0, x0);
        }
    }

    /// Decides about a synchronous exception: handles at once what needs no
    /// device and no memory, and describes the rest in `exit` as an RMM would.
    pub fn synchronous(
        &mut self,
        context: &mut Context,
        level1: impl FnOnce() -> Level1,
        why: &Exception,
        exit: &mut RecExit,
    ) -> Next {
        match syndrome::class(why.esr) {
            EC_WFX => {
                context.skip();
                leave(exit, ExitReason::Sync, why.esr)
            }
            EC_HVC64 if immediate(why.esr) != 0 => {
                exit.imm = immediate(why.esr).into();
                exit.gprs = context.gprs;
                self.pending = Pending::HostCall;
                leave(exit, ExitReason::HostCall, 0)
            }
            EC_HVC64 => self.call(context, exit),
            EC_SMC64 => {
                // The return address of an SMC that trapped is the SMC.
                context.skip();
                self.call(context, exit)
            }
            EC_SYSREG => self.system_register(context, level1, why.esr, exit),
            EC_DATA_ABORT | EC_INSTRUCTION_ABORT => self.abort(context, why, exit),
            EC_UNKNOWN | EC_FP | EC_PAUTH | EC_LS64 | EC_SYSREG128 | EC_SVE | EC_SME | EC_MOPS
            | EC_GCS => {
                // Instructions of features that the guest was not told of.
                Next::Inject(context.undefined(&level1()))
            }
            _ => leave(exit, ExitReason::Sync, why.esr),
        }
    }

    /// A call of PSCI or SMCCC, which returns to where the context is.
    fn call(&mut self, context: &mut Context, exit: &mut RecExit) -> Next {
        let request = match psci::call(&context.gprs, &self.caller) {
            Outcome::Answer(x0) => {
                context.set(0, x0);
                return Next::Resume;
            }
            Outcome::Exit(request) => request,
        };
        match request.fid {
            CPU_ON_32 | CPU_ON_64 | AFFINITY_INFO_32 | AFFINITY_INFO_64 => {
                self.pending = Pending::Psci(request.start);
            }
            // CPU_SUSPEND comes back with success; the others do not come back.
            _ => context.set(0, SUCCESS as u64),
        }
        let [first, second, ..] = &mut exit.gprs;
        *first = request.fid.into();
        *second = request.mpidr;
        leave(exit, ExitReason::Psci, 0)
    }

    fn system_register(
        &mut self,
        context: &mut Context,
        level1: impl FnOnce() -> Level1,
        esr: u64,
        exit: &mut RecExit,
    ) -> Next {
        let register = sysreg::register(esr);
        match sysreg::access(esr, &self.ids) {
            Access::Reads(value) => context.set(register, value),
            Access::Ignored => {}
            Access::Device => {
                set_first(exit, context.get(register));
                context.skip();
                return leave(exit, ExitReason::Sync, esr & !sysreg::RT);
            }
            Access::Undefined => return Next::Inject(context.undefined(&level1())),
        }
        context.skip();
        Next::Resume
    }

    fn abort(&mut self, context: &Context, why: &Exception, exit: &mut RecExit) -> Next {
        let esr = why.esr;
        self.pending = Pending::Access { esr, far: why.far };
        if let Some(register) = syndrome::register(esr)
            && syndrome::is_write(esr)
        {
            set_first(exit, context.get(register));
        }
        exit.far = why.far;
        exit.hpfar = why.hpfar;
        leave(exit, ExitReason::Sync, esr)
    }
}

/// Completes a load or store that the host has emulated.
fn emulated(context: &mut Context, esr: u64, enter: &RecEnter) {
    if let Some(register) = syndrome::register(esr)
        && !syndrome::is_write(esr)
    {
        let [value, ..] = enter.gprs;
        context.set(register, syndrome::loaded(esr, value));
    }
    context.skip();
}

fn set_first(exit: &mut RecExit, value: u64) {
    let [first, ..] = &mut exit.gprs;
    *first = value;
}

fn leave(exit: &mut RecExit, reason: ExitReason, esr: u64) -> Next {
    exit.exit_reason = reason as u64;
    exit.esr = esr;
    Next::Leave
}
