//! Machine tests: one QEMU per test, started as `cargo xtask run` starts it,
//! judged by the same summary.
//!
//! A [`Run`] is what a user would type; [`Run::go`] gives a [`Machine`], whose
//! questions panic with the end of the serial log, so that a failing test shows
//! what the machine said last.

mod files;
mod rows;

use std::path::PathBuf;

pub use files::Files;
use serde_json::Value;
use xtask::cmd::guests::Guests;
use xtask::cmd::run::{Finished, Options, execute};
use xtask::exit::Exit;
pub use xtask::image::{Behaviour, Dialect};
use xtask::session::{Input, Output};
use xtask::torn::mended;

/// A command line of `cargo xtask run`.
#[derive(Clone, Debug)]
pub struct Run {
    options: Options,
    input: Input,
}

impl Run {
    /// `run --vm NAME --headless --timeout 60`.
    pub fn guest(name: &str) -> Self {
        Self {
            options: Options {
                guests: Guests {
                    vm: vec![name.to_owned()],
                    ..Guests::default()
                },
                headless: true,
                timeout: Some(60),
                ..Options::default()
            },
            input: Input::None,
        }
    }

    /// One more `--vm FILE`.
    #[must_use]
    pub fn vm(mut self, file: &str) -> Self {
        self.options.guests.vm.push(file.to_owned());
        self
    }

    /// So many of each VM, with numbers behind their names.
    #[must_use]
    pub fn copies(mut self, count: usize) -> Self {
        self.options.guests.copies = Some(count);
        self
    }

    /// `--cpus N`.
    #[must_use]
    pub fn cpus(mut self, count: u32) -> Self {
        self.options.cpus = count;
        self
    }

    /// `--rmi V`.
    #[must_use]
    pub fn rmi(mut self, dialect: Dialect) -> Self {
        self.options.rmi = dialect;
        self
    }

    /// `--rmm-behaviour RMM`.
    #[must_use]
    pub fn rmm_behaviour(mut self, behaviour: Behaviour) -> Self {
        self.options.rmm_behaviour = behaviour;
        self.rmi(Dialect::V2_0)
    }

    /// `--timeout S`.
    #[must_use]
    pub fn timeout(mut self, seconds: u64) -> Self {
        self.options.timeout = Some(seconds);
        self
    }

    /// `--memory SIZE`.
    #[must_use]
    pub fn memory(mut self, size: &str) -> Self {
        self.options.memory = Some(size.to_owned());
        self
    }

    /// `--no-rme`.
    #[must_use]
    pub fn no_rme(mut self) -> Self {
        self.options.no_rme = true;
        self
    }

    /// Time by instructions, as `cargo xtask bench` has it.
    #[must_use]
    pub fn counted(mut self) -> Self {
        self.options.counted = true;
        self
    }

    /// The same, without the hypervisor's books of exits, which are for one CPU.
    #[must_use]
    pub fn counted_without_books(mut self) -> Self {
        self.options.unbooked = true;
        self.counted()
    }

    /// `--load-address ADDR`.
    #[must_use]
    pub fn load_address(mut self, address: u64) -> Self {
        self.options.load_address = Some(address);
        self
    }

    /// `--hypervisor-args WORDS`.
    #[must_use]
    pub fn hypervisor_args(mut self, words: &str) -> Self {
        self.options.hypervisor_args = Some(words.to_owned());
        self
    }

    /// `--json F`.
    #[must_use]
    pub fn json(mut self, file: PathBuf) -> Self {
        self.options.json = Some(file);
        self
    }

    /// `--trace F`.
    #[must_use]
    pub fn trace(mut self, file: PathBuf) -> Self {
        self.options.trace = Some(file);
        self
    }

    /// `--firmware F`.
    #[must_use]
    pub fn firmware(mut self, flash: PathBuf) -> Self {
        self.options.firmware = Some(flash);
        self
    }

    /// `--no-rme --device-tree F`.
    #[must_use]
    pub fn device_tree(mut self, file: PathBuf) -> Self {
        self.options.no_rme = true;
        self.options.device_tree = Some(file);
        self
    }

    /// Not headless: each text on the left is waited for on the serial line,
    /// then the one on the right is typed.
    #[must_use]
    pub fn typing(mut self, script: &[(&str, &str)]) -> Self {
        let own = |(wanted, reply): &(&str, &str)| ((*wanted).to_owned(), (*reply).to_owned());
        self.options.headless = false;
        self.input = Input::Script(script.iter().map(own).collect());
        self
    }

