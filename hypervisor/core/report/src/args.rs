//! The hypervisor's arguments: `suzerain.key=value`, separated by spaces, among
//! words that are meant for others.

use core::fmt;
use heapless::String;

/// Characters a nonce has at most.
pub const MAX_NONCE: usize = 64;

/// Columns that any terminal has.
pub const DEFAULT_COLUMNS: u16 = 80;
/// Columns that make sense.
const COLUMNS: core::ops::RangeInclusive<u16> = 40..=1000;

/// Seconds that a guest has to stop when it is asked to, unless said otherwise.
pub const DEFAULT_PATIENCE: u64 = 20;

/// How much the log says.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Verbosity {
    /// What made a VM or the run fail.
    Error,
    /// Also what may be wrong.
    Warn,
    /// Also what happens.
    Info,
    /// Also why.
    Debug,
    /// Everything.
    Trace,
}

impl Verbosity {
    /// The words for them, from the quietest on.
    pub const WORDS: [&'static str; 5] = ["error", "warn", "info", "debug", "trace"];

    /// From its word.
    pub fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "error" => Self::Error,
            "warn" => Self::Warn,
            "info" => Self::Info,
            "debug" => Self::Debug,
            "trace" => Self::Trace,
            _ => return None,
        })
    }
}

/// The arguments, with defaults for those not given.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Args {
    /// `suzerain.nonce`: what marks the summary as this run's.
    pub nonce: String<MAX_NONCE>,
    /// `suzerain.deadline`: seconds of the physical counter at which VMs are
    /// killed.
    pub deadline: Option<u64>,
    /// `suzerain.log`.
    pub log: Verbosity,
    /// `suzerain.interactive`: whether the UART's input goes to the guest.
    pub interactive: bool,
    /// `suzerain.columns`: how wide the operator's terminal is.
    pub columns: u16,
    /// `suzerain.patience`: seconds that a guest has to stop when it is asked to.
    pub patience: u64,
    /// `suzerain.bench`: whether instructions per exit are counted.
    pub bench: bool,
    /// `suzerain.trace`: whether the flight recorder is written out at the end.
    pub trace: bool,
    /// `suzerain.selftest`: who is to touch a granule that the RMM has.
    pub selftest: Option<SelfTest>,
}

impl Default for Args {
    fn default() -> Self {
        Self {
            nonce: String::new(),
            deadline: None,
            log: Verbosity::Info,
            interactive: false,
            columns: DEFAULT_COLUMNS,
            patience: DEFAULT_PATIENCE,
            bench: false,
            trace: false,
            selftest: None,
        }
    }
}

/// Who touches a granule that the RMM has, so that the granule protection fault is
/// seen to be taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SelfTest {
    /// `gpf`: the hypervisor itself.
    Gpf,
    /// `gpf-vm`: every plain VM, with its first instruction.
    GpfVm,
}

impl SelfTest {
    fn from_word(word: &str) -> Option<Self> {
        match word {
            "gpf" => Some(Self::Gpf),
            "gpf-vm" => Some(Self::GpfVm),
            _ => None,
        }
    }
}

/// An argument that means nothing here; the default stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ignored<'a> {
    /// The word as given.
    pub word: &'a str,
    /// What was expected.
    pub wanted: &'static str,
}

impl fmt::Display for Ignored<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "argument {} ignored: {}", self.word, self.wanted)
    }
}

impl Args {
    /// Reads `bootargs`; `warn` gets each `suzerain.*` word that cannot be used.
    pub fn parse<'a>(bootargs: &'a str, warn: &mut dyn FnMut(Ignored<'a>)) -> Self {
        let mut args = Self::default();
        for word in bootargs.split_ascii_whitespace() {
            let Some(setting) = word.strip_prefix("suzerain.") else {
                continue;
            };
            let (key, value) = setting.split_once('=').unwrap_or((setting, ""));
            if let Err(wanted) = args.set(key, value) {
                warn(Ignored { word, wanted });
            }
        }
        args
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), &'static str> {
        match key {
            "nonce" => {
                let fits = value.bytes().all(|b| b.is_ascii_hexdigit());
                let nonce = String::try_from(value).ok().filter(|_| fits);
                self.nonce = nonce.ok_or("a nonce is at most 64 hexadecimal digits")?;
            }
            "deadline" => {
                let seconds = value.parse().map_err(|_| "a deadline is whole seconds")?;
                self.deadline = Some(seconds);
            }
            "log" => {
                let level = Verbosity::from_word(value);
                self.log = level.ok_or("it is error, warn, info, debug or trace")?;
            }
            "interactive" => self.interactive = flag(value)?,
            "columns" => {
                let columns = value.parse().ok().filter(|c| COLUMNS.contains(c));
                self.columns = columns.ok_or("a terminal has 40 to 1000 columns")?;
            }
            "patience" => {
                let patience = value.parse().ok().filter(|seconds| *seconds > 0);
                self.patience = patience.ok_or("patience is whole seconds, at least one")?;
            }
            "bench" => self.bench = flag(value)?,
            "trace" => self.trace = flag(value)?,
            "selftest" => {
                let test = SelfTest::from_word(value);
                self.selftest = Some(test.ok_or("the self-tests are gpf and gpf-vm")?);
            }
            _ => {
                return Err(
                    "known are nonce, deadline, log, interactive, columns, patience, bench, trace \
                     and selftest",
                );
            }
        }
        Ok(())
    }
}

fn flag(value: &str) -> Result<bool, &'static str> {
    match value {
        "0" => Ok(false),
        "1" => Ok(true),
        _ => Err("it is 0 or 1"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> (Args, usize) {
        let mut warnings = 0;
        let args = Args::parse(text, &mut |_| warnings += 1);
        (args, warnings)
    }

    #[test]
    fn every_key_is_read_and_other_words_are_left_alone() {
        let (args, warnings) = parse(
            "console=x suzerain.nonce=0aF suzerain.deadline=20 suzerain.log=debug \
             suzerain.interactive=1 suzerain.columns=132 suzerain.patience=3 suzerain.bench=1 \
             suzerain.trace=1 suzerain.selftest=gpf quiet",
        );
        assert_eq!(warnings, 0);
        assert_eq!(args.nonce, "0aF");
        assert_eq!(args.deadline, Some(20));
        assert_eq!(args.log, Verbosity::Debug);
        assert_eq!((args.columns, args.patience), (132, 3));
        assert!(args.interactive && args.bench && args.trace);
        assert_eq!(args.selftest, Some(SelfTest::Gpf));
    }

    #[test]
    fn unknown_keys_and_bad_values_are_named_and_leave_the_defaults() {
        let text = "suzerain.nonce=xyz suzerain.deadline=-1 suzerain.log=loud \
                    suzerain.columns=2 suzerain.patience=0 suzerain.bench=yes suzerain.selftest=all suzerain.frobnicate";
        let (args, warnings) = parse(text);
        assert_eq!(warnings, 8);
        assert_eq!(args, Args::default());
    }

    #[test]
    fn a_nonce_that_does_not_fit_is_refused_whole() {
        let mut text = std::string::String::from("suzerain.nonce=");
        text.extend(std::iter::repeat_n('a', MAX_NONCE + 1));
        assert_eq!(parse(&text).0.nonce, "");
    }

    extern crate std;
}
