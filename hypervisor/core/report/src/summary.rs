//! The document a run ends with.
//!
//! JSON, schema 1: fields are only ever added. It travels as one line,
//! `SUZERAIN-SUMMARY <nonce> <length> <crc32> <json>`: who started the run drew
//! the nonce, no guest ever sees it, so that a guest cannot forge a verdict.

use core::fmt::{self, Write};

use crate::frame;
use crate::json::{Hex, Text};
use crate::tally::Tally;

/// Bytes of JSON there is room for.
pub const CAPACITY: usize = 128 << 10;

/// What became of a VM.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It turned itself off.
    Off,
    /// It asked for a reset, with no restart left.
    Reset,
    /// It did what nobody could answer, or could not be built.
    Crashed,
    /// The deadline came.
    Killed,
    /// The operator ended it.
    Stopped,
    /// The machine cannot run it.
    Skipped,
}

impl Outcome {
    /// The word in the summary.
    pub fn word(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Reset => "reset",
            Self::Crashed => "crashed",
            Self::Killed => "killed",
            Self::Stopped => "stopped",
            Self::Skipped => "skipped",
        }
    }
}

/// Exits of a VM by reason.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Exits {
    /// Synchronous exceptions.
    pub sync: u64,
    /// Physical interrupts and timers.
    pub irq: u64,
    /// Physical FIQs.
    pub fiq: u64,
    /// PSCI calls.
    pub psci: u64,
    /// Changes of RIPAS.
    pub ripas_change: u64,
    /// Host calls.
    pub host_call: u64,
    /// SErrors.
    pub serror: u64,
}

/// Granules that changed hands over the run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Granules {
    /// Given to the RMM.
    pub delegated: u64,
    /// Taken back.
    pub undelegated: u64,
    /// Still with the RMM.
    pub outstanding: u64,
    /// What the monitor counts in its tables, if it can.
    pub realm_pas_at_off: Option<u64>,
}

/// Memory of the hypervisor that is in use, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Memory {
    /// RAM that is not free.
    pub ram: u64,
    /// Of the heap.
    pub heap: u64,
}

/// What the summary says of one VM.
pub struct Vm<'a> {
    /// Its name.
    pub name: &'a str,
    /// Whether it is a Realm.
    pub is_realm: bool,
    /// What became of it.
    pub outcome: Outcome,
    /// The RIM that follows from the calls made.
    pub rim: Option<&'a [u8]>,
    /// The RIM that the RMM told the payload.
    pub rim_reported: Option<&'a [u8]>,
    /// Its exits.
    pub exits: Exits,
}

/// A summary being written, into memory that the caller provides.
pub struct Summary<'a> {
    room: &'a mut [u8],
    used: usize,
    overflow: bool,
    vms: usize,
}

/// The document did not fit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TooLong;

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the summary exceeds the {CAPACITY} bytes this build has room for"
        )
    }
}

impl<'a> Summary<'a> {
    /// Starts a document; [`CAPACITY`] bytes of room are enough for as many VMs as a
    /// bundle holds.
    pub const fn new(room: &'a mut [u8]) -> Self {
        Self {
            room,
            used: 0,
            overflow: false,
            vms: 0,
        }
    }

    fn put(&mut self, arguments: fmt::Arguments<'_>) {
        self.overflow |= self.write_fmt(arguments).is_err();
    }

