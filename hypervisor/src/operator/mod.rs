//! Carrying out what the operator types.
//!
//! Commands wait behind the console's lock. They are carried out by a CPU between
//! two tasks, which holds no lock then: an answer takes those it needs one after
//! the other. One command at a time, in the order in which they were typed.

mod host;
mod vms;

use alloc::vec::Vec;
use core::fmt;
use core::sync::atomic::{AtomicBool, Ordering};

use log::LevelFilter;
use recorder::{Event, Text, Who};
use report::args::Verbosity;
use shell::answer::Answer;
use shell::{Command, Form};

use crate::arch::smc;
use crate::console;
use crate::flight;
use crate::machine::Machine;

/// A CPU is at it.
static BUSY: AtomicBool = AtomicBool::new(false);

/// Carries out the commands that wait, unless another CPU does.
pub fn attend(machine: &'static Machine) {
    // Again, for one that came in just before the other CPU went.
    while console::has_command() && !BUSY.swap(true, Ordering::Acquire) {
        while let Some(command) = console::next_command() {
            let text = Text::of(words(command));
            flight::note(Who::HOST, Event::Command { text });
            carry_out(machine, command);
            console::answered();
        }
        BUSY.store(false, Ordering::Release);
    }
}

fn carry_out(machine: &'static Machine, command: Command) {
    match command {
        Command::VmList(form) => vms::list(machine, form),
        Command::VmInfo(vm, form) => vms::info(machine, vm, form),
        Command::RealmInfo(vm, form) => vms::realm(machine, vm, form),
        Command::Exits(vm, form) => vms::exits(machine, vm, form),
        Command::VmStart(vm) => vms::start(machine, vm),
        Command::VmStop(vm) => vms::stop(machine, vm),
        Command::VmKill(vm) => vms::kill(machine, vm),
        Command::VmRestart(vm) => vms::restart(machine, vm),
        Command::Mem(form) => host::memory(machine, form),
        Command::Ledger(form) => host::ledger(machine, form),
        Command::Cpu(form) => host::cpus(machine, form),
        Command::Rmm(form) => host::rmm(machine, form),
        Command::Log(verbosity) => {
            log::set_max_level(level(verbosity));
            let words = Verbosity::WORDS.iter().take(1 + verbosity as usize);
            console::answer(|out| {
                out.write_str("the log says")?;
                words.clone().try_for_each(|word| write!(out, " {word}"))?;
                out.write_str("\n")
            });
        }
        Command::TraceDump => flight::dump(machine, |_, json| {
            console::answer(|out| writeln!(out, "{json}"));
        }),
        Command::Trace(wanted) => {
            smc::set_noting(wanted);
            let what = if wanted {
                "every exit and RMI call is"
            } else {
                "scheduling and rare exits are"
            };
            tell(format_args!("{what} noted"));
        }
        Command::Off => {
            tell(format_args!("all VMs end"));
            machine.end_all();
        }
        // The console has done these itself.
        Command::VmConsole(_) | Command::Help(_) => {}
    }
}

/// What a command is called in the flight recorder.
fn words(command: Command) -> &'static str {
    match command {
        Command::VmStart(_) => "vm start",
        Command::VmStop(_) => "vm stop",
        Command::VmKill(_) => "vm kill",
        Command::VmRestart(_) => "vm restart",
        Command::Trace(_) => "trace",
        Command::Off => "off",
        _ => "a question",
    }
}

/// The log's level for a word.
pub fn level(verbosity: Verbosity) -> LevelFilter {
    match verbosity {
        Verbosity::Error => LevelFilter::Error,
        Verbosity::Warn => LevelFilter::Warn,
        Verbosity::Info => LevelFilter::Info,
        Verbosity::Debug => LevelFilter::Debug,
        Verbosity::Trace => LevelFilter::Trace,
    }
}

/// Writes an answer; without one there was no memory to put it together.
fn say(form: Form, answer: Option<&dyn Answer>) {
    match answer {
        Some(answer) => console::answer(|out| answer.write(form, out)),
        None => tell(format_args!("there is no memory left for the answer")),
    }
}

/// Writes a sentence.
fn tell(sentence: fmt::Arguments<'_>) {
    console::answer(|out| writeln!(out, "{sentence}"));
}

/// The rows of an answer, `count` at most; `None` if there is no memory for them.
fn gather<T>(count: usize, rows: impl Iterator<Item = T>) -> Option<Vec<T>> {
    let mut gathered = Vec::new();
    gathered.try_reserve_exact(count).ok()?;
    gathered.extend(rows.take(count));
    Some(gathered)
}
