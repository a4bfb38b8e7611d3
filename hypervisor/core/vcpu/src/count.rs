//! Exits by reason.

use crate::Exit;

/// How often a VM exited, by the reasons of the run's summary.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// Synchronous exceptions.
    pub sync: u64,
    /// Physical interrupts and changes of a timer's output.
    pub irq: u64,
    /// Physical FIQs.
    pub fiq: u64,
    /// PSCI calls.
    pub psci: u64,
    /// Requests to change RIPAS.
    pub ripas_change: u64,
    /// Host calls.
    pub host_call: u64,
    /// SErrors.
    pub serror: u64,
    /// Exits for a reason nobody has defined.
    pub unknown: u64,
}

impl Counters {
    /// Counts one exit.
    #[inline(always)]
    pub fn count(&mut self, exit: &Exit) {
        let counter = match exit {
            Exit::DataAbort(_)
            | Exit::InstructionAbort(_)
            | Exit::WaitForInterrupt
            | Exit::WaitForEvent
            | Exit::Write { .. }
            | Exit::Read { .. }
            | Exit::ExternalAbort { .. }
            | Exit::Unhandled { .. } => &mut self.sync,
            Exit::Irq => &mut self.irq,
            Exit::Fiq => &mut self.fiq,
            Exit::Psci(_) => &mut self.psci,
            Exit::RipasChange { .. } => &mut self.ripas_change,
            Exit::HostCall { .. } => &mut self.host_call,
            Exit::SError { .. } => &mut self.serror,
            Exit::UnknownReason { .. } => &mut self.unknown,
        };
        *counter = counter.wrapping_add(1);
    }
}