    /// The head. `firmware` is who answered at EL3: "embedded", "external" or
    /// "none".
    pub fn begin(&mut self, firmware: &str, rme: bool, rmi_version: Option<(u16, u16)>) {
        self.put(format_args!(
            r#"{{"schema":1,"complete":true,"firmware":"{firmware}","rme":{rme},"rmi_version":"#
        ));
        match rmi_version {
            Some((major, minor)) => self.put(format_args!(r#""{major}.{minor}""#)),
            None => self.put(format_args!("null")),
        }
    }

    /// What was found out about the RMM; its flavour, where a revision has some.
    pub fn rmm(
        &mut self,
        (major, minor): (u16, u16),
        flavour: Option<&'static str>,
        quirks: impl Iterator<Item = &'static str>,
    ) {
        self.put(format_args!(
            r#","rmm":{{"version":"{major}.{minor}","flavour":"#
        ));
        match flavour {
            Some(flavour) => self.put(format_args!(r#""{flavour}""#)),
            None => self.put(format_args!("null")),
        }
        self.put(format_args!(r#","quirks":["#));
        let mut separator = "";
        for quirk in quirks {
            self.put(format_args!(r#"{separator}"{quirk}""#));
            separator = ",";
        }
        self.put(format_args!("]}}"));
    }

    /// The calls made, all VMs together; then the list of VMs begins.
    pub fn calls(&mut self, calls: impl Iterator<Item = (&'static str, u64)>) {
        self.put_calls(calls);
        self.put(format_args!(r#","vms":["#));
    }

    fn put_calls(&mut self, calls: impl Iterator<Item = (&'static str, u64)>) {
        self.put(format_args!(r#","rmi_calls":{{"#));
        let mut separator = "";
        for (name, count) in calls.filter(|(_, count)| *count > 0) {
            self.put(format_args!(r#"{separator}"{name}":{count}"#));
            separator = ",";
        }
        self.put(format_args!("}}"));
    }

    /// A VM.
    pub fn vm(&mut self, vm: &Vm<'_>, calls: impl Iterator<Item = (&'static str, u64)>) {
        if self.vms > 0 {
            self.put(format_args!(","));
        }
        self.vms += 1;
        // A name comes from a VM file and may hold anything.
        let name = Text(vm.name);
        let kind = if vm.is_realm { "realm" } else { "normal" };
        let outcome = vm.outcome.word();
        self.put(format_args!(
            r#"{{"name":"{name}","kind":"{kind}","outcome":"{outcome}""#
        ));
        self.put_rim("rim", vm.rim);
        self.put_rim("rim_reported", vm.rim_reported);
        let Exits {
            sync,
            irq,
            fiq,
            psci,
            ripas_change,
            host_call,
            serror,
        } = vm.exits;
        self.put(format_args!(
            r#","exits":{{"sync":{sync},"irq":{irq},"fiq":{fiq},"psci":{psci},"ripas_change":{ripas_change},"host_call":{host_call},"serror":{serror}}}"#
        ));
        self.put_calls(calls);
        self.put(format_args!("}}"));
    }

    fn put_rim(&mut self, key: &str, rim: Option<&[u8]>) {
        match rim {
            Some(rim) => self.put(format_args!(r#","{key}":"{}""#, Hex(rim))),
            None => self.put(format_args!(r#","{key}":null"#)),
        }
    }

    /// Ends the list of VMs with the granules.
    pub fn granules(&mut self, granules: Granules) {
        let Granules {
            delegated,
            undelegated,
            outstanding,
            realm_pas_at_off,
        } = granules;
        self.put(format_args!(
            r#"],"granules":{{"delegated":{delegated},"undelegated":{undelegated},"outstanding":{outstanding},"realm_pas_at_off":"#
        ));
        match realm_pas_at_off {
            Some(count) => self.put(format_args!("{count}}}")),
            None => self.put(format_args!("null}}")),
        }
    }

    /// What memory was in use before the first VM was built and after the last was
    /// taken down.
    pub fn memory(&mut self, before: Memory, after: Memory) {
        self.put(format_args!(
            r#","memory":{{"ram_before":{},"ram_after":{},"heap_before":{},"heap_after":{}}}"#,
            before.ram, after.ram, before.heap, after.heap
        ));
    }

    /// A number of the benches; call between [`Self::bench_begin`] and
    /// [`Self::bench_end`].
    pub fn bench_number(&mut self, key: &str, value: u64) {
        self.put(format_args!(r#""{key}":{value},"#));
    }

    /// Opens the benches' object.
    pub fn bench_begin(&mut self) {
        self.put(format_args!(r#","bench":{{"#));
    }

    /// Instruction counts of each class of exit, and the end of the benches.
    pub fn bench_end<'t>(&mut self, exits: impl Iterator<Item = (&'static str, &'t Tally)>) {
        self.put(format_args!(r#""exits":{{"#));
        let mut separator = "";
        for (name, tally) in exits {
            self.put(format_args!(
                r#"{separator}"{name}":{{"count":{},"min":{},"median":{},"max":{},"total":{}}}"#,
                tally.count(),
                tally.min(),
                tally.median(),
                tally.max(),
                tally.total(),
            ));
            separator = ",";
        }
        self.put(format_args!("}}}}"));
    }

    /// Ends the document and writes its line, without a line break.
    pub fn finish(&mut self, nonce: &str, out: &mut dyn Write) -> Result<(), TooLong> {
        self.put(format_args!("}}"));
        if self.overflow {
            return Err(TooLong);
        }
        // Only whole texts were put in.
        let text = self.room.get(..self.used).unwrap_or_default();
        let text = core::str::from_utf8(text).map_err(|_| TooLong)?;
        frame::write(out, frame::SUMMARY, nonce, None, text).map_err(|_| TooLong)
    }
}

impl Write for Summary<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.used.checked_add(text.len()).ok_or(fmt::Error)?;
        let place = self.room.get_mut(self.used..end).ok_or(fmt::Error)?;
        place.copy_from_slice(text.as_bytes());
        self.used = end;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
