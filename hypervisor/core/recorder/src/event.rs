//! What is noted, and how it lies in four words.
//!
//! | word | bits | what |
//! |---|---|---|
//! | 0 | 63:0 | stamp: ticks of the physical counter |
//! | 1 | 7:0 | kind |
//! | 1 | 15:8 | code: the exit's reason, why, which stage |
//! | 1 | 31:16 | extra: status of an RMI call |
//! | 1 | 47:32 | vCPU |
//! | 1 | 63:48 | VM |
//! | 2, 3 | 63:0 | two operands |
//!
//! Whoever notes something knows its kind when the program is built, so encoding
//! costs no branch: constants and what is in registers anyway.

/// Whom an entry is about: bits 63:32 of its second word, in their place.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct Who(u64);

impl Who {
    /// The hypervisor itself.
    pub const HOST: Self = Self::vcpu(u16::MAX, u16::MAX);

    /// vCPU `vcpu` of the VM with number `vm`. Made once per vCPU, not per entry.
    pub const fn vcpu(vm: u16, vcpu: u16) -> Self {
        Self((vm as u64) << 48 | (vcpu as u64) << 32)
    }

    /// The VM as a whole.
    pub const fn vm_as_a_whole(vm: u16) -> Self {
        Self::vcpu(vm, u16::MAX)
    }

    /// The VM's number; `None` for the hypervisor.
    pub const fn vm(self) -> Option<u16> {
        match (self.0 >> 48) as u16 {
            u16::MAX => None,
            vm => Some(vm),
        }
    }

    /// The vCPU; `None` if it is about none.
    pub const fn index(self) -> Option<u16> {
        match (self.0 >> 32) as u16 {
            u16::MAX => None,
            vcpu => Some(vcpu),
        }
    }
}

/// Declares an enumeration that is stored as its number and written as its word.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$item_doc:meta])* $item:ident = $raw:literal, $word:literal;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
        #[repr(u8)]
        pub enum $name {
            $($(#[$item_doc])* $item = $raw,)*
        }

        impl $name {
            /// From its number.
            pub const fn from_raw(raw: u8) -> Option<Self> {
                match raw {
                    $($raw => Some(Self::$item),)*
                    _ => None,
                }
            }

            /// In words.
            pub const fn word(self) -> &'static str {
                match self {
                    $(Self::$item => $word,)*
                }
            }
        }
    };
}

words! {
    /// Why a vCPU left its guest: the numbers are those of `RmiRecExit`
    /// (DEN0137 B4.4.9), for plain VMs too.
    Reason {
        /// A synchronous exception.
        Sync = 0, "sync";
        /// A physical interrupt.
        Irq = 1, "irq";
        /// A physical FIQ.
        Fiq = 2, "fiq";
        /// A PSCI call.
        Psci = 3, "psci";
        /// A request to change RIPAS.
        RipasChange = 4, "ripas_change";
        /// A host call.
        HostCall = 5, "host_call";
        /// An SError.
        SError = 6, "serror";
    }
}

words! {
    /// Why a vCPU left its CPU, or what woke it.
    Cause {
        /// Its time slice was over.
        Slice = 0, "its time slice is over";
        /// It waits for an interrupt.
        Wait = 1, "it waits for an interrupt";
        /// It is off.
        Off = 2, "it is off";
        /// Its VM is stopped.
        Stopped = 3, "its VM is stopped";
        /// It goes on on another CPU.
        Moved = 4, "it moves to another CPU";
        /// An interrupt became pending for it.
        Interrupt = 5, "an interrupt is pending for it";
        /// Its timer came due.
        Timer = 6, "its timer came due";
        /// Another vCPU turned it on.
        CpuOn = 7, "another vCPU turned it on";
        /// A device has something for it.
        Device = 8, "a device has something for it";
        /// The operator wants something of it.
        Operator = 9, "the operator wants something of it";
        /// A VM's steward has done a step of building or taking down.
        Step = 10, "a step of its work is done";
    }
}

words! {
    /// Stages of a VM's life.
    Stage {
        /// Building it begins.
        Create = 0, "is being built";
        /// It may run.
        Active = 1, "is active";
        /// It runs no more.
        Stop = 2, "is stopped";
        /// Taking it apart begins.
        Teardown = 3, "is being taken apart";
        /// Nothing of it is left.
        Destroyed = 4, "is gone";
    }
}

/// The beginning of a line of text.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct Text(pub [u8; 16]);

impl Text {
    /// The first 16 bytes of `text`.
    pub fn of(text: &str) -> Self {
        let mut bytes = [0; 16];
        for (to, from) in bytes.iter_mut().zip(text.bytes()) {
            *to = from;
        }
        Self(bytes)
    }
}

/// The syndrome of a call of which only the time is known.
pub(crate) const UNKNOWN: u64 = u64::MAX;

