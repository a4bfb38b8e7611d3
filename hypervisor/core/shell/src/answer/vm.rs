//! Answers about VMs.

use core::fmt::{self, Write};

use report::json::Hex;

use super::Answer;
use super::json::Open;
use super::table::{Micros, Size, table};

/// A VM, in one line.
#[derive(Clone, Copy, Debug)]
pub struct VmRow<'a> {
    /// Its name.
    pub name: &'a str,
    /// Whether it is a Realm.
    pub is_realm: bool,
    /// How it is, in a word or two.
    pub state: &'a str,
    /// Its vCPUs.
    pub vcpus: u32,
    /// The CPUs its vCPUs are pinned to; empty if they share the rest.
    pub pins: &'a [u8],
    /// Its RAM as described, in bytes.
    pub memory: u64,
    /// How often it was started.
    pub starts: u32,
    /// Exits of all its vCPUs.
    pub exits: u64,
    /// Time its vCPUs have run, in microseconds.
    pub run_micros: u64,
}

impl VmRow<'_> {
    fn kind(&self) -> &'static str {
        if self.is_realm { "realm" } else { "normal" }
    }

    fn fields(&self, object: &mut Open<'_>) -> fmt::Result {
        object.text("name", self.name)?;
        object.text("kind", self.kind())?;
        object.text("state", self.state)?;
        object.raw("vcpus", self.vcpus)?;
        object.list_in("pins", |list| {
            self.pins.iter().try_for_each(|cpu| list.element(cpu))
        })?;
        object.raw("memory", self.memory)?;
        object.raw("starts", self.starts)?;
        object.raw("exits", self.exits)?;
        object.raw("run_micros", self.run_micros)
    }

    fn write_pins(&self, out: &mut dyn Write) -> fmt::Result {
        let mut separator = "";
        for cpu in self.pins {
            write!(out, "{separator}{cpu}")?;
            separator = ",";
        }
        match self.pins.is_empty() {
            true => out.write_str("shared"),
            false => Ok(()),
        }
    }
}

/// `vm list`.
#[derive(Clone, Copy, Debug)]
pub struct VmList<'a>(pub &'a [VmRow<'a>]);

impl Answer for VmList<'_> {
    fn text(&self, out: &mut dyn Write) -> fmt::Result {
        let heads = [
            "NAME", "KIND", "STATE", ">VCPUS", "CPUS", ">MEMORY", ">STARTS", ">EXITS", ">RAN",
        ];
        table(out, &heads, self.0.len(), &|row, column, out| {
            let Some(vm) = self.0.get(row) else {
                return Ok(());
            };
            match column {
                0 => out.write_str(vm.name),
                1 => out.write_str(vm.kind()),
                2 => out.write_str(vm.state),
                3 => write!(out, "{}", vm.vcpus),
                4 => vm.write_pins(out),
                5 => write!(out, "{}", Size(vm.memory)),
                6 => write!(out, "{}", vm.starts),
                7 => write!(out, "{}", vm.exits),
                _ => write!(out, "{}", Micros(vm.run_micros)),
            }
        })
    }

    fn json(&self, out: &mut dyn Write) -> fmt::Result {
        let mut object = Open::object(out)?;
        object.list_in("vms", |list| {
            self.0
                .iter()
                .try_for_each(|vm| list.object_element(|object| vm.fields(object)))
        })?;
        object.end()
    }
}

/// A vCPU.
#[derive(Clone, Copy, Debug)]
pub struct VcpuRow<'a> {
    /// Its number.
    pub index: u32,
    /// How it is, in a word or two.
    pub state: &'a str,
    /// The CPU it runs or ran on.
    pub cpu: Option<u32>,
    /// Its exits.
    pub exits: u64,
    /// Time it has run, in microseconds.
    pub run_micros: u64,
}

/// `vm info NAME`.
#[derive(Clone, Copy, Debug)]
pub struct VmInfo<'a> {
    /// Its line of the list.
    pub vm: VmRow<'a>,
    /// How it ended last time, as a sentence without its subject.
    pub ended: Option<&'a str>,
    /// RAM that is behind its addresses, in bytes.
    pub populated: u64,
    /// Its devices.
    pub devices: &'a [&'a str],
    /// Its vCPUs.
    pub vcpus: &'a [VcpuRow<'a>],
}

