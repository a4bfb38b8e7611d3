//! What an operator can say.
//!
//! One table holds all of it: the parser, `help`, the completion and the sentences
//! of errors are made from it.

use core::fmt::{self, Display, Formatter};

use report::args::Verbosity;

use crate::roster::Roster;

/// How an answer is wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Form {
    /// For people: aligned text.
    #[default]
    Text,
    /// For scripts: one line of JSON.
    Json,
}

/// A command, understood. VMs are given by their place in the [`Roster`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Command {
    /// `vm list`
    VmList(Form),
    /// `vm start NAME`
    VmStart(usize),
    /// `vm stop NAME`: as its guest likes.
    VmStop(usize),
    /// `vm kill NAME`: whatever it does.
    VmKill(usize),
    /// `vm restart NAME`
    VmRestart(usize),
    /// `vm console NAME`; the console itself does this.
    VmConsole(usize),
    /// `vm info NAME`
    VmInfo(usize, Form),
    /// `realm info NAME`
    RealmInfo(usize, Form),
    /// `mem`
    Mem(Form),
    /// `ledger`
    Ledger(Form),
    /// `exits [NAME]`
    Exits(Option<usize>, Form),
    /// `cpu`
    Cpu(Form),
    /// `log LEVEL`
    Log(Verbosity),
    /// `rmm`
    Rmm(Form),
    /// `trace dump`
    TraceDump,
    /// `trace on` and `trace off`
    Trace(bool),
    /// `help [COMMAND]`; the console itself does this.
    Help(Option<&'static str>),
    /// `off`
    Off,
}

/// What follows a command's words.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Argument {
    None,
    Vm,
    MaybeVm,
    Level,
    MaybeCommand,
}

impl Argument {
    /// As `help` shows it.
    const fn shown(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Vm => " NAME",
            Self::MaybeVm => " [NAME]",
            Self::Level => " LEVEL",
            Self::MaybeCommand => " [COMMAND]",
        }
    }
}

/// What was given for it, and how the answer is wanted.
#[derive(Clone, Copy)]
struct Given {
    vm: Option<usize>,
    level: Verbosity,
    topic: Option<&'static str>,
    form: Form,
}

/// A command of the table.
#[derive(Clone, Copy)]
pub struct Usage {
    first: &'static str,
    /// Empty for commands of one word.
    second: &'static str,
    argument: Argument,
    has_json: bool,
    help: &'static str,
    make: fn(Given) -> Command,
}

impl Usage {
    /// What it does.
    pub const fn help(&self) -> &'static str {
        self.help
    }

    /// The first of its words.
    pub const fn first(&self) -> &'static str {
        self.first
    }
}

impl Display for Usage {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.first)?;
        if !self.second.is_empty() {
            write!(f, " {}", self.second)?;
        }
        f.write_str(self.argument.shown())?;
        f.write_str(if self.has_json { " [--json]" } else { "" })
    }
}

const fn with_answer(
    (first, second): (&'static str, &'static str),
    argument: Argument,
    help: &'static str,
    make: fn(Given) -> Command,
) -> Usage {
    Usage {
        first,
        second,
        argument,
        has_json: true,
        help,
        make,
    }
}

const fn plain(
    words: (&'static str, &'static str),
    argument: Argument,
    help: &'static str,
    make: fn(Given) -> Command,
) -> Usage {
    Usage {
        has_json: false,
        ..with_answer(words, argument, help, make)
    }
}

/// The VM of a command that cannot be without; the parser has seen to that.
fn vm(given: Given) -> usize {
    given.vm.unwrap_or(usize::MAX)
}

