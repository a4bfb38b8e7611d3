//! Why a virtual CPU stopped.

use addr::Ipa;

/// Why a virtual CPU stopped. The same for Realms and plain VMs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exit {
    /// A data access to an address that stage 2 does not allow.
    DataAbort(Abort),
    /// An instruction fetch from such an address.
    InstructionAbort(Abort),
    /// The guest waits for an interrupt (WFI, WFIT).
    WaitForInterrupt,
    /// The guest waits for an event (WFE, WFET).
    WaitForEvent,
    /// A write to a system register that the host emulates.
    Write {
        /// The register.
        register: Register,
        /// What was written.
        value: u64,
    },
    /// A read of a system register that the host emulates.
    Read {
        /// The register.
        register: Register,
    },
    /// The memory system answered an access with an error.
    ExternalAbort {
        /// Syndrome as reported.
        esr: u64,
    },
    /// A physical interrupt, or a change of a timer's output.
    Irq,
    /// A physical FIQ.
    Fiq,
    /// A PSCI call for the host.
    Psci(PsciCall),
    /// The guest asks for a change of RIPAS.
    RipasChange {
        /// First address.
        base: Ipa,
        /// First address past the end.
        top: Ipa,
        /// RIPAS asked for, as encoded.
        value: u8,
    },
    /// The guest calls the host.
    HostCall {
        /// The immediate.
        imm: u16,
    },
    /// An SError.
    SError {
        /// Syndrome as reported.
        esr: u64,
    },
    /// A synchronous exit that the host cannot handle.
    Unhandled {
        /// Syndrome as reported.
        esr: u64,
    },
    /// An exit reason nobody has defined.
    UnknownReason {
        /// The reason as reported.
        raw: u64,
    },
}

/// Which half of the guest's address space an address lies in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Half {
    /// Memory only the Realm can see.
    Protected,
    /// Memory shared with the host, and devices.
    Unprotected,
    /// Past the end of the guest's address space.
    Outside,
    /// A plain VM's, which has no halves: its RAM and its devices.
    Whole,
}

/// A data or instruction abort of stage 2.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Abort {
    /// The address, with the bit of the shared alias as the guest used it.
    pub ipa: Ipa,
    /// The half it lies in.
    pub half: Half,
    /// What stage 2 objected to.
    pub kind: FaultKind,
    /// The access, when the syndrome describes it well enough to emulate it.
    pub access: Option<Access>,
}

/// What stage 2 objected to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FaultKind {
    /// Nothing is mapped there.
    Translation,
    /// The mapping does not allow the access.
    Permission,
    /// The memory behind it belongs to another world.
    GranuleProtection,
    /// Another fault status.
    Other {
        /// The status code, DFSC or IFSC.
        status: u8,
    },
}

/// Width of an access.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Width {
    /// One byte.
    Byte,
    /// Two bytes.
    Half,
    /// Four bytes.
    Word,
    /// Eight bytes.
    Double,
}

impl Width {
    /// From the syndrome's SAS field; its two lowest bits count.
    pub const fn from_sas(sas: u64) -> Self {
        match sas & 3 {
            0 => Self::Byte,
            1 => Self::Half,
            2 => Self::Word,
            _ => Self::Double,
        }
    }

    /// In bytes.
    pub const fn bytes(self) -> u64 {
        match self {
            Self::Byte => 1,
            Self::Half => 2,
            Self::Word => 4,
            Self::Double => 8,
        }
    }

    /// The bits of a register that take part.
    pub const fn mask(self) -> u64 {
        match self {
            Self::Byte => 0xff,
            Self::Half => 0xffff,
            Self::Word => 0xffff_ffff,
            Self::Double => u64::MAX,
        }
    }
}

/// A load or a store.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Access {
    /// How much.
    pub width: Width,
    /// What a store stores, cut to the width; `None` for a load.
    pub write: Option<u64>,
}

/// System registers whose accesses reach the host.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Register {
    /// `ICC_SGI1R_EL1`: sends a software-generated interrupt of group 1.
    IccSgi1r,
    /// `ICC_ASGI1R_EL1`: the same for the other security state's group 1.
    IccAsgi1r,
    /// `ICC_SGI0R_EL1`: sends a software-generated interrupt of group 0.
    IccSgi0r,
    /// `ICC_DIR_EL1`: deactivates an interrupt.
    IccDir,
    /// Another register.
    Other {
        /// op0, op1, CRn, CRm, op2 as bits 21:1 of the syndrome hold them.
        encoding: u32,
    },
}

/// A PSCI call that the RMM leaves to the host.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PsciCall {
    /// `CPU_SUSPEND`: wait as for WFI; its result is set already.
    CpuSuspend,
    /// `CPU_OFF`: the calling CPU is off.
    CpuOff,
    /// `CPU_ON` of the CPU with this affinity.
    CpuOn {
        /// Affinity as the guest gave it.
        mpidr: u64,
    },
    /// `AFFINITY_INFO` of the CPU with this affinity.
    AffinityInfo {
        /// Affinity as the guest gave it.
        mpidr: u64,
    },
    /// `SYSTEM_OFF`.
    SystemOff,
    /// `SYSTEM_RESET`.
    SystemReset,
    /// Another function.
    Unknown {
        /// Its identifier.
        fid: u64,
    },
}
