//! What to do about an exit.

use addr::{Ipa, IpaRange};
use core::fmt;

use crate::exit::{Abort, Access, Exit, FaultKind, Half, PsciCall, Register, Width};
use crate::mpidr;

/// What decides how exits of a VM are answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Policy {
    /// The guest's RAM, by its protected addresses.
    pub ram: IpaRange,
    /// The address bit that selects the unprotected half; zero for a plain VM,
    /// which has no halves.
    pub shared_bit: u64,
    /// Virtual CPUs of the VM.
    pub vcpus: usize,
}

/// An access to emulate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mmio {
    /// The address without the bit of the shared alias.
    pub ipa: Ipa,
    /// How much.
    pub width: Width,
    /// What a store stores; `None` for a load.
    pub write: Option<u64>,
}

/// What the loop does before it enters the virtual CPU again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// Nothing.
    Resume,
    /// Take the physical interrupt.
    Interrupted,
    /// Put memory behind a protected address.
    Populate(Ipa),
    /// Map shared memory behind this address of the unprotected half, or, if
    /// the guest shares nothing there, inject an external abort.
    Share(Ipa),
    /// Emulate an access to a device.
    Emulate(Mmio),
    /// Inject a synchronous external abort.
    InjectSea,
    /// Wait until an interrupt is pending for the virtual CPU.
    Wait,
    /// Send a software-generated interrupt.
    SendSgi {
        /// What the guest wrote to `ICC_SGI1R_EL1` or its like.
        value: u64,
        /// The group of the interrupt: 0 or 1.
        group: u8,
    },
    /// Deactivate an interrupt.
    Deactivate {
        /// Its number.
        intid: u32,
    },
    /// Give a system register's read this value.
    ReadAs(u64),
    /// Carry out a change of RIPAS, or refuse it.
    ConvertRipas {
        /// First address.
        base: Ipa,
        /// First address past the end.
        top: Ipa,
        /// RIPAS asked for, as encoded.
        value: u8,
    },
    /// Answer a host call.
    HostCall {
        /// Its immediate.
        imm: u16,
    },
    /// Do not enter this virtual CPU until another one turns it on.
    CpuOff,
    /// Complete `CPU_ON` of a virtual CPU, before either is entered again.
    CpuOn {
        /// Index of the virtual CPU to turn on.
        target: usize,
    },
    /// Complete `AFFINITY_INFO`, before the caller is entered again.
    AffinityInfo {
        /// Index of the virtual CPU asked about.
        target: usize,
    },
    /// The VM ends.
    Stop(Stop),
}

/// How a VM ends of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stop {
    /// It asked to be powered off.
    Off,
    /// It asked for a reset.
    Reset,
    /// It cannot go on.
    Crashed(Why),
}

/// Why a VM cannot go on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Why {
    /// It touched an address past the end of its address space.
    OutsideIpaSpace {
        /// The address.
        ipa: Ipa,
    },
    /// It touched protected memory in a way no mapping mends.
    ProtectedFault {
        /// The address.
        ipa: Ipa,
        /// What stage 2 objected to.
        kind: FaultKind,
    },
    /// It fetched an instruction from memory that is not its RAM.
    FetchOutsideRam {
        /// The address.
        ipa: Ipa,
    },
    /// It asked for RAM where it has none.
    NoRam {
        /// The address.
        ipa: Ipa,
    },
    /// The memory system answered with an error.
    ExternalAbort {
        /// The syndrome.
        esr: u64,
    },
    /// It touched memory that belongs to another world.
    GranuleProtection {
        /// The address.
        ipa: Ipa,
    },
    /// It took an SError.
    SError {
        /// The syndrome.
        esr: u64,
    },
    /// It exited for a reason that the host cannot handle.
    Unhandled {
        /// The syndrome.
        esr: u64,
    },
    /// The RMM gave a reason nobody has defined.
    UnknownReason {
        /// The reason.
        raw: u64,
    },
    /// It named a virtual CPU that it does not have.
    NoSuchCpu {
        /// The affinity it gave.
        mpidr: u64,
    },
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutsideIpaSpace { ipa } => {
                write!(f, "it touched {ipa}, past the end of its address space")
            }
            Self::ProtectedFault { ipa, kind } => {
                write!(f, "it touched {ipa} and no mapping mends that ({kind:?})")
            }
            Self::FetchOutsideRam { ipa } => {
                write!(f, "it fetched an instruction from {ipa}, not its RAM")
            }
            Self::NoRam { ipa } => write!(f, "it wants RAM at {ipa}, where it has none"),
            Self::ExternalAbort { esr } => {
                write!(
                    f,
                    "the memory system answered with an error, syndrome {esr:#x}"
                )
            }
            Self::GranuleProtection { ipa } => write!(
                f,
                "it touched {ipa}, and the memory behind that belongs to another world"
            ),
            Self::SError { esr } => write!(f, "it took an SError, syndrome {esr:#x}"),
            Self::Unhandled { esr } => {
                write!(
                    f,
                    "it exited in a way no host can handle, syndrome {esr:#x}"
                )
            }
            Self::UnknownReason { raw } => {
                write!(f, "the RMM gave the unknown exit reason {raw:#x}")
            }
            Self::NoSuchCpu { mpidr } => {
                write!(
                    f,
                    "it called for a CPU with affinity {mpidr:#x}, which it lacks"
                )
            }
        }
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("it powered itself off"),
            Self::Reset => f.write_str("it asked for a reset"),
            Self::Crashed(why) => fmt::Display::fmt(why, f),
        }
    }
}