/// Every command.
pub const COMMANDS: [Usage; 19] = [
    with_answer(
        ("vm", "list"),
        Argument::None,
        "every VM and how it is",
        |g| Command::VmList(g.form),
    ),
    with_answer(("vm", "info"), Argument::Vm, "a VM in detail", |g| {
        Command::VmInfo(vm(g), g.form)
    }),
    plain(
        ("vm", "start"),
        Argument::Vm,
        "build and start a VM that is off",
        |g| Command::VmStart(vm(g)),
    ),
    plain(
        ("vm", "stop"),
        Argument::Vm,
        "ask a VM to end: press its power key",
        |g| Command::VmStop(vm(g)),
    ),
    plain(
        ("vm", "kill"),
        Argument::Vm,
        "end a VM at once, whatever it does",
        |g| Command::VmKill(vm(g)),
    ),
    plain(
        ("vm", "restart"),
        Argument::Vm,
        "end a VM and start it again",
        |g| Command::VmRestart(vm(g)),
    ),
    plain(
        ("vm", "console"),
        Argument::Vm,
        "type to a VM; Ctrl-T comes back",
        |g| Command::VmConsole(vm(g)),
    ),
    with_answer(
        ("realm", "info"),
        Argument::Vm,
        "a Realm's state, measurement, tables and granules",
        |g| Command::RealmInfo(vm(g), g.form),
    ),
    with_answer(("mem", ""), Argument::None, "where memory is", |g| {
        Command::Mem(g.form)
    }),
    with_answer(
        ("ledger", ""),
        Argument::None,
        "granules with the RMM, by kind",
        |g| Command::Ledger(g.form),
    ),
    with_answer(
        ("exits", ""),
        Argument::MaybeVm,
        "exits of each vCPU by reason, and what they cost",
        |g| Command::Exits(g.vm, g.form),
    ),
    with_answer(("cpu", ""), Argument::None, "what each CPU does", |g| {
        Command::Cpu(g.form)
    }),
    plain(
        ("log", ""),
        Argument::Level,
        "how much the log says: error, warn, info, debug or trace",
        |g| Command::Log(g.level),
    ),
    with_answer(
        ("rmm", ""),
        Argument::None,
        "the RMM, and the calls made",
        |g| Command::Rmm(g.form),
    ),
    plain(
        ("trace", "dump"),
        Argument::None,
        "the flight recorder, as lines of JSON",
        |_| Command::TraceDump,
    ),
    plain(
        ("trace", "on"),
        Argument::None,
        "note and time every exit and RMI call, too",
        |_| Command::Trace(true),
    ),
    plain(
        ("trace", "off"),
        Argument::None,
        "note scheduling and rare exits only",
        |_| Command::Trace(false),
    ),
    plain(("help", ""), Argument::MaybeCommand, "this", |g| {
        Command::Help(g.topic)
    }),
    plain(
        ("off", ""),
        Argument::None,
        "stop all VMs and power off",
        |_| Command::Off,
    ),
];

/// Why a line is no command.
#[derive(Clone, Copy)]
pub enum Why<'a> {
    /// No command begins with this word.
    Unknown(&'a str),
    /// The commands that begin with the first word have another second one.
    Second(&'static str, Option<&'a str>),
    /// The command wants a VM.
    NoVm(Usage),
    /// There is no VM of this name.
    NotAVm(&'a str),
    /// The command wants a level, this is none.
    NotALevel(Option<&'a str>),
    /// This word is one too many.
    TooMany(Usage, &'a str),
    /// The command has no answer to be written as JSON.
    NoJson(Usage),
    /// This is no option.
    NotAnOption(&'a str),
}

/// A line that is no command, as a sentence that says what would be one.
#[derive(Clone, Copy)]
pub struct Refusal<'a> {
    /// Why.
    pub why: Why<'a>,
    /// The VMs.
    pub roster: &'a dyn Roster,
}

/// Understands a line; `None` for an empty one.
pub fn parse<'a>(line: &'a str, roster: &'a dyn Roster) -> Option<Result<Command, Refusal<'a>>> {
    let mut form = Form::Text;
    let mut words = [None; 4];
    let mut count = 0;
    let refuse = |why| Some(Err(Refusal { why, roster }));
    for word in line.split_ascii_whitespace() {
        if word == "--json" {
            form = Form::Json;
        } else if word.starts_with('-') {
            return refuse(Why::NotAnOption(word));
        } else if let Some(place) = words.get_mut(count) {
            *place = Some(word);
            count += 1;
        }
    }
    let [Some(first), rest @ ..] = words else {
        return (form == Form::Json).then_some(Err(Refusal {
            why: Why::NotAnOption("--json"),
            roster,
        }));
    };
    Some(understand(first, rest, form, roster).map_err(|why| Refusal { why, roster }))
}

fn understand<'a>(
    first: &'a str,
    rest: [Option<&'a str>; 3],
    form: Form,
    roster: &dyn Roster,
) -> Result<Command, Why<'a>> {
    let mut family = COMMANDS.iter().filter(|usage| usage.first == first);
    let any = *family.clone().next().ok_or(Why::Unknown(first))?;
    let [second, third, fourth] = rest;
    let (usage, given, more) = match any.second {
        "" => (any, second, third),
        _ => {
            let known = family.find(|usage| Some(usage.second) == second);
            (*known.ok_or(Why::Second(any.first, second))?, third, fourth)
        }
    };
    let extra = match usage.argument {
        Argument::None => given,
        _ => more,
    };
    if let Some(word) = extra {
        return Err(Why::TooMany(usage, word));
    }
    if form == Form::Json && !usage.has_json {
        return Err(Why::NoJson(usage));
    }
    let find = |name: &'a str| roster.find(name).ok_or(Why::NotAVm(name));
    let mut all = Given {
        vm: None,
        level: Verbosity::Info,
        topic: None,
        form,
    };
    match (usage.argument, given) {
        (Argument::None, _) => {}
        (Argument::Vm, None) => return Err(Why::NoVm(usage)),
        (Argument::Vm | Argument::MaybeVm, given) => all.vm = given.map(find).transpose()?,
        (Argument::Level, given) => {
            let level = given.and_then(Verbosity::from_word);
            all.level = level.ok_or(Why::NotALevel(given))?;
        }
        (Argument::MaybeCommand, Some(word)) => {
            let topic = COMMANDS.iter().find(|usage| usage.first == word);
            all.topic = Some(topic.ok_or(Why::Unknown(word))?.first);
        }
        (Argument::MaybeCommand, None) => {}
    }
    Ok((usage.make)(all))
}

impl Display for Refusal<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.why {
            Why::Unknown(word) => {
                write!(f, "there is no command \"{word}\"; `help` lists them")
            }
            Why::Second(first, second) => {
                match second {
                    Some(word) => write!(f, "`{first}` knows no \"{word}\"; there is")?,
                    None => write!(f, "`{first}` needs one more word:")?,
                }
                let family = COMMANDS.iter().filter(|usage| usage.first == first);
                list(f, family.map(|usage| usage.second))
            }
            Why::NoVm(usage) => {
                write!(f, "say of which VM: `{usage}`, where NAME is ")?;
                names(f, self.roster)
            }
            Why::NotAVm(word) => {
                write!(f, "there is no VM \"{word}\"; there is ")?;
                names(f, self.roster)
            }
            Why::NotALevel(None) => {
                f.write_str("say which level: error, warn, info, debug or trace")
            }
            Why::NotALevel(Some(word)) => write!(
                f,
                "\"{word}\" is no level of the log; they are error, warn, info, debug and trace"
            ),
            Why::TooMany(usage, word) => {
                write!(f, "\"{word}\" is one word too many; it is `{usage}`")
            }
            Why::NoJson(usage) => write!(f, "`{usage}` has no answer to write as JSON"),
            Why::NotAnOption(word) => write!(
                f,
                "\"{word}\" is no option of this; there is `--json` after a command that answers"
            ),
        }
    }
}