/// What happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Event {
    /// A vCPU left its guest. All three are stored as reported and explained
    /// when they are read.
    Exit {
        /// The reason as [`Reason`] numbers it.
        reason: u8,
        /// `ESR_EL2`; the function of a PSCI call; the immediate of a host call.
        syndrome: u64,
        /// The IPA of an abort ([`ipa`]), the base of a change of RIPAS.
        address: u64,
    },
    /// A vCPU enters its guest.
    Enter,
    /// A call of the RMM has returned.
    Rmi {
        /// The command's function identifier.
        fid: u32,
        /// Bits 15:0 of the status in x0.
        status: u16,
        /// How long it took, in ticks.
        ticks: u32,
        /// The first argument: mostly a granule or an RD.
        argument: u64,
    },
    /// A vCPU takes this CPU.
    ScheduledIn,
    /// A vCPU leaves this CPU.
    ScheduledOut {
        /// Why.
        cause: Cause,
    },
    /// A vCPU that waited may run.
    Wake {
        /// What woke it.
        cause: Cause,
    },
    /// This CPU interrupts another.
    Kick {
        /// The other CPU.
        cpu: u16,
    },
    /// This CPU takes a physical interrupt.
    Interrupt {
        /// Its number.
        intid: u32,
    },
    /// A VM enters a stage of its life.
    Life {
        /// The stage.
        stage: Stage,
    },
    /// The operator's command.
    Command {
        /// How it begins.
        text: Text,
    },
    /// A guest, or the hypervisor, cannot go on.
    Crash {
        /// `ESR_EL2` or a syndrome like it, zero if there is none.
        syndrome: u64,
        /// The address concerned, zero if there is none.
        address: u64,
    },
}

/// Numbers of the kinds.
pub(crate) mod raw {
    pub const EXIT: u8 = 1;
    pub const ENTER: u8 = 2;
    pub const RMI: u8 = 3;
    pub const IN: u8 = 4;
    pub const OUT: u8 = 5;
    pub const WAKE: u8 = 6;
    pub const KICK: u8 = 7;
    pub const INTERRUPT: u8 = 8;
    pub const LIFE: u8 = 9;
    pub const COMMAND: u8 = 10;
    pub const CRASH: u8 = 11;
}

impl Event {
    /// Kind, code, extra and the two operands.
    #[inline(always)]
    const fn parts(self) -> (u8, u8, u16, u64, u64) {
        match self {
            Self::Exit {
                reason,
                syndrome,
                address,
            } => (raw::EXIT, reason, 0, syndrome, address),
            Self::Enter => (raw::ENTER, 0, 0, 0, 0),
            Self::Rmi {
                fid,
                status,
                ticks,
                argument,
            } => {
                let call = (fid as u64) << 32 | ticks as u64;
                (raw::RMI, 0, status, call, argument)
            }
            Self::ScheduledIn => (raw::IN, 0, 0, 0, 0),
            Self::ScheduledOut { cause } => (raw::OUT, cause as u8, 0, 0, 0),
            Self::Wake { cause } => (raw::WAKE, cause as u8, 0, 0, 0),
            Self::Kick { cpu } => (raw::KICK, 0, 0, cpu as u64, 0),
            Self::Interrupt { intid } => (raw::INTERRUPT, 0, 0, intid as u64, 0),
            Self::Life { stage } => (raw::LIFE, stage as u8, 0, 0, 0),
            Self::Command { text } => {
                let all = u128::from_le_bytes(text.0);
                (raw::COMMAND, 0, 0, all as u64, (all >> 64) as u64)
            }
            Self::Crash { syndrome, address } => (raw::CRASH, 0, 0, syndrome, address),
        }
    }

    /// From what [`parts`](Self::parts) gave; `None` for what it never gives.
    fn from_parts(kind: u8, code: u8, extra: u16, a: u64, b: u64) -> Option<Self> {
        Some(match kind {
            raw::EXIT => Self::Exit {
                reason: code,
                syndrome: a,
                address: b,
            },
            raw::ENTER => Self::Enter,
            raw::RMI => Self::Rmi {
                fid: (a >> 32) as u32,
                status: extra,
                ticks: a as u32,
                argument: b,
            },
            raw::IN => Self::ScheduledIn,
            raw::OUT => Self::ScheduledOut {
                cause: Cause::from_raw(code)?,
            },
            raw::WAKE => Self::Wake {
                cause: Cause::from_raw(code)?,
            },
            raw::KICK => Self::Kick { cpu: a as u16 },
            raw::INTERRUPT => Self::Interrupt { intid: a as u32 },
            raw::LIFE => Self::Life {
                stage: Stage::from_raw(code)?,
            },
            raw::COMMAND => Self::Command {
                text: Text((u128::from(b) << 64 | u128::from(a)).to_le_bytes()),
            },
            raw::CRASH => Self::Crash {
                syndrome: a,
                address: b,
            },
            _ => return None,
        })
    }
}

/// One line of the recorder.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry {
    /// When, in ticks of the physical counter.
    pub stamp: u64,
    /// Whom it is about.
    pub who: Who,
    /// What happened.
    pub event: Event,
}

impl Entry {
    /// As four words.
    #[inline(always)]
    pub const fn raw(self) -> [u64; 4] {
        let (kind, code, extra, a, b) = self.event.parts();
        let what = kind as u32 | (code as u32) << 8 | (extra as u32) << 16;
        [self.stamp, self.who.0 | what as u64, a, b]
    }

    /// From four words; `None` for what is no entry.
    pub fn from_raw([stamp, meta, a, b]: [u64; 4]) -> Option<Self> {
        let event = Event::from_parts(meta as u8, (meta >> 8) as u8, (meta >> 16) as u16, a, b)?;
        Some(Self {
            stamp,
            who: Who(meta & !0xffff_ffff),
            event,
        })
    }
}

/// The IPA of an abort, from `HPFAR_EL2` and `FAR_EL2`.
#[inline(always)]
pub const fn ipa(hpfar: u64, far: u64) -> u64 {
    (hpfar & 0x0fff_ffff_fff0) << 8 | far & 0xfff
}