    /// Boots the machine and waits for its end.
    pub fn go(self) -> Machine {
        match execute(&self.options, Output::Quiet, self.input) {
            Ok(finished) => Machine {
                log: rows::joined(&mended(&finished.outcome.log)),
                finished,
            },
            Err(error) => panic!("the run could not start: {error:#}"),
        }
    }

    /// Why the run cannot start.
    pub fn refusal(self) -> String {
        match execute(&self.options, Output::Quiet, self.input) {
            Ok(_) => panic!("the run started"),
            Err(error) => format!("{error:#}"),
        }
    }
}

/// Makes two tests of each function that takes a [`Dialect`].
#[macro_export]
macro_rules! in_both_dialects {
    ($($case:ident)*) => {
        mod rmi_1_0 {
            $(#[test] fn $case() { super::$case($crate::Dialect::V1_0); })*
        }
        mod rmi_2_0 {
            $(#[test] fn $case() { super::$case($crate::Dialect::V2_0); })*
        }
    };
}

/// A machine that has ended.
#[derive(Debug)]
pub struct Machine {
    finished: Finished,
    log: String,
}

impl Machine {
    /// Everything on the serial line, with each line of a guest whole.
    pub fn log(&self) -> &str {
        &self.log
    }

    /// The content of `--json`.
    pub fn json(&self) -> &Value {
        &self.finished.json
    }

    /// The field at a JSON pointer.
    pub fn field(&self, pointer: &str) -> &Value {
        self.finished
            .json
            .pointer(pointer)
            .unwrap_or_else(|| self.fail(&format!("the summary has no {pointer}")))
    }

    /// Expects an exit code.
    pub fn expect_exit(&self, exit: Exit) -> &Self {
        if self.finished.verdict.exit != exit {
            self.fail(&format!(
                "exit {:?}, expected {exit:?}; faults {:?}",
                self.finished.verdict.exit, self.finished.verdict.faults
            ));
        }
        self
    }

    /// Expects a text on the serial line.
    pub fn expect(&self, text: &str) -> &Self {
        if !self.log().contains(text) {
            self.fail(&format!("nothing on the serial line says {text:?}"));
        }
        self
    }

    /// Expects a text not to be on the serial line.
    pub fn expect_not(&self, text: &str) -> &Self {
        if self.log().contains(text) {
            self.fail(&format!("the serial line says {text:?}"));
        }
        self
    }

    /// Expects the first VM's outcome.
    pub fn expect_outcome(&self, outcome: &str) -> &Self {
        if self.field("/vms/0/outcome") != outcome {
            self.fail(&format!(
                "outcome {}, expected {outcome}",
                self.field("/vms/0/outcome")
            ));
        }
        self
    }

    /// Expects the outcome of the VM called `name`.
    pub fn expect_outcome_of(&self, name: &str, outcome: &str) -> &Self {
        let vms = self.field("/vms").as_array();
        let mut vms = vms.into_iter().flatten();
        match vms.find(|vm| vm["name"] == name) {
            Some(vm) if vm["outcome"] == outcome => self,
            Some(vm) => self.fail(&format!(
                "outcome of {name} {}, expected {outcome}",
                vm["outcome"]
            )),
            None => self.fail(&format!("the summary has no VM {name}")),
        }
    }

    /// Expects that every granule came back, by the hypervisor's ledger and by
    /// the monitor's count.
    pub fn expect_no_granule_lost(&self) -> &Self {
        let granules = self.field("/granules");
        if granules["outstanding"] != 0
            || granules["realm_pas_at_off"] != 0
            || granules["delegated"] != granules["undelegated"]
        {
            self.fail(&format!("granules {granules}"));
        }
        self
    }

    /// Expects the hypervisor to have in use after all VMs what it had before them.
    pub fn expect_no_memory_lost(&self) -> &Self {
        let memory = self.field("/memory");
        if memory["ram_before"] != memory["ram_after"] {
            self.fail(&format!("memory {memory}"));
        }
        self
    }

    /// Rows as a person sees them: without what erases the prompt.
    pub fn rows(&self) -> Vec<String> {
        let shown = |line: &str| line.replace('\r', "").replace("\x1b[K", "");
        self.log().lines().map(shown).collect()
    }

    /// Ends the test with what guests call failed, and what the machine said last.
    pub fn fail(&self, why: &str) -> ! {
        let log = self.log();
        let lines: Vec<_> = log.lines().collect();
        let failed: Vec<_> = lines
            .iter()
            .filter(|line| line.contains("FAIL"))
            .copied()
            .collect();
        let from = lines.len().saturating_sub(60);
        panic!(
            "{why}\nfailed: {}\nlast lines:\n{}",
            failed.join("\n"),
            lines[from..].join("\n")
        )
    }
}
