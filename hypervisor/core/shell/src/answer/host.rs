//! Answers about the machine.

use core::fmt::{self, Write};

use super::Answer;
use super::json::Open;
use super::table::{Micros, Size, table};
use super::vm::counts;

/// `mem`: where memory is, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct MemInfo {
    /// All RAM the hypervisor may use.
    pub ram: u64,
    /// Free.
    pub free: u64,
    /// The largest free run.
    pub largest: u64,
    /// The hypervisor's image with stacks and data.
    pub hypervisor: u64,
    /// The bundle of VMs inside the image.
    pub bundle: u64,
    /// Tables and books of the hypervisor's.
    pub books: u64,
    /// With the RMM.
    pub delegated: u64,
    /// Memory of plain VMs, and what Realms share with the host.
    pub guests: u64,
}

impl MemInfo {
    fn rows(&self) -> [(&'static str, &'static str, u64); 8] {
        [
            ("ram", "RAM", self.ram),
            ("free", "free", self.free),
            ("largest", "largest free run", self.largest),
            ("hypervisor", "hypervisor", self.hypervisor),
            ("bundle", "bundle of VMs", self.bundle),
            ("books", "tables and books", self.books),
            ("delegated", "with the RMM", self.delegated),
            ("guests", "plain VMs, shared", self.guests),
        ]
    }
}

impl Answer for MemInfo {
    fn text(&self, out: &mut dyn Write) -> fmt::Result {
        let rows = self.rows();
        table(
            out,
            &["WHAT", ">SIZE"],
            rows.len(),
            &|row, column, out| match (rows.get(row), column) {
                (Some((_, label, _)), 0) => out.write_str(label),
                (Some((.., bytes)), _) => write!(out, "{}", Size(*bytes)),
                (None, _) => Ok(()),
            },
        )
    }

    fn json(&self, out: &mut dyn Write) -> fmt::Result {
        let mut object = Open::object(out)?;
        for (key, _, bytes) in self.rows() {
            object.raw(key, bytes)?;
        }
        object.end()
    }
}

/// `ledger`: granules with the RMM.
#[derive(Clone, Copy, Debug)]
pub struct LedgerInfo<'a> {
    /// Delegated since the start.
    pub delegated: u64,
    /// Taken back since the start.
    pub undelegated: u64,
    /// With the RMM now.
    pub outstanding: u64,
    /// Of those, never to be used again: the RMM does not give them back.
    pub quarantined: u64,
    /// With the RMM now, by kind.
    pub kinds: &'a [(&'a str, u64)],
    /// With the RMM now, by VM.
    pub vms: &'a [(&'a str, u64)],
}

impl Answer for LedgerInfo<'_> {
    fn text(&self, out: &mut dyn Write) -> fmt::Result {
        writeln!(
            out,
            "{} granules delegated, {} given back, {} with the RMM ({}), {} quarantined",
            self.delegated,
            self.undelegated,
            self.outstanding,
            Size(self.outstanding << 12),
            self.quarantined,
        )?;
        counts(out, "by kind", self.kinds)?;
        counts(out, "by VM", self.vms)
    }

    fn json(&self, out: &mut dyn Write) -> fmt::Result {
        let mut object = Open::object(out)?;
        object.raw("delegated", self.delegated)?;
        object.raw("undelegated", self.undelegated)?;
        object.raw("outstanding", self.outstanding)?;
        object.raw("quarantined", self.quarantined)?;
        object.counts("kinds", self.kinds)?;
        object.counts("vms", self.vms)?;
        object.end()
    }
}

/// A physical CPU.
#[derive(Clone, Copy, Debug)]
pub struct CpuRow<'a> {
    /// Its number.
    pub index: u32,
    /// Its affinity.
    pub mpidr: u64,
    /// How it is, in a word or two.
    pub state: &'a str,
    /// The VM it is set aside for.
    pub dedicated: Option<&'a str>,
    /// The VM and vCPU it runs.
    pub running: Option<(&'a str, u32)>,
    /// Time it ran guests, in microseconds.
    pub guest_micros: u64,
    /// Time it slept, in microseconds.
    pub idle_micros: u64,
    /// How often it took up another vCPU.
    pub switches: u64,
}

