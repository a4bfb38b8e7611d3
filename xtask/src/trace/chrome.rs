//! A trace in the format that Chrome (`chrome://tracing`) and Perfetto open: the
//! JSON "Trace Event Format".
//!
//! A process for the physical CPUs, with a track each: which vCPU has the CPU, RMI
//! calls in it, kicks and interrupts. A process for each VM, with a track for each
//! vCPU: when it is in the guest, and the handling of each exit. Times are in
//! microseconds from the first entry.

use recorder::{Entry, Event, Explained, Guest, Names, Who, exit_word};
use serde_json::{Value, json};
use vm_config::map;

use super::Trace;

/// The process of the physical CPUs; VMs follow by their number.
const CPUS: u64 = 1;
const FIRST_VM: u64 = 10;
/// The track of what concerns a VM as a whole.
const LIFE: u64 = 1000;

/// The whole document.
pub fn convert(trace: &Trace) -> Value {
    let stamps = trace.cpus.iter().filter_map(|cpu| cpu.first());
    let mut writer = Writer {
        trace,
        origin: stamps.map(|entry| entry.stamp).min().unwrap_or_default(),
        events: Vec::new(),
    };
    writer.name_tracks();
    for (cpu, entries) in trace.cpus.iter().enumerate() {
        Cpu::new(&mut writer, cpu as u64).follow(entries);
    }
    json!({
        "displayTimeUnit": "ns",
        "otherData": { "lost": trace.lost, "rmi": trace.rmi },
        "traceEvents": writer.events,
    })
}

struct Writer<'t> {
    trace: &'t Trace,
    origin: u64,
    events: Vec<Value>,
}

/// A row of the picture.
#[derive(Clone, Copy)]
struct Track {
    pid: u64,
    tid: u64,
}

impl Track {
    /// That of whom an entry is about.
    fn of(who: Who) -> Option<Self> {
        Some(Self {
            pid: FIRST_VM + u64::from(who.vm()?),
            tid: who.index().map_or(LIFE, u64::from),
        })
    }
}

impl Writer<'_> {
    fn name_tracks(&mut self) {
        self.name(CPUS, "CPUs".to_owned());
        for cpu in 0..self.trace.cpus.len() as u64 {
            self.name_track(CPUS, cpu, format!("CPU {cpu}"));
        }
        for vm in self.trace.vms.values() {
            let pid = FIRST_VM + u64::from(vm.vm);
            let what = if vm.kind == "realm" { "Realm" } else { "VM" };
            self.name(pid, format!("{what} {}", vm.name));
            self.name_track(pid, LIFE, "life".to_owned());
            for vcpu in 0..u64::from(vm.vcpus).min(LIFE) {
                self.name_track(pid, vcpu, format!("vCPU {vcpu}"));
            }
        }
    }

    fn name(&mut self, pid: u64, name: String) {
        self.events.push(json!({
            "ph": "M", "name": "process_name", "pid": pid, "args": { "name": name },
        }));
        self.events.push(json!({
            "ph": "M", "name": "process_sort_index", "pid": pid, "args": { "sort_index": pid },
        }));
    }

    fn name_track(&mut self, pid: u64, tid: u64, name: String) {
        self.events.push(json!({
            "ph": "M", "name": "thread_name", "pid": pid, "tid": tid, "args": { "name": name },
        }));
    }

    /// Microseconds of a stamp.
    fn micros(&self, stamp: u64) -> f64 {
        self.length(stamp.saturating_sub(self.origin))
    }

    /// Microseconds that a number of ticks takes, to the nanosecond.
    #[expect(clippy::cast_precision_loss, reason = "a picture is not that wide")]
    fn length(&self, ticks: u64) -> f64 {
        let nanos = u128::from(ticks) * 1_000_000_000 / u128::from(self.trace.hz.max(1));
        nanos as f64 / 1000.0
    }

    fn slice(&mut self, track: Track, name: &str, (from, to): (u64, u64), args: Value) {
        self.events.push(json!({
            "ph": "X", "name": name, "pid": track.pid, "tid": track.tid,
            "ts": self.micros(from), "dur": self.length(to.saturating_sub(from)), "args": args,
        }));
    }

    /// Something without a length; `scope` is how much of the picture it crosses:
    /// `t`rack, `p`rocess or `g`lobal.
    fn instant(&mut self, track: Track, scope: &str, name: &str, entry: &Entry) {
        let what = self.words(entry);
        self.events.push(json!({
            "ph": "i", "s": scope, "name": name, "pid": track.pid, "tid": track.tid,
            "ts": self.micros(entry.stamp), "args": { "what": what },
        }));
    }

    fn words(&self, entry: &Entry) -> String {
        Explained {
            entry,
            names: self.trace,
        }
        .to_string()
    }

    /// The short name of a vCPU.
    fn short(&self, who: Who) -> String {
        let vm = who.vm().and_then(|vm| self.trace.vms.get(&vm));
        let name = vm.map_or("?", |vm| vm.name.as_str());
        match who.index() {
            Some(vcpu) => format!("{name}/{vcpu}"),
            None => name.to_owned(),
        }
    }
}

/// One CPU's entries, followed in the order of time.
struct Cpu<'w, 't> {
    writer: &'w mut Writer<'t>,
    track: Track,
    /// The vCPU that has the CPU, since when.
    scheduled: Option<(Who, u64)>,
    /// The vCPU that is in its guest, since when.
    entered: Option<(Who, u64)>,
    /// The exit that is being handled.
    exited: Option<Entry>,
}

