//! Everything in the rings, as lines of JSON.
//!
//! 1. `{"trace":1,"hz":F,"cpus":N,"rmi":"1.0"}`: the schema, the counter's
//!    frequency, the rings, the dialect (or `null`);
//! 2. for each VM `{"vm":1,"name":"web","kind":"realm","vcpus":2}`;
//! 3. for each CPU, oldest first, any number of
//!    `{"cpu":0,"first":17,"lost":3,"events":[…]}`: the number of the first entry
//!    here, how many before it were overwritten unread, and the entries, each
//!    `[stamp,"kind",vm,vcpu,code,extra,a,b]` as the fields of an entry's words;
//!    `vm` and `vcpu` are `null` where there is none;
//! 4. any number of `{"exits":[…]}`: entries as above of the last exits of each
//!    vCPU ([`Trail`](crate::Trail)), by vCPU and reason; those that the rings have
//!    too are in both;
//! 5. `{"end":true}`.
//!
//! Fields are only ever added. On the shared serial line each travels in a frame
//! (`report::frame`) with its number.

use core::fmt::{self, Write};

use heapless::String;
use report::json;

use crate::event::Entry;
use crate::ring::{Ring, Step};
use crate::words::Kind;

/// Bytes of a line.
const LINE: usize = 2048;
/// Bytes of an entry at most: three numbers of 20 digits, the word, four of 5.
const ENTRY: usize = 112;

/// What a reader needs beside the entries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct About<'a> {
    /// Frequency of the physical counter.
    pub hz: u64,
    /// The dialect of RMI: names of commands depend on it.
    pub rmi: Option<(u16, u16)>,
    /// The VMs.
    pub vms: &'a [Vm<'a>],
}

/// A VM.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Vm<'a> {
    /// Its number in the entries.
    pub number: u16,
    /// Its name.
    pub name: &'a str,
    /// Whether it is a Realm.
    pub is_realm: bool,
    /// Its vCPUs.
    pub vcpus: u32,
}

/// Gives `line` every line of the trace with its number, from zero.
///
/// Entries that are written meanwhile may or may not be in it: each ring is read
/// up to what it held when its turn came, so this ends.
pub fn dump<const N: usize>(
    rings: &[Ring<N>],
    exits: impl Iterator<Item = Entry>,
    about: &About<'_>,
    line: impl FnMut(u32, &str),
) {
    let mut lines = Lines {
        text: String::new(),
        number: 0,
        line,
    };
    lines.whole(|out| head(out, rings.len(), about));
    for vm in about.vms {
        lines.whole(|out| describe(out, vm));
    }
    for (cpu, ring) in rings.iter().enumerate() {
        ring_lines(&mut lines, cpu, ring);
    }
    for entry in exits {
        lines.entry(&entry, |out| out.write_str(r#"{"exits":["#));
    }
    close(&mut lines);
    lines.whole(|out| out.write_str(r#"{"end":true}"#));
}

/// Lines on their way out.
struct Lines<F> {
    text: String<LINE>,
    number: u32,
    line: F,
}

impl<F: FnMut(u32, &str)> Lines<F> {
    /// A line that `write` makes.
    fn whole(&mut self, write: impl FnOnce(&mut String<LINE>) -> fmt::Result) {
        self.text.clear();
        // A line that did not fit would not be JSON.
        if write(&mut self.text).is_ok() {
            self.send();
        }
    }

    /// Adds an entry to the line, or to a new one that `head` begins.
    fn entry(&mut self, entry: &Entry, head: impl FnOnce(&mut String<LINE>) -> fmt::Result) {
        if self.text.capacity() - self.text.len() < ENTRY {
            close(self);
        }
        // None can fail: there is room for an entry, and in an empty line for its
        // head too.
        let _ = match self.text.is_empty() {
            true => head(&mut self.text),
            false => self.text.write_str(","),
        };
        let _ = write_entry(&mut self.text, entry);
    }

    fn send(&mut self) {
        (self.line)(self.number, &self.text);
        self.number = self.number.wrapping_add(1);
        self.text.clear();
    }
}

fn head(out: &mut dyn Write, cpus: usize, about: &About<'_>) -> fmt::Result {
    let hz = about.hz;
    write!(out, r#"{{"trace":1,"hz":{hz},"cpus":{cpus},"rmi":"#)?;
    match about.rmi {
        Some((major, minor)) => write!(out, r#""{major}.{minor}"}}"#),
        None => out.write_str("null}"),
    }
}

fn describe(out: &mut dyn Write, vm: &Vm<'_>) -> fmt::Result {
    let Vm {
        number,
        name,
        is_realm,
        vcpus,
    } = *vm;
    let kind = if is_realm { "realm" } else { "normal" };
    let name = json::Text(name);
    write!(
        out,
        r#"{{"vm":{number},"name":"{name}","kind":"{kind}","vcpus":{vcpus}}}"#
    )
}

fn ring_lines<const N: usize, F>(lines: &mut Lines<F>, cpu: usize, ring: &Ring<N>)
where
    F: FnMut(u32, &str),
{
    let end = ring.written();
    let mut cursor = ring.oldest();
    let mut lost = cursor.number();
    lines.text.clear();
    while cursor.number() < end {
        let number = cursor.number();
        let entry = match ring.read(&mut cursor) {
            Some(Step::Entry(entry)) => entry,
            Some(Step::Lost(more)) => {
                close(lines);
                lost = lost.saturating_add(more);
                continue;
            }
            None => break,
        };
        lines.entry(&entry, |out| {
            let before = core::mem::take(&mut lost);
            write!(
                out,
                r#"{{"cpu":{cpu},"first":{number},"lost":{before},"events":["#
            )
        });
    }
    close(lines);
}

/// Ends the line of entries that has been begun, if there is one.
fn close<F: FnMut(u32, &str)>(lines: &mut Lines<F>) {
    if !lines.text.is_empty() {
        // An entry's worth of room is left.
        let _ = lines.text.write_str("]}");
        lines.send();
    }
}

fn write_entry(out: &mut dyn Write, entry: &Entry) -> fmt::Result {
    let [stamp, meta, a, b] = entry.raw();
    let word = Kind::of(meta).map_or("", |kind| kind.word);
    write!(out, r#"[{stamp},"{word}","#)?;
    for number in [entry.who.vm(), entry.who.index()] {
        match number {
            Some(number) => write!(out, "{number},")?,
            None => out.write_str("null,")?,
        }
    }
    let (code, extra) = (meta >> 8 & 0xff, meta >> 16 & 0xffff);
    write!(out, "{code},{extra},{a},{b}]")
}
