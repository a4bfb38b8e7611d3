//! One walk over the tree that finds everything [`crate::Platform`] is made of.

use crate::cpu::{self, Cpu, MAX_CPUS, PSCI};
use crate::error::PlatformError;
use crate::memory::{self, MAX_RAM, MAX_RESERVED, Reserved};
use crate::tree::{Here, Located, Tree};
use crate::uart;
use addr::PhysRange;
use heapless::Vec;

/// What the tree has of the things that are looked for.
#[derive(Default)]
pub(crate) struct Survey<'a> {
    gic: Option<Located<'a>>,
    psci: Option<Located<'a>>,
    timer: Option<Located<'a>>,
    /// The first UART, until the one that `stdout-path` names is met.
    uart: Option<Located<'a>>,
    uart_is_chosen: bool,
    pub(crate) ram: Vec<PhysRange, MAX_RAM>,
    pub(crate) reserved: Vec<Reserved, MAX_RESERVED>,
    pub(crate) cpus: Vec<Cpu, MAX_CPUS>,
}

impl<'a> Survey<'a> {
    /// Walks over `tree`.
    pub(crate) fn of(tree: &Tree<'a>) -> Result<Self, PlatformError> {
        let mut survey = Self::default();
        memory::read_reservations(tree, &mut survey.reserved)?;
        let stdout = uart::stdout_path(tree);
        tree.walk(&mut |here| {
            survey.note_device(here, stdout);
            cpu::read_cpu(here, &mut survey.cpus)?;
            memory::read_ram(here, &mut survey.ram)?;
            memory::read_reserved(here, &mut survey.reserved)
        })?;
        Ok(survey)
    }

    /// Walks over `tree` for the console alone, whatever else is wrong.
    pub(crate) fn of_console(tree: &Tree<'a>) -> Result<Self, PlatformError> {
        let mut survey = Self::default();
        let stdout = uart::stdout_path(tree);
        tree.walk(&mut |here| {
            survey.note_device(here, stdout);
            Ok(())
        })?;
        Ok(survey)
    }

    /// Keeps the node if it is the first of a kind that is looked for.
    fn note_device(&mut self, here: Here<'_, 'a>, stdout: Option<&str>) {
        for name in here.compatible() {
            let slot = match name {
                "arm,gic-v3" => &mut self.gic,
                "arm,armv8-timer" => &mut self.timer,
                name if PSCI.contains(&name) => &mut self.psci,
                name if uart::is_known(name) => {
                    self.note_uart(here.locate(), stdout);
                    continue;
                }
                _ => continue,
            };
            slot.get_or_insert_with(|| here.locate());
        }
    }

    fn note_uart(&mut self, node: Located<'a>, stdout: Option<&str>) {
        let chosen = stdout.is_some_and(|path| uart::is_at(&node, path));
        if self.uart.is_none() || (chosen && !self.uart_is_chosen) {
            self.uart = Some(node);
            self.uart_is_chosen = chosen;
        }
    }

    pub(crate) fn gic(&self) -> Result<&Located<'a>, PlatformError> {
        let what = "GICv3 (node compatible with arm,gic-v3)";
        self.gic.as_ref().ok_or(PlatformError::MissingNode(what))
    }

    pub(crate) fn psci(&self) -> Result<&Located<'a>, PlatformError> {
        let what = "PSCI (node compatible with arm,psci-1.0 or arm,psci-0.2)";
        self.psci.as_ref().ok_or(PlatformError::MissingNode(what))
    }

    pub(crate) fn timer(&self) -> Result<&Located<'a>, PlatformError> {
        let what = "timer (node compatible with arm,armv8-timer)";
        self.timer.as_ref().ok_or(PlatformError::MissingNode(what))
    }

    pub(crate) fn uart(&self) -> Result<&Located<'a>, PlatformError> {
        let what = "UART (node compatible with arm,pl011 or ns16550a)";
        self.uart.as_ref().ok_or(PlatformError::MissingNode(what))
    }

    /// Refuses a machine without RAM or without CPUs.
    pub(crate) fn check_present(&self) -> Result<(), PlatformError> {
        if self.ram.is_empty() {
            return Err(PlatformError::MissingNode(
                "RAM (node /memory with device_type \"memory\")",
            ));
        }
        if self.cpus.is_empty() {
            return Err(PlatformError::MissingNode("CPU (node /cpus/cpu@*)"));
        }
        Ok(())
    }
}