fn list(f: &mut Formatter<'_>, words: impl Iterator<Item = &'static str>) -> fmt::Result {
    let mut separator = " ";
    for word in words {
        write!(f, "{separator}{word}")?;
        separator = ", ";
    }
    Ok(())
}

/// VMs named in a sentence at most.
const NAMED: usize = 8;

fn names(f: &mut Formatter<'_>, roster: &dyn Roster) -> fmt::Result {
    if roster.count() == 0 {
        return f.write_str("none in this run");
    }
    let mut separator = "";
    for name in (0..roster.count().min(NAMED)).filter_map(|vm| roster.name(vm)) {
        write!(f, "{separator}{name}")?;
        separator = ", ";
    }
    match roster.count() > NAMED {
        true => f.write_str(", …; `vm list` has them all"),
        false => Ok(()),
    }
}

/// Gives `each` every word that may stand where the last word of `line` is being
/// typed, and begins like it.
pub fn complete<'r>(line: &str, roster: &'r dyn Roster, each: &mut dyn FnMut(&'r str)) {
    let typed = match line.ends_with(' ') {
        true => "",
        false => line.rsplit(' ').next().unwrap_or_default(),
    };
    let Some(before) = line.get(..line.len() - typed.len()) else {
        return;
    };
    let mut offer = |word: &'r str| {
        if !word.is_empty() && word.starts_with(typed) {
            each(word);
        }
    };
    let mut words = before.split_ascii_whitespace();
    let (first, second, third) = (words.next(), words.next(), words.next());
    let Some(first) = first else {
        return firsts(&mut offer);
    };
    let family = || COMMANDS.iter().filter(move |usage| usage.first == first);
    let argument = match (family().next(), second) {
        (Some(one), None) if one.second.is_empty() => Some(one),
        (Some(_), None) => {
            family().for_each(|usage| offer(usage.second));
            None
        }
        (Some(_), Some(second)) if third.is_none() => family().find(|usage| usage.second == second),
        _ => None,
    };
    match argument.map(|usage| usage.argument) {
        Some(Argument::Vm | Argument::MaybeVm) => {
            (0..roster.count())
                .filter_map(|vm| roster.name(vm))
                .for_each(offer);
        }
        Some(Argument::Level) => Verbosity::WORDS.into_iter().for_each(offer),
        Some(Argument::MaybeCommand) => firsts(&mut offer),
        Some(Argument::None) | None => {}
    }
}

/// The first words of all commands, each once.
fn firsts<'r>(offer: &mut dyn FnMut(&'r str)) {
    let mut last = "";
    for usage in &COMMANDS {
        if usage.first != last {
            offer(usage.first);
            last = usage.first;
        }
    }
}
