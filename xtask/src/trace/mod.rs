//! The flight recorder's trace: lines `SUZERAIN-TRACE nonce number length crc32
//! json` on the serial line, read back and written as a Chrome trace.
//!
//! As with the summary, only lines with this run's nonce, their announced length
//! and the right checksum count; their numbers show that none is missing. What the
//! JSON means is written in `recorder::dump`.

mod chrome;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use anyhow::{Context, Result};
use recorder::{Entry, kind};
use serde::Deserialize;
use serde_json::Value;

use crate::build;
use crate::summary::Nonce;

/// What a line of a trace starts with.
pub const MARKER: &str = "SUZERAIN-TRACE ";

/// A VM of the trace.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Vm {
    /// Its number in the entries.
    vm: u16,
    /// Its name.
    name: String,
    /// `realm` or `normal`.
    kind: String,
    /// Its vCPUs.
    vcpus: u32,
}

/// The trace of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    hz: u64,
    rmi: Option<String>,
    vms: BTreeMap<u16, Vm>,
    /// The entries of each CPU, oldest first.
    cpus: Vec<Vec<Entry>>,
    /// Entries that were overwritten before they were written out.
    lost: u64,
}

/// Why there is no trace in a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reject {
    /// No line of it.
    None,
    /// This line is missing.
    Missing(u32),
    /// This line was cut, mixed with another or changed.
    Damaged(u32),
    /// This line's JSON is not as agreed.
    Malformed(u32, String),
    /// It has no last line.
    NoEnd,
}

impl fmt::Display for Reject {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => write!(
                out,
                "the hypervisor wrote no trace: it did not come to its end"
            ),
            Self::Missing(number) => write!(out, "line {number} of the trace is missing"),
            Self::Damaged(number) => {
                write!(
                    out,
                    "line {number} of the trace has not its length or checksum"
                )
            }
            Self::Malformed(number, why) => {
                write!(out, "line {number} of the trace cannot be read: {why}")
            }
            Self::NoEnd => write!(out, "the trace has no end"),
        }
    }
}

impl std::error::Error for Reject {}

/// The trace in a serial log.
pub fn collect(log: &str, nonce: &Nonce) -> Result<Trace, Reject> {
    let own = format!("{MARKER}{nonce} ");
    let mut trace = None;
    let mut next = 0;
    let mut complete = false;
    for line in log.lines() {
        let Some(start) = line.find(&own) else {
            continue;
        };
        let (number, json) = unframe(&line[start + own.len()..]).ok_or(Reject::Damaged(next))?;
        if number == 0 {
            trace = Some(Trace::default());
            next = 0;
        }
        if number != next {
            return Err(Reject::Missing(next));
        }
        let trace = trace.as_mut().ok_or(Reject::Missing(0))?;
        complete = trace
            .take(json)
            .map_err(|why| Reject::Malformed(number, why))?;
        next += 1;
    }
    match (trace, complete) {
        (Some(trace), true) => Ok(trace),
        (Some(_), false) => Err(Reject::NoEnd),
        (None, _) => Err(Reject::None),
    }
}

/// Number and JSON of a framed line, behind marker and nonce.
fn unframe(framed: &str) -> Option<(u32, &str)> {
    let mut parts = framed.splitn(4, ' ');
    let number = parts.next()?.parse().ok()?;
    let length: usize = parts.next()?.parse().ok()?;
    let checksum = u32::from_str_radix(parts.next()?, 16).ok()?;
    let json = parts.next()?.trim_end_matches('\r');
    let whole = json.len() == length && crc32fast::hash(json.as_bytes()) == checksum;
    whole.then_some((number, json))
}

/// Entries of one CPU, as they come in a line.
#[derive(Deserialize)]
struct Chunk {
    cpu: usize,
    lost: u64,
    events: Vec<Raw>,
}

/// An entry: `[stamp,"kind",vm,vcpu,code,extra,a,b]`.
#[derive(Deserialize)]
struct Raw(u64, String, Option<u16>, Option<u16>, u8, u16, u64, u64);

impl Raw {
    /// `None` for an entry of a newer hypervisor.
    fn entry(&self) -> Option<Entry> {
        let Self(stamp, word, vm, vcpu, code, extra, a, b) = self;
        let who = |number: &Option<u16>| u64::from(number.unwrap_or(u16::MAX));
        let meta = who(vm) << 48
            | who(vcpu) << 32
            | u64::from(*extra) << 16
            | u64::from(*code) << 8
            | u64::from(kind(word)?.raw);
        Entry::from_raw([*stamp, meta, *a, *b])
    }
}

/// More CPUs than any machine here has.
const MAX_CPUS: usize = 1024;

impl Trace {
    /// Takes a line in; whether it is the last. Lines of a kind unknown here are
    /// those of a newer hypervisor.
    fn take(&mut self, json: &str) -> Result<bool, String> {
        let value: Value = serde_json::from_str(json).map_err(|error| error.to_string())?;
        let number = |key: &str| value.get(key).and_then(Value::as_u64);
        if let Some(schema) = number("trace") {
            if schema != 1 {
                return Err(format!("it has schema {schema}, this xtask reads 1"));
            }
            self.hz = number("hz").filter(|hz| *hz > 0).ok_or("it has no hz")?;
            let cpus = number("cpus").unwrap_or_default();
            let cpus = usize::try_from(cpus).map_err(|error| error.to_string())?;
            self.cpus.resize(cpus.min(MAX_CPUS), Vec::new());
            self.rmi = value["rmi"].as_str().map(str::to_owned);
        } else if value.get("vm").is_some() {
            let vm = Vm::deserialize(&value).map_err(|error| error.to_string())?;
            self.vms.insert(vm.vm, vm);
        } else if value.get("cpu").is_some() {
            let chunk = Chunk::deserialize(&value).map_err(|error| error.to_string())?;
            let cpu = self.cpus.get_mut(chunk.cpu);
            let cpu = cpu.ok_or("it is of a CPU that there is not")?;
            cpu.extend(chunk.events.iter().filter_map(Raw::entry));
            self.lost += chunk.lost;
        }
        Ok(value.get("end").is_some())
    }

    /// Entries in it.
    pub fn len(&self) -> usize {
        self.cpus.iter().map(Vec::len).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Entries that were overwritten before the end.
    pub fn lost(&self) -> u64 {
        self.lost
    }
}

/// Reads the trace in `log` and writes it to `file` for Chrome and Perfetto.
/// Returns what was written, in words.
pub fn write(log: &str, nonce: &Nonce, file: &Path) -> Result<String> {
    let trace = collect(log, nonce)?;
    let text = serde_json::to_vec(&chrome::convert(&trace))?;
    build::write_atomically(file, &text).context("cannot write the trace")?;
    Ok(format!(
        "{} events written to {} ({} older ones were overwritten); open it at ui.perfetto.dev",
        trace.len(),
        file.display(),
        trace.lost()
    ))
}

#[cfg(test)]
mod tests;
