//! What a scripted Realm does, and what it lives to see.

use std::collections::VecDeque;

/// Size of a memory access.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Size {
    /// 8 bits.
    Byte,
    /// 16 bits.
    Half,
    /// 32 bits.
    Word,
    /// 64 bits.
    Double,
}

impl Size {
    /// Bytes.
    pub const fn bytes(self) -> usize {
        match self {
            Self::Byte => 1,
            Self::Half => 2,
            Self::Word => 4,
            Self::Double => 8,
        }
    }
}

/// A system register by its encoding.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SystemRegister {
    /// op0.
    pub op0: u8,
    /// op1.
    pub op1: u8,
    /// CRn.
    pub crn: u8,
    /// CRm.
    pub crm: u8,
    /// op2.
    pub op2: u8,
}

impl SystemRegister {
    /// `ICC_SGI1R_EL1`.
    pub const ICC_SGI1R: Self = Self::new(3, 0, 12, 11, 5);
    /// `ID_AA64PFR0_EL1`.
    pub const ID_AA64PFR0: Self = Self::new(3, 0, 0, 4, 0);
    /// `MDSCR_EL1`.
    pub const MDSCR: Self = Self::new(2, 0, 0, 2, 2);

    /// The register with an encoding.
    pub const fn new(op0: u8, op1: u8, crn: u8, crm: u8, op2: u8) -> Self {
        Self {
            op0,
            op1,
            crn,
            crm,
            op2,
        }
    }
}

/// One thing a REC does; each is one instruction, of which those that access
/// memory or registers use x5.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// Loads from an IPA into x5 ([`Event::Loaded`]).
    Read {
        /// Where.
        ipa: u64,
        /// How much.
        size: Size,
        /// Whether the load extends the sign, to 64 bits.
        signed: bool,
    },
    /// Stores to an IPA.
    Write {
        /// Where.
        ipa: u64,
        /// How much.
        size: Size,
        /// What.
        value: u64,
    },
    /// Stores what the last load gave, a word.
    PassOn {
        /// Where.
        ipa: u64,
    },
    /// Stores with an instruction whose syndrome is not valid (a pair).
    WritePair {
        /// Where.
        ipa: u64,
    },
    /// Executes an instruction at an IPA.
    Fetch {
        /// Where.
        ipa: u64,
    },
    /// An SMC with x0 and up ([`Event::Returned`]).
    Smc([u64; 11]),
    /// An HVC.
    Hvc,
    /// WFI.
    Wfi,
    /// WFE.
    Wfe,
    /// Reads a system register into x5 ([`Event::Loaded`]).
    ReadRegister(SystemRegister),
    /// Writes a system register.
    WriteRegister(SystemRegister, u64),
    /// Programs the virtual timer to fire in so many ticks; enables it.
    VirtualTimer {
        /// From now.
        ticks: u64,
    },
    /// Programs the physical timer.
    PhysicalTimer {
        /// From now.
        ticks: u64,
    },
    /// Disables both timers.
    StopTimers,
    /// Computes for so many ticks.
    Compute(u64),
    /// Acknowledges the pending interrupt of the lowest list register and ends
    /// it ([`Event::Interrupt`]).
    TakeInterrupt,
    /// A physical interrupt arrives.
    Irq,
    /// A physical FIQ arrives.
    Fiq,
    /// A physical SError arrives.
    SError(u64),
    /// An exception of this syndrome is taken to EL2.
    Exception(u64),
}

impl Action {
    /// An SMC with a function identifier and up to ten arguments.
    pub fn smc(fid: u32, args: &[u64]) -> Self {
        let mut registers = [0; 11];
        registers[0] = u64::from(fid);
        registers[1..=args.len()].copy_from_slice(args);
        Self::Smc(registers)
    }

    /// An RSI call.
    pub fn rsi(command: rsi::Command, args: &[u64]) -> Self {
        Self::smc(command.fid(), args)
    }

    /// A 64-bit load.
    pub const fn read(ipa: u64) -> Self {
        Self::Read {
            ipa,
            size: Size::Double,
            signed: false,
        }
    }

    /// A 64-bit store.
    pub const fn write(ipa: u64, value: u64) -> Self {
        Self::Write {
            ipa,
            size: Size::Double,
            value,
        }
    }
}

/// What a REC lived to see.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// A load or a register read gave this.
    Loaded(u64),
    /// A store, a fetch or a register write went through.
    Done,
    /// An SMC returned with x0 to x10.
    Returned([u64; 11]),
    /// An interrupt was taken.
    Interrupt(u32),
    /// No interrupt was pending when one was to be taken.
    NoInterrupt,
    /// An exception was taken to EL1.
    Exception {
        /// `ESR_EL1`.
        esr: u64,
        /// `FAR_EL1`.
        far: u64,
    },
}

/// A REC's script and its memories.
#[derive(Debug, Default)]
pub struct Guest {
    /// What is left to do.
    pub actions: VecDeque<Action>,
    /// What happened.
    pub events: Vec<Event>,
    /// The instruction that was executed when the REC last stopped, and its
    /// address.
    pub current: Option<(Action, u64)>,
}