impl Answer for VmInfo<'_> {
    fn text(&self, out: &mut dyn Write) -> fmt::Result {
        let vm = &self.vm;
        let what = if vm.is_realm { "Realm" } else { "VM" };
        write!(out, "{what} {}: {}", vm.name, vm.state)?;
        match self.ended {
            Some(ended) => writeln!(out, "; last time {ended}")?,
            None => writeln!(out)?,
        }
        let (memory, populated) = (Size(vm.memory), Size(self.populated));
        writeln!(out, "  memory   {memory}, {populated} of it populated")?;
        write!(out, "  CPUs     ")?;
        vm.write_pins(out)?;
        writeln!(out, "\n  started  {} times", vm.starts)?;
        write!(out, "  devices ")?;
        for device in self.devices {
            write!(out, " {device}")?;
        }
        writeln!(out)?;
        let heads = [">VCPU", "STATE", ">CPU", ">EXITS", ">RAN"];
        table(out, &heads, self.vcpus.len(), &|row, column, out| {
            let Some(vcpu) = self.vcpus.get(row) else {
                return Ok(());
            };
            match (column, vcpu.cpu) {
                (0, _) => write!(out, "{}", vcpu.index),
                (1, _) => out.write_str(vcpu.state),
                (2, Some(cpu)) => write!(out, "{cpu}"),
                (2, None) => out.write_str("-"),
                (3, _) => write!(out, "{}", vcpu.exits),
                _ => write!(out, "{}", Micros(vcpu.run_micros)),
            }
        })
    }

    fn json(&self, out: &mut dyn Write) -> fmt::Result {
        let mut object = Open::object(out)?;
        self.vm.fields(&mut object)?;
        object.maybe_text("ended", self.ended)?;
        object.raw("populated", self.populated)?;
        object.list_in("devices", |list| {
            self.devices
                .iter()
                .try_for_each(|device| list.text_element(device))
        })?;
        // "vcpus" is their number, as in the list.
        object.list_in("vcpu", |list| {
            self.vcpus.iter().try_for_each(|vcpu| {
                list.object_element(|object| {
                    object.raw("index", vcpu.index)?;
                    object.text("state", vcpu.state)?;
                    match vcpu.cpu {
                        Some(cpu) => object.raw("cpu", cpu)?,
                        None => object.raw("cpu", "null")?,
                    }
                    object.raw("exits", vcpu.exits)?;
                    object.raw("run_micros", vcpu.run_micros)
                })
            })
        })?;
        object.end()
    }
}

/// `realm info NAME`.
#[derive(Clone, Copy, Debug)]
pub struct RealmInfo<'a> {
    /// Its name.
    pub name: &'a str,
    /// The state of `realm::Realm`, in a word.
    pub state: &'a str,
    /// The initial measurement, by the calls made.
    pub rim: Option<&'a [u8]>,
    /// The initial measurement as the guest reported it.
    pub rim_reported: Option<&'a [u8]>,
    /// Width of its addresses.
    pub ipa_bits: u8,
    /// The level at which its translation tables begin.
    pub start_level: i8,
    /// The deepest level at which it has a table.
    pub deepest_level: i8,
    /// Its RECs.
    pub recs: u32,
    /// Granules with the RMM for it, by kind.
    pub granules: &'a [(&'a str, u64)],
}

impl Answer for RealmInfo<'_> {
    fn text(&self, out: &mut dyn Write) -> fmt::Result {
        writeln!(out, "Realm {}: {}", self.name, self.state)?;
        for (label, rim) in [("RIM     ", self.rim), ("reported", self.rim_reported)] {
            match rim {
                Some(rim) => writeln!(out, "  {label}  {}", Hex(rim))?,
                None => writeln!(out, "  {label}  not yet")?,
            }
        }
        let (start, deepest) = (self.start_level, self.deepest_level);
        writeln!(
            out,
            "  RTT       levels {start} to {deepest}, for {} bits of address",
            self.ipa_bits
        )?;
        writeln!(out, "  RECs      {}", self.recs)?;
        counts(out, "granules", self.granules)
    }

    fn json(&self, out: &mut dyn Write) -> fmt::Result {
        let mut object = Open::object(out)?;
        object.text("name", self.name)?;
        object.text("state", self.state)?;
        for (key, rim) in [("rim", self.rim), ("rim_reported", self.rim_reported)] {
            match rim {
                Some(rim) => object.raw(key, format_args!("\"{}\"", Hex(rim)))?,
                None => object.raw(key, "null")?,
            }
        }
        object.raw("ipa_bits", self.ipa_bits)?;
        object.raw("start_level", self.start_level)?;
        object.raw("deepest_level", self.deepest_level)?;
        object.raw("recs", self.recs)?;
        object.counts("granules", self.granules)?;
        object.end()
    }
}