/// Decides what to do about an exit.
#[inline(always)]
pub fn step(exit: &Exit, policy: &Policy) -> Action {
    match *exit {
        Exit::HostCall { imm } => Action::HostCall { imm },
        Exit::DataAbort(abort) => data_abort(&abort, policy),
        Exit::InstructionAbort(abort) => instruction_abort(&abort, policy),
        Exit::Irq | Exit::Fiq => Action::Interrupted,
        Exit::WaitForInterrupt => Action::Wait,
        Exit::WaitForEvent => Action::Resume,
        Exit::Write { register, value } => register_write(register, value),
        Exit::Read { .. } => Action::ReadAs(0),
        Exit::Psci(call) => psci(call, policy),
        Exit::RipasChange { base, top, value } => Action::ConvertRipas { base, top, value },
        Exit::ExternalAbort { esr } => crash(Why::ExternalAbort { esr }),
        Exit::SError { esr } => crash(Why::SError { esr }),
        Exit::Unhandled { esr } => crash(Why::Unhandled { esr }),
        Exit::UnknownReason { raw } => crash(Why::UnknownReason { raw }),
    }
}

const fn crash(why: Why) -> Action {
    Action::Stop(Stop::Crashed(why))
}

#[inline(always)]
fn data_abort(abort: &Abort, policy: &Policy) -> Action {
    match abort.half {
        Half::Unprotected => unprotected(abort, policy),
        Half::Protected => protected(abort, policy),
        Half::Outside => crash(Why::OutsideIpaSpace { ipa: abort.ipa }),
        Half::Whole => plain(abort, policy),
    }
}

/// An abort of a plain VM, data or instruction: its RAM comes as it is touched, and
/// all else is a device or nothing at all, which an external abort says.
#[inline(always)]
fn plain(abort: &Abort, policy: &Policy) -> Action {
    let ipa = abort.ipa;
    match abort.kind {
        FaultKind::GranuleProtection => crash(Why::GranuleProtection { ipa }),
        FaultKind::Translation if policy.ram.contains(ipa) => Action::Populate(ipa),
        kind if policy.ram.contains(ipa) => crash(Why::ProtectedFault { ipa, kind }),
        _ => device(ipa, abort),
    }
}

#[inline(always)]
fn device(ipa: Ipa, abort: &Abort) -> Action {
    match abort.access {
        Some(Access { width, write }) => Action::Emulate(Mmio { ipa, width, write }),
        // Loads and stores of several registers, or with write-back, have no
        // description: no device of ours is meant to be used so.
        None => Action::InjectSea,
    }
}

#[inline(always)]
fn unprotected(abort: &Abort, policy: &Policy) -> Action {
    let ipa = Ipa::new(abort.ipa.raw() & !policy.shared_bit);
    if policy.ram.contains(ipa) {
        return match abort.kind {
            FaultKind::Translation => Action::Share(abort.ipa),
            // The host maps shared memory for reading and writing only.
            _ => Action::InjectSea,
        };
    }
    device(ipa, abort)
}

#[inline(always)]
fn protected(abort: &Abort, policy: &Policy) -> Action {
    match abort.kind {
        FaultKind::Translation if policy.ram.contains(abort.ipa) => Action::Populate(abort.ipa),
        FaultKind::Translation => crash(Why::NoRam { ipa: abort.ipa }),
        kind => crash(Why::ProtectedFault {
            ipa: abort.ipa,
            kind,
        }),
    }
}

#[inline(always)]
fn instruction_abort(abort: &Abort, policy: &Policy) -> Action {
    match abort.half {
        Half::Protected => protected(abort, policy),
        Half::Unprotected | Half::Outside => crash(Why::FetchOutsideRam { ipa: abort.ipa }),
        // Decoded without an access, so what is no RAM is no device either.
        Half::Whole => plain(abort, policy),
    }
}

#[inline(always)]
fn register_write(register: Register, value: u64) -> Action {
    match register {
        Register::IccSgi1r => Action::SendSgi { value, group: 1 },
        // With one security state both aliases mean group 0 (DDI0487 D24.12).
        Register::IccAsgi1r | Register::IccSgi0r => Action::SendSgi { value, group: 0 },
        Register::IccDir => Action::Deactivate {
            intid: value as u32 & 0xff_ffff,
        },
        Register::Other { .. } => Action::Resume,
    }
}

#[inline(always)]
fn psci(call: PsciCall, policy: &Policy) -> Action {
    let target = |mpidr: u64| mpidr::index(mpidr, policy.vcpus);
    match call {
        PsciCall::CpuSuspend => Action::Wait,
        PsciCall::CpuOff => Action::CpuOff,
        PsciCall::CpuOn { mpidr } => match target(mpidr) {
            Some(target) => Action::CpuOn { target },
            None => crash(Why::NoSuchCpu { mpidr }),
        },
        PsciCall::AffinityInfo { mpidr } => match target(mpidr) {
            Some(target) => Action::AffinityInfo { target },
            None => crash(Why::NoSuchCpu { mpidr }),
        },
        PsciCall::SystemOff => Action::Stop(Stop::Off),
        PsciCall::SystemReset => Action::Stop(Stop::Reset),
        // The RMM has set the caller's result.
        PsciCall::Unknown { .. } => Action::Resume,
    }
}
