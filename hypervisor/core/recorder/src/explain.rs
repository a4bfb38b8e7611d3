//! An entry in words.
//!
//! Spec: DDI0487 D24.2.37 (`ESR_EL2`), DEN0022 (PSCI), DEN0137 B4.4 (statuses).

use core::fmt::{self, Display, Formatter, Write};

use rsi::psci;

use crate::event::{Entry, Event, Reason, Text, UNKNOWN, Who};

/// A VM, as an explanation names it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Guest<'a> {
    /// Its name.
    pub name: &'a str,
    /// Whether it is a Realm.
    pub is_realm: bool,
}

/// What only the hypervisor knows: the names of numbers.
pub trait Names {
    /// The VM with this number.
    fn guest(&self, vm: u16) -> Option<Guest<'_>>;

    /// The RMI command with this function identifier, in the RMM's dialect.
    fn command(&self, fid: u32) -> Option<&str>;

    /// The device at this IPA, which may be a shared alias.
    fn device(&self, address: u64) -> Option<&str>;
}

/// An entry that explains itself.
#[derive(Clone, Copy)]
pub struct Explained<'a> {
    /// The entry.
    pub entry: &'a Entry,
    /// Who knows the names.
    pub names: &'a dyn Names,
}

impl Display for Explained<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { entry, names } = self;
        subject(f, entry.who, *names)?;
        match entry.event {
            Event::Exit {
                reason,
                syndrome,
                address,
            } => {
                f.write_str(" exited: ")?;
                exit(f, *names, reason, syndrome, address)
            }
            Event::Enter => f.write_str(" runs"),
            Event::Rmi {
                fid,
                status,
                argument,
                ..
            } => {
                match names.command(fid) {
                    Some(name) => write!(f, ": RMI {name}({argument:#x})")?,
                    None => write!(f, ": RMI call {fid:#x}({argument:#x})")?,
                }
                write!(f, " gave {}", Status(status))
            }
            Event::ScheduledIn => f.write_str(" takes this CPU"),
            Event::ScheduledOut { cause } => {
                write!(f, " leaves this CPU: {}", cause.word())
            }
            Event::Wake { cause } => write!(f, " is woken: {}", cause.word()),
            Event::Kick { cpu } => write!(f, " interrupts CPU {cpu}"),
            Event::Interrupt { intid } => write!(f, ": physical interrupt {intid}"),
            Event::Life { stage } => write!(f, " {}", stage.word()),
            Event::Command { text } => write!(f, ": the operator typed \"{text}\""),
            Event::Crash { syndrome, address } => {
                f.write_str(" crashed")?;
                if syndrome != 0 {
                    f.write_str(": ")?;
                    synchronous(f, *names, syndrome, address)?;
                } else if address != 0 {
                    write!(f, " at {address:#x}")?;
                }
                Ok(())
            }
        }
    }
}

fn subject(f: &mut Formatter<'_>, who: Who, names: &dyn Names) -> fmt::Result {
    let Some(vm) = who.vm() else {
        return f.write_str("the hypervisor");
    };
    match names.guest(vm) {
        Some(guest) if guest.is_realm => write!(f, "Realm {}", guest.name)?,
        Some(guest) => write!(f, "VM {}", guest.name)?,
        None => write!(f, "VM number {vm}")?,
    }
    match who.index() {
        Some(vcpu) => write!(f, " vCPU {vcpu}"),
        None => Ok(()),
    }
}

fn exit(
    f: &mut Formatter<'_>,
    names: &dyn Names,
    reason: u8,
    syndrome: u64,
    address: u64,
) -> fmt::Result {
    match Reason::from_raw(reason) {
        Some(Reason::Sync) => synchronous(f, names, syndrome, address),
        Some(Reason::Irq) => f.write_str("physical interrupt"),
        Some(Reason::Fiq) => f.write_str("physical FIQ"),
        // A trail keeps neither function nor number nor address.
        Some(Reason::Psci | Reason::RipasChange | Reason::HostCall) if syndrome == UNKNOWN => {
            f.write_str(exit_word(reason, 0))
        }
        Some(Reason::Psci) => match psci_name(syndrome) {
            Some(name) => write!(f, "PSCI {name}"),
            None => write!(f, "PSCI function {syndrome:#x}"),
        },
        Some(Reason::RipasChange) => write!(f, "asks for a change of RIPAS at {address:#x}"),
        Some(Reason::HostCall) => write!(f, "host call {syndrome}"),
        Some(Reason::SError) => write!(f, "SError, syndrome {syndrome:#x}"),
        None => write!(f, "reason {reason}, which nobody has defined"),
    }
}