/// `realm info NAME` of a plain VM.
#[derive(Clone, Copy, Debug)]
pub struct NotARealm<'a>(pub &'a str);

impl Answer for NotARealm<'_> {
    fn text(&self, out: &mut dyn Write) -> fmt::Result {
        let name = self.0;
        writeln!(
            out,
            "{name} is a plain VM, of which the RMM knows nothing; `vm info {name}` says what there is"
        )
    }

    fn json(&self, out: &mut dyn Write) -> fmt::Result {
        let mut object = Open::object(out)?;
        object.text("name", self.0)?;
        object.text("error", "it is no Realm")?;
        object.end()
    }
}

/// Exits of one vCPU for one reason.
#[derive(Clone, Copy, Debug)]
pub struct ExitRow<'a> {
    /// The VM.
    pub vm: &'a str,
    /// The vCPU.
    pub vcpu: u32,
    /// The reason.
    pub reason: &'a str,
    /// How many.
    pub count: u64,
    /// How many of them were timed.
    pub timed: u64,
    /// What those took from exit to next entry, in ticks of the physical counter.
    pub ticks: u64,
}

/// `exits [NAME]`.
#[derive(Clone, Copy, Debug)]
pub struct Exits<'a> {
    /// Frequency of the physical counter.
    pub hz: u64,
    /// The exits.
    pub rows: &'a [ExitRow<'a>],
}

impl Exits<'_> {
    /// Ticks in units of which a second has `per_second`.
    fn time(&self, ticks: u64, per_second: u128) -> u64 {
        let time = u128::from(ticks) * per_second / u128::from(self.hz.max(1));
        u64::try_from(time).unwrap_or(u64::MAX)
    }
}

impl Answer for Exits<'_> {
    fn text(&self, out: &mut dyn Write) -> fmt::Result {
        let heads = ["VM", ">VCPU", "REASON", ">COUNT", ">TIME", ">EACH"];
        table(out, &heads, self.rows.len(), &|row, column, out| {
            let Some(exit) = self.rows.get(row) else {
                return Ok(());
            };
            match column {
                0 => out.write_str(exit.vm),
                1 => write!(out, "{}", exit.vcpu),
                2 => out.write_str(exit.reason),
                3 => write!(out, "{}", exit.count),
                4 if exit.timed == 0 => out.write_str("-"),
                4 => write!(out, "{}", Micros(self.time(exit.ticks, 1_000_000))),
                _ if exit.timed == 0 => out.write_str("-"),
                _ => {
                    let each = exit.ticks / exit.timed;
                    write!(out, "{} ns", self.time(each, 1_000_000_000))
                }
            }
        })?;
        match self.rows.iter().any(|exit| exit.timed == 0) {
            true => out.write_str("rare exits are timed always, all others after `trace on`\n"),
            false => Ok(()),
        }
    }

    fn json(&self, out: &mut dyn Write) -> fmt::Result {
        let mut object = Open::object(out)?;
        object.raw("hz", self.hz)?;
        object.list_in("exits", |list| {
            self.rows.iter().try_for_each(|exit| {
                list.object_element(|object| {
                    object.text("vm", exit.vm)?;
                    object.raw("vcpu", exit.vcpu)?;
                    object.text("reason", exit.reason)?;
                    object.raw("count", exit.count)?;
                    object.raw("timed", exit.timed)?;
                    object.raw("ticks", exit.ticks)
                })
            })
        })?;
        object.end()
    }
}

/// Counts by name, a line each.
pub(super) fn counts(out: &mut dyn Write, what: &str, counts: &[(&str, u64)]) -> fmt::Result {
    writeln!(out, "  {what}")?;
    for (name, count) in counts {
        writeln!(out, "    {count:>10}  {name}")?;
    }
    Ok(())
}