/// `cpu`.
#[derive(Clone, Copy, Debug)]
pub struct Cpus<'a>(pub &'a [CpuRow<'a>]);

impl Answer for Cpus<'_> {
    fn text(&self, out: &mut dyn Write) -> fmt::Result {
        let heads = [
            ">CPU",
            "MPIDR",
            "STATE",
            "FOR",
            "RUNS",
            ">GUESTS",
            ">IDLE",
            ">SWITCHES",
        ];
        table(out, &heads, self.0.len(), &|row, column, out| {
            let Some(cpu) = self.0.get(row) else {
                return Ok(());
            };
            match (column, cpu.running) {
                (0, _) => write!(out, "{}", cpu.index),
                (1, _) => write!(out, "{:#x}", cpu.mpidr),
                (2, _) => out.write_str(cpu.state),
                (3, _) => out.write_str(cpu.dedicated.unwrap_or("all")),
                (4, Some((vm, vcpu))) => write!(out, "{vm}/{vcpu}"),
                (4, None) => out.write_str("-"),
                (5, _) => write!(out, "{}", Micros(cpu.guest_micros)),
                (6, _) => write!(out, "{}", Micros(cpu.idle_micros)),
                _ => write!(out, "{}", cpu.switches),
            }
        })
    }

    fn json(&self, out: &mut dyn Write) -> fmt::Result {
        let mut object = Open::object(out)?;
        object.list_in("cpus", |list| {
            self.0.iter().try_for_each(|cpu| {
                list.object_element(|object| {
                    object.raw("index", cpu.index)?;
                    object.raw("mpidr", cpu.mpidr)?;
                    object.text("state", cpu.state)?;
                    object.maybe_text("dedicated", cpu.dedicated)?;
                    object.maybe_text("vm", cpu.running.map(|(vm, _)| vm))?;
                    match cpu.running {
                        Some((_, vcpu)) => object.raw("vcpu", vcpu)?,
                        None => object.raw("vcpu", "null")?,
                    }
                    object.raw("guest_micros", cpu.guest_micros)?;
                    object.raw("idle_micros", cpu.idle_micros)?;
                    object.raw("switches", cpu.switches)
                })
            })
        })?;
        object.end()
    }
}

/// `rmm`.
#[derive(Clone, Copy, Debug)]
pub struct RmmInfo<'a> {
    /// The version of RMI that is spoken.
    pub version: (u16, u16),
    /// Which of the version's flavours, where it has some.
    pub flavour: Option<&'a str>,
    /// What is particular about this RMM.
    pub quirks: &'a [&'a str],
    /// Width of a Realm's addresses at most.
    pub ipa_bits: u8,
    /// List registers of a REC.
    pub list_registers: u8,
    /// Calls made, by command.
    pub calls: &'a [(&'a str, u64)],
}

impl Answer for RmmInfo<'_> {
    fn text(&self, out: &mut dyn Write) -> fmt::Result {
        let (major, minor) = self.version;
        write!(out, "RMI {major}.{minor}")?;
        if let Some(flavour) = self.flavour {
            write!(out, ", flavour {flavour}")?;
        }
        let (bits, registers) = (self.ipa_bits, self.list_registers);
        writeln!(out, ": IPA {bits} bits, {registers} list registers")?;
        for quirk in self.quirks {
            writeln!(out, "  {quirk}")?;
        }
        counts(out, "calls", self.calls)
    }

    fn json(&self, out: &mut dyn Write) -> fmt::Result {
        let (major, minor) = self.version;
        let mut object = Open::object(out)?;
        object.raw("version", format_args!("\"{major}.{minor}\""))?;
        object.maybe_text("flavour", self.flavour)?;
        object.list_in("quirks", |list| {
            self.quirks
                .iter()
                .try_for_each(|quirk| list.text_element(quirk))
        })?;
        object.raw("ipa_bits", self.ipa_bits)?;
        object.raw("list_registers", self.list_registers)?;
        object.counts("calls", self.calls)?;
        object.end()
    }
}

/// `rmm`, `ledger` or `realm info` where there is no RMM.
#[derive(Clone, Copy, Debug)]
pub struct NoRmm;

impl Answer for NoRmm {
    fn text(&self, out: &mut dyn Write) -> fmt::Result {
        out.write_str("there is no RMM this hypervisor can work with; the boot log says why\n")
    }

    fn json(&self, out: &mut dyn Write) -> fmt::Result {
        let mut object = Open::object(out)?;
        object.text("error", "no RMM")?;
        object.end()
    }
}