impl<'w, 't> Cpu<'w, 't> {
    fn new(writer: &'w mut Writer<'t>, cpu: u64) -> Self {
        Self {
            writer,
            track: Track {
                pid: CPUS,
                tid: cpu,
            },
            scheduled: None,
            entered: None,
            exited: None,
        }
    }

    fn follow(&mut self, entries: &[Entry]) {
        for entry in entries {
            self.take(entry);
        }
        // What goes on when the trace ends is shown up to its end.
        if let Some(last) = entries.last() {
            self.handled(last.stamp);
            self.leave_guest(last.stamp);
            self.leave_cpu(last.stamp, "");
        }
    }

    fn take(&mut self, entry: &Entry) {
        let (who, now) = (entry.who, entry.stamp);
        match entry.event {
            Event::Exit { .. } => {
                self.handled(now);
                self.leave_guest(now);
                self.exited = Some(*entry);
            }
            Event::Enter => {
                self.handled(now);
                self.entered = Some((who, now));
            }
            Event::ScheduledIn => {
                self.leave_cpu(now, "");
                self.scheduled = Some((who, now));
            }
            Event::ScheduledOut { cause } => {
                self.handled(now);
                self.leave_cpu(now, cause.word());
            }
            Event::Rmi { fid, ticks, .. } => self.rmi(entry, fid, ticks),
            Event::Kick { cpu } => self.here(&format!("kick CPU {cpu}"), entry),
            Event::Interrupt { intid } => self.here(&format!("interrupt {intid}"), entry),
            Event::Command { text } => {
                let name = format!("> {text}");
                self.writer.instant(self.track, "g", &name, entry);
            }
            Event::Wake { .. } => self.there("t", "wake", entry),
            Event::Life { stage } => self.there("p", stage.word(), entry),
            Event::Crash { .. } => self.there("g", "crash", entry),
        }
    }

    /// A mark on this CPU's track.
    fn here(&mut self, name: &str, entry: &Entry) {
        self.writer.instant(self.track, "t", name, entry);
    }

    /// A mark on the track of whom it is about.
    fn there(&mut self, scope: &str, name: &str, entry: &Entry) {
        let track = Track::of(entry.who).unwrap_or(self.track);
        self.writer.instant(track, scope, name, entry);
    }

    /// A call is noted when it has returned.
    fn rmi(&mut self, entry: &Entry, fid: u32, ticks: u32) {
        let name = match self.writer.trace.command(fid) {
            Some(name) => format!("RMI {name}"),
            None => format!("RMI {fid:#x}"),
        };
        let args = json!({
            "for": self.writer.short(entry.who),
            "what": self.writer.words(entry),
        });
        let from = entry.stamp.saturating_sub(ticks.into());
        let from = from.max(self.writer.origin);
        self.writer
            .slice(self.track, &name, (from, entry.stamp), args);
    }

    /// The guest is left.
    fn leave_guest(&mut self, now: u64) {
        if let Some((who, since)) = self.entered.take()
            && let Some(track) = Track::of(who)
        {
            let args = json!({ "cpu": self.track.tid });
            self.writer.slice(track, "in guest", (since, now), args);
        }
    }

    /// The exit is handled.
    fn handled(&mut self, now: u64) {
        let Some(exit) = self.exited.take() else {
            return;
        };
        if let Event::Exit {
            reason, syndrome, ..
        } = exit.event
            && let Some(track) = Track::of(exit.who)
        {
            let name = format!("exit: {}", exit_word(reason, syndrome));
            let args = json!({ "cpu": self.track.tid, "what": self.writer.words(&exit) });
            self.writer.slice(track, &name, (exit.stamp, now), args);
        }
    }

    fn leave_cpu(&mut self, now: u64, why: &str) {
        if let Some((who, since)) = self.scheduled.take() {
            let name = self.writer.short(who);
            let args = json!({ "why": why });
            self.writer.slice(self.track, &name, (since, now), args);
        }
    }
}

impl Names for Trace {
    fn guest(&self, vm: u16) -> Option<Guest<'_>> {
        self.vms.get(&vm).map(|vm| Guest {
            name: &vm.name,
            is_realm: vm.kind == "realm",
        })
    }

    fn command(&self, fid: u32) -> Option<&str> {
        match self.rmi.as_deref() {
            Some(version) if version.starts_with("2.") => {
                rmi::v2_0::Command::from_fid(fid).map(rmi::v2_0::Command::name)
            }
            _ => rmi::v1_0::Command::from_fid(fid).map(rmi::v1_0::Command::name),
        }
    }

    fn device(&self, address: u64) -> Option<&str> {
        // The shared alias of a device has one more bit, above all others.
        let own = match address.checked_ilog2() {
            Some(top @ 32..) => address & !(1 << top),
            _ => address,
        };
        let within = |base: addr::Ipa, size: u64| own.wrapping_sub(base.raw()) < size;
        if within(map::UART_BASE, map::UART_SIZE) {
            Some("UART")
        } else if within(map::GPIO_BASE, map::GPIO_SIZE) {
            Some("GPIO")
        } else if within(map::GICD_BASE, map::GICD_SIZE) {
            Some("GIC distributor")
        } else if within(map::GICR_BASE, map::UART_BASE.raw() - map::GICR_BASE.raw()) {
            Some("GIC redistributor")
        } else {
            None
        }
    }
}
