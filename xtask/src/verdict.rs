//! From the end of a machine to an exit code and the lines a person reads.

use crate::exit::Exit;
use crate::summary::{Outcome, Summary};

/// Why QEMU is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The machine powered off.
    PoweredOff,
    /// QEMU gave up by itself with this exit code.
    QemuFailed(i32),
    /// xtask ended it: time-out.
    TimedOut,
    /// The user ended it.
    Quit,
}

/// What was asked for, as far as it bears on the verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// A machine with RME.
    pub rme: bool,
}

/// The verdict on a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Exit code.
    pub exit: Exit,
    /// What is wrong, one sentence each; empty if the run is good.
    pub faults: Vec<String>,
}

impl Verdict {
    /// Something else is wrong: a run that was good is so no more.
    pub fn add(&mut self, fault: String) {
        self.faults.push(fault);
        if self.exit == Exit::Good {
            self.exit = Exit::Failed;
        }
    }
}

/// Judges a run. `reject` says why a summary line was not accepted, if one came.
pub fn judge(end: End, summary: Option<&Summary>, reject: Option<&str>, asked: Asked) -> Verdict {
    let Some(summary) = summary else {
        return without_summary(end, reject);
    };
    let mut faults = faults(summary, asked);
    let killed = summary.vms.iter().any(|vm| vm.outcome == Outcome::Killed);
    let exit = match end {
        End::TimedOut => {
            faults.push("QEMU was ended by the time-out after the summary".to_owned());
            Exit::TimeOut
        }
        End::Quit | End::PoweredOff | End::QemuFailed(_) if killed => Exit::TimeOut,
        End::QemuFailed(code) if code != 0 => {
            faults.push(format!("QEMU ended with exit code {code}"));
            Exit::Failed
        }
        _ if faults.is_empty() => Exit::Good,
        _ => Exit::Failed,
    };
    Verdict { exit, faults }
}

fn without_summary(end: End, reject: Option<&str>) -> Verdict {
    let (exit, mut fault) = match end {
        End::PoweredOff => (
            Exit::Failed,
            "the machine went off without a summary".to_owned(),
        ),
        End::QemuFailed(code) => (
            Exit::BadInput,
            format!("QEMU could not run this machine (exit code {code}); its message is above"),
        ),
        End::TimedOut => (
            Exit::TimeOut,
            "the time ran out and no summary came; QEMU was ended".to_owned(),
        ),
        End::Quit => (
            Exit::Failed,
            "ended by the user before a summary".to_owned(),
        ),
    };
    if let Some(reject) = reject {
        fault = format!("{fault}; {reject}");
    }
    Verdict {
        exit,
        faults: vec![fault],
    }
}

fn faults(summary: &Summary, asked: Asked) -> Vec<String> {
    let mut faults = Vec::new();
    if !summary.complete {
        faults.push("the hypervisor did not get to its end".to_owned());
    }
    if asked.rme && summary.rmi_version.is_none() {
        faults.push("no RMM that fits answered, so there were no Realms".to_owned());
    }
    if summary.vms.is_empty() {
        faults.push("the image has no VM, so nothing ran".to_owned());
    }
    for vm in &summary.vms {
        let fine = match vm.outcome {
            Outcome::Off | Outcome::Stopped => true,
            Outcome::Skipped => !asked.rme,
            _ => false,
        };
        if !fine {
            faults.push(format!("{} {} {}", vm.kind, vm.name, vm.outcome));
        }
        if let (Some(host), Some(rmm)) = (&vm.rim, &vm.rim_reported)
            && host != rmm
        {
            faults.push(format!(
                "{}: the host computed another initial measurement than the RMM reports",
                vm.name
            ));
        }
    }
    let granules = &summary.granules;
    if granules.outstanding != 0 {
        faults.push(format!(
            "{} granules are still with the RMM",
            granules.outstanding
        ));
    }
    match granules.realm_pas_at_off {
        Some(count) if count != granules.outstanding => faults.push(format!(
            "the monitor counts {count} Realm granules, the hypervisor {}: one of them is wrong",
            granules.outstanding
        )),
        Some(_) => {}
        None if summary.firmware == "embedded" && summary.rmi_version.is_some() => {
            faults.push("the embedded monitor did not report its count of Realm granules".into());
        }
        None => {}
    }
    if let Some(memory) = summary.memory
        && memory.ram_after != memory.ram_before
    {
        faults.push(format!(
            "{} bytes of RAM were in use before the first VM, and {} after the last: \
             the hypervisor lost or freed memory it should not have",
            memory.ram_before, memory.ram_after
        ));
    }
    faults
}

/// The lines a person reads after a run.
pub fn report(summary: &Summary) -> Vec<String> {
    let mut lines = Vec::new();
    for vm in &summary.vms {
        let exits: u64 = vm.exits.values().sum();
        lines.push(format!(
            "{} {}: {}, {exits} exits",
            vm.kind, vm.name, vm.outcome
        ));
        if let Some(rim) = &vm.rim {
            let relation = match &vm.rim_reported {
                Some(other) if other == rim => " (host and Realm agree)",
                Some(_) => " (the Realm reports another)",
                None => "",
            };
            lines.push(format!("  initial measurement {rim}{relation}"));
        }
    }
    if let Some(version) = &summary.rmi_version {
        let calls: u64 = summary.rmi_calls.values().sum();
        let mut names: Vec<_> = summary.rmi_calls.iter().collect();
        names.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        let most: Vec<_> = names
            .iter()
            .take(5)
            .map(|(name, count)| format!("{name} {count}"))
            .collect();
        lines.push(format!(
            "RMI {version} ({} firmware): {calls} calls ({})",
            summary.firmware,
            most.join(", ")
        ));
    }
    let granules = &summary.granules;
    let witness = match granules.realm_pas_at_off {
        Some(count) => format!("the monitor counts {count} Realm granules"),
        None => "no independent count".to_owned(),
    };
    lines.push(format!(
        "granules: {} delegated, {} given back, {} outstanding; {witness}",
        granules.delegated, granules.undelegated, granules.outstanding
    ));
    lines
}

#[cfg(test)]
mod tests;