/// A synchronous exception by `ESR_EL2`.
fn synchronous(
    f: &mut Formatter<'_>,
    names: &dyn Names,
    syndrome: u64,
    address: u64,
) -> fmt::Result {
    match (syndrome >> 26) & 0x3f {
        0x01 if syndrome & 1 != 0 => f.write_str("waits for an event (WFE)"),
        0x01 => f.write_str("waits for an interrupt (WFI)"),
        0x16 => write!(f, "HVC {}", syndrome & 0xffff),
        0x17 => write!(f, "SMC {}", syndrome & 0xffff),
        0x18 => register(f, syndrome),
        0x1e => write!(f, "granule protection check failed at {address:#x}"),
        0x20 | 0x21 => {
            write!(f, "instruction abort at {address:#x}")?;
            fault(f, syndrome)
        }
        0x24 | 0x25 => {
            write!(f, "data abort at {address:#x}")?;
            if let Some(device) = names.device(address) {
                return write!(f, " (device {device})");
            }
            fault(f, syndrome)
        }
        class => write!(f, "exception class {class:#x}, syndrome {syndrome:#x}"),
    }
}

/// The reason of an exit in a word or two: what exits are counted by.
pub fn exit_word(reason: u8, syndrome: u64) -> &'static str {
    match Reason::from_raw(reason) {
        Some(Reason::Sync) => match (syndrome >> 26) & 0x3f {
            0x01 if syndrome & 1 != 0 => "WFE",
            0x01 => "WFI",
            0x16 => "HVC",
            0x17 => "SMC",
            0x18 => "system register",
            0x1e => "granule protection",
            0x20 | 0x21 => "instruction abort",
            0x24 | 0x25 => "data abort",
            _ => "other exception",
        },
        Some(Reason::Irq) => "interrupt",
        Some(Reason::Fiq) => "FIQ",
        Some(Reason::Psci) => "PSCI",
        Some(Reason::RipasChange) => "RIPAS change",
        Some(Reason::HostCall) => "host call",
        Some(Reason::SError) => "SError",
        None => "unknown",
    }
}

fn fault(f: &mut Formatter<'_>, syndrome: u64) -> fmt::Result {
    match syndrome & 0x3f {
        0x04..=0x07 | 0x2b => f.write_str(", nothing is mapped there"),
        0x0c..=0x0f => f.write_str(", not allowed there"),
        0x10 | 0x13..=0x17 => f.write_str(", external abort"),
        0x23..=0x28 => f.write_str(", granule protection fault"),
        status => write!(f, ", fault status {status:#x}"),
    }
}

/// A trapped access to a system register, by its encoding in the syndrome.
fn register(f: &mut Formatter<'_>, syndrome: u64) -> fmt::Result {
    let field = |shift: u32, bits: u32| (syndrome >> shift) & ((1 << bits) - 1);
    let what = match syndrome & 1 {
        0 => "write to",
        _ => "read of",
    };
    write!(
        f,
        "{what} S{}_{}_C{}_C{}_{}",
        field(20, 2),
        field(14, 3),
        field(10, 4),
        field(1, 4),
        field(17, 3),
    )
}

fn psci_name(function: u64) -> Option<&'static str> {
    Some(match u32::try_from(function).ok()? {
        psci::VERSION => "VERSION",
        psci::CPU_SUSPEND_32 | psci::CPU_SUSPEND_64 => "CPU_SUSPEND",
        psci::CPU_OFF => "CPU_OFF",
        psci::CPU_ON_32 | psci::CPU_ON_64 => "CPU_ON",
        psci::AFFINITY_INFO_32 | psci::AFFINITY_INFO_64 => "AFFINITY_INFO",
        psci::MIGRATE_INFO_TYPE => "MIGRATE_INFO_TYPE",
        psci::SYSTEM_OFF => "SYSTEM_OFF",
        psci::SYSTEM_RESET => "SYSTEM_RESET",
        psci::FEATURES => "FEATURES",
        _ => return None,
    })
}

/// The lowest 16 bits of an RMI status.
struct Status(u16);

impl Display for Status {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let index = self.0 >> 8;
        match self.0 & 0xff {
            _ if self.0 == u16::MAX => f.write_str("NOT_SUPPORTED"),
            0 if index == 0 => f.write_str("SUCCESS"),
            1 => f.write_str("ERROR_INPUT"),
            2 => write!(f, "ERROR_REALM({index})"),
            3 => f.write_str("ERROR_REC"),
            4 => write!(f, "ERROR_RTT(level {})", index as i8),
            status => write!(f, "status {status}, index {index}"),
        }
    }
}

impl Display for Text {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for byte in self.0.into_iter().take_while(|byte| *byte != 0) {
            let c = char::from(byte);
            f.write_char(if c.is_ascii_graphic() || c == ' ' {
                c
            } else {
                '?'
            })?;
        }
        Ok(())
    }
}
