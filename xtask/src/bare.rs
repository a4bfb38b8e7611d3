//! A guest's Linux without any hypervisor: QEMU starts the same kernel, at EL1, with
//! the same file system, command line and device tree, and as much memory.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use vm_config::RegionKind;

use crate::board::{Board, Clock, Start};
use crate::build;
use crate::cmd::guests::{self, Provider};
use crate::provision;
use crate::session::{self, Input, Outcome, Output, Plan};
use crate::summary::Nonce;
use crate::verdict::End;
use crate::vm::{Guest, Overrides, VmFile};

/// Boots what runs in the plain VM `guest`, by instructions, and waits until it powers
/// off. QEMU's own PSCI and place for the file system replace those of the tree.
pub fn boot(guest: &str, deadline: Duration) -> Result<Outcome> {
    let file = VmFile::load(&guests::vm_file(guest)?, &Overrides::default())?;
    let Guest::Linux { cmdline, .. } = file.guest() else {
        anyhow::bail!("{guest} is no Linux guest");
    };
    let cmdline = cmdline.clone();
    let source = file.source(&Provider::default())?;
    let stored = |kind: RegionKind| {
        let content = source.contents.iter().find(|content| content.kind == kind);
        let bytes = &content
            .with_context(|| format!("{guest} has no {kind:?}"))?
            .bytes;
        build::store_unique("bare", "bin", bytes)
    };
    let board = Board {
        start: Start::Kernel {
            image: stored(RegionKind::Kernel)?,
            initrd: stored(RegionKind::Initrd)?,
        },
        cpus: source.plan.vcpus,
        ram_mib: source.plan.memory.size() >> 20,
        clock: Clock::Instructions,
        bootargs: cmdline,
        device_tree: Some(stored(RegionKind::Dtb)?),
    };
    let plan = Plan {
        board,
        nonce: Nonce::draw().context("cannot draw a nonce")?,
        deadline: Some(deadline),
        output: Output::Quiet,
        input: Input::None,
    };
    let outcome = session::boot(&provision::qemu()?, &plan)?;
    ensure!(
        outcome.end == End::PoweredOff,
        "{guest} without a hypervisor did not power off: {:?}; it ends with\n{}",
        outcome.end,
        tail(&outcome.log)
    );
    Ok(outcome)
}

/// The last lines of a log.
fn tail(log: &str) -> String {
    let lines: Vec<_> = log.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}
