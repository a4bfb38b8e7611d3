//! One terminal for all guests and the operator.
//!
//! In **overview** every guest's lines appear behind its name, neutralised
//! (`neutral`), and the operator types at the prompt. **Attached** to a guest, the
//! terminal is that guest's, byte by byte in both directions, and nothing else is
//! shown but the log. What leaves it is Ctrl-T, which is looked for in what the
//! operator types only: a guest cannot switch anything by what it prints.
//!
//! A run of a single VM begins attached, so that its line looks like the guest's
//! own.

use core::fmt::{self, Write};

use crate::command::{self, Command, Usage};
use crate::editor::{self, Edit, Editor, Line};
use crate::guest::Guest;
use crate::neutral::Shape;
use crate::roster::Roster;
use crate::sink::{Nowhere, Sink, Text};

/// Ctrl-T: leaves a guest.
pub const LEAVE: u8 = 0x14;
/// What the shell says when it is ready.
pub const PROMPT: &str = "suzerain> ";

/// Undoes what a guest may have done to the terminal: ends a control sequence that
/// it left open (CAN, ST), character sets, soft reset (DECSTR), attributes, cursor
/// shown, wrapping on, the normal screen, no mouse reports, no bracketed paste, and
/// the whole screen as scrolling region, with the cursor where it is.
const RESET: &[u8] = b"\x18\x1b\\\x0f\x1b(B\x1b[!p\x1b[0m\x1b[?25h\x1b[?7h\x1b[?1047l\
    \x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?2004l\x1b7\x1b[r\x1b8";

/// What a byte that the operator typed comes to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// Nothing for anybody else.
    Nothing,
    /// A guest reads this byte on its console.
    ToGuest {
        /// The guest's place.
        vm: usize,
        /// The byte.
        byte: u8,
    },
    /// To be done, and answered by [`Console::reply`]; [`Console::ready`] then gives
    /// the prompt back.
    Command(Command),
}

/// The console of guests, of each of which the last `BACKLOG` bytes are kept.
pub struct Console<'g, const BACKLOG: usize> {
    guests: &'g mut [Guest<BACKLOG>],
    /// The guest the terminal belongs to.
    attached: Option<usize>,
    /// The guest that the last byte left.
    left: Option<usize>,
    editor: Editor,
    is_interactive: bool,
    /// Whether prompt and line are on the terminal's last row.
    is_prompting: bool,
    /// Whether the cursor is behind something else.
    is_mid_row: bool,
    /// Zero until the console has been begun.
    columns: u16,
    /// Lines of others that ended while the terminal was one guest's.
    missed: u32,
}

/// The names of the guests, apart from the editor.
struct Names<'a, const BACKLOG: usize>(&'a [Guest<BACKLOG>]);

impl<const BACKLOG: usize> Roster for Names<'_, BACKLOG> {
    fn count(&self) -> usize {
        self.0.len()
    }

    fn name(&self, vm: usize) -> Option<&str> {
        self.0.get(vm).map(|guest| guest.name.as_str())
    }
}

impl<'g, const BACKLOG: usize> Console<'g, BACKLOG> {
    /// No guests yet.
    pub const fn new() -> Self {
        Self {
            guests: &mut [],
            attached: None,
            left: None,
            editor: Editor::new(),
            is_interactive: false,
            is_prompting: false,
            is_mid_row: false,
            columns: 0,
            missed: 0,
        }
    }

    /// These are the guests; all else knows them by their places. The only one of them gets the terminal; of several, or
    /// of none, there is the overview, with a prompt if somebody types.
    pub fn begin(
        &mut self,
        guests: &'g mut [Guest<BACKLOG>],
        is_interactive: bool,
        columns: u16,
        sink: &mut dyn Sink,
    ) {
        self.guests = guests;
        self.is_interactive = is_interactive;
        self.columns = columns;
        self.attached = (self.guests.len() == 1).then_some(0);
        self.ready(sink);
    }

    /// The guest that the terminal belongs to.
    pub fn attached(&self) -> Option<usize> {
        self.attached
    }

    /// Takes a byte that the operator typed.
    pub fn input(&mut self, byte: u8, sink: &mut dyn Sink) -> Event {
        let left = self.left.take();
        match (self.attached, left) {
            (Some(_), _) if byte == LEAVE => {
                self.leave(sink);
                Event::Nothing
            }
            (Some(vm), _) => Event::ToGuest { vm, byte },
            (None, Some(vm)) if byte == LEAVE => {
                self.enter(vm, sink);
                Event::ToGuest { vm, byte }
            }
            (None, _) => self.edit(byte, sink),
        }
    }

    /// Takes what a guest prints at `now`: shows it, and keeps the last of it for
    /// whoever attaches later.
    pub fn output(&mut self, vm: usize, bytes: &[u8], now: u64, sink: &mut dyn Sink) {
        let (shape, attached) = (self.shape(), self.attached);
        let Some(guest) = self.guests.get_mut(vm) else {
            return;
        };
        guest.keep(bytes);
        match attached {
            Some(other) if other == vm => {
                sink.put(bytes);
                if let Some(last) = bytes.last() {
                    self.is_mid_row = *last != b'\n';
                }
            }
            Some(_) => {
                let ended = guest.gather(bytes, now, shape, &mut Nowhere);
                self.missed = self.missed.saturating_add(ended);
            }
            None => self.rows(vm, sink, |guest, rows| {
                guest.gather(bytes, now, shape, rows);
            }),
        }
    }

    /// Shows each line, in overview, whose guest has not gone on with it for
    /// `silence`. Returns when that may next be so of another.
    pub fn flush_silent(&mut self, now: u64, silence: u64, sink: &mut dyn Sink) -> Option<u64> {
        if self.attached.is_some() {
            return None;
        }
        let mut next = None;
        for vm in 0..self.guests.len() {
            let since = self.guests.get(vm).and_then(Guest::silent_since);
            let Some(due) = since.map(|since| since.saturating_add(silence)) else {
                continue;
            };
            if due <= now {
                self.flush(vm, sink);
            } else {
                next = Some(next.map_or(due, |next: u64| next.min(due)));
            }
        }
        next
    }

    /// Shows the line that a guest has begun, in overview, and will not end.
    fn flush(&mut self, vm: usize, sink: &mut dyn Sink) {
        let shape = self.shape();
        if self.attached.is_none() {
            self.rows(vm, sink, |guest, rows| guest.flush(shape, rows));
        }
    }

    /// Has a guest write whole rows. The prompt makes way if there are any, and
    /// comes back below them.
    fn rows(
        &mut self,
        vm: usize,
        sink: &mut dyn Sink,
        write: impl FnOnce(&mut Guest<BACKLOG>, &mut dyn Sink),
    ) {
        let Some(guest) = self.guests.get_mut(vm) else {
            return;
        };
        let was_prompting = self.is_prompting;
        let mut rows = Rows {
            is_prompting: &mut self.is_prompting,
            is_mid_row: &mut self.is_mid_row,
            sink,
        };
        write(guest, &mut rows);
        if was_prompting && !self.is_prompting {
            self.ready(sink);
        }
    }

    /// A guest has ended. Its terminal, if it has it, is the operator's again,
    /// unless it is the only guest there is.
    pub fn ended(&mut self, vm: usize, sink: &mut dyn Sink) {
        self.flush(vm, sink);
        if let Some(guest) = self.guests.get_mut(vm) {
            guest.forget();
        }
        if self.attached == Some(vm) && self.guests.len() > 1 {
            self.leave(sink);
            self.left = None;
        }
    }

    /// Writes a line of the hypervisor's own on a row of its own.
    pub fn log_line(&mut self, line: fmt::Arguments<'_>, sink: &mut dyn Sink) {
        let was_prompting = self.is_prompting;
        self.fresh_row(sink);
        // A sink takes everything.
        let _ = Text(sink).write_fmt(line);
        sink.put(b"\r\n");
        if was_prompting {
            self.ready(sink);
        }
    }

    /// Writes the answer to a command, whose text ends with a line end.
    pub fn reply(
        &mut self,
        sink: &mut dyn Sink,
        write: impl FnOnce(&mut dyn fmt::Write) -> fmt::Result,
    ) {
        self.fresh_row(sink);
        let _ = write(&mut Text(sink));
    }

    /// The command is done: the prompt comes back, if somebody types and the
    /// terminal is no guest's.
    pub fn ready(&mut self, sink: &mut dyn Sink) {
        if self.is_interactive && self.attached.is_none() {
            self.fresh_row(sink);
            self.editor.draw(PROMPT, sink);
            self.is_prompting = true;
        }
    }

    /// Gives the terminal to a guest and shows the last of what it printed.
    pub fn attach(&mut self, vm: usize, sink: &mut dyn Sink) {
        if vm >= self.guests.len() {
            return;
        }
        self.fresh_row(sink);
        self.enter(vm, sink);
        if let Some(guest) = self.guests.get(vm) {
            let name = &guest.name;
            let _ = writeln!(
                Text(sink),
                "to {name}: Ctrl-T comes back, Ctrl-T twice sends it one"
            );
            self.is_mid_row = guest.replay(sink);
        }
    }

    fn shape(&self) -> Shape {
        let names = self.guests.iter().map(|guest| guest.name.len());
        Shape {
            pad: names.max().unwrap_or_default(),
            columns: self.columns.into(),
        }
    }

    fn enter(&mut self, vm: usize, sink: &mut dyn Sink) {
        self.fresh_row(sink);
        self.attached = Some(vm);
        self.missed = 0;
        if let Some(guest) = self.guests.get_mut(vm) {
            guest.forget();
        }
    }

    fn leave(&mut self, sink: &mut dyn Sink) {
        let Some(vm) = self.attached.take() else {
            return;
        };
        self.left = Some(vm);
        sink.put(RESET);
        sink.put(b"\r\n");
        self.is_mid_row = false;
        let mut out = Text(sink);
        if let Some(guest) = self.guests.get(vm) {
            let name = &guest.name;
            let _ = write!(out, "left {name}; `vm console {name}` goes back");
        }
        let _ = match self.missed {
            0 => out.write_str("\n"),
            1 => out.write_str("; 1 line of other VMs was not shown\n"),
            missed => writeln!(out, "; {missed} lines of other VMs were not shown"),
        };
        self.ready(sink);
    }

    fn edit(&mut self, byte: u8, sink: &mut dyn Sink) -> Event {
        if !self.is_interactive {
            return Event::Nothing;
        }
        if !self.is_prompting {
            self.ready(sink);
        }
        if byte == LEAVE {
            editor::bell(sink);
            return Event::Nothing;
        }
        match self.editor.take(byte, PROMPT, sink) {
            Edit::Editing => Event::Nothing,
            Edit::Complete => {
                self.complete(sink);
                Event::Nothing
            }
            Edit::Cancelled => {
                self.is_prompting = false;
                self.ready(sink);
                Event::Nothing
            }
            Edit::TooLong => {
                self.is_prompting = false;
                let _ = writeln!(
                    Text(sink),
                    "that line had more than {} characters and was not run",
                    editor::CAPACITY
                );
                self.ready(sink);
                Event::Nothing
            }
            Edit::Typed(line) => {
                self.is_prompting = false;
                self.run(&line, sink)
            }
        }
    }

    fn run(&mut self, line: &Line, sink: &mut dyn Sink) -> Event {
        let names = Names(self.guests);
        // The editor lets nothing but ASCII in.
        let line = core::str::from_utf8(line).unwrap_or_default();
        match command::parse(line, &names) {
            None => {}
            Some(Ok(Command::Help(topic))) => {
                let _ = help(&mut Text(sink), topic);
            }
            Some(Ok(Command::VmConsole(vm))) => {
                self.attach(vm, sink);
                return Event::Nothing;
            }
            Some(Ok(command)) => return Event::Command(command),
            Some(Err(refusal)) => {
                let _ = writeln!(Text(sink), "{refusal}");
            }
        }
        self.ready(sink);
        Event::Nothing
    }

    /// Adds what all words that fit have in common; if that is nothing, shows them.
    fn complete(&mut self, sink: &mut dyn Sink) {
        let names = Names(self.guests);
        let line = self.editor.before_cursor();
        let line = core::str::from_utf8(line).unwrap_or_default();
        let typed = line.rsplit(' ').next().unwrap_or_default().len();
        let mut count = 0;
        let mut common: Option<&str> = None;
        command::complete(line, &names, &mut |word| {
            count += 1;
            let shared = common.map_or(word.len(), |common| shared(common, word));
            common = word.get(..shared);
        });
        let more = common
            .and_then(|word| word.get(typed..))
            .unwrap_or_default();
        if more.is_empty() && count > 1 {
            let mut out = Text(sink);
            let _ = out.write_str("\n");
            command::complete(line, &names, &mut |word| {
                let _ = write!(out, "{word}  ");
            });
            let _ = out.write_str("\n");
        } else if count == 0 {
            editor::bell(sink);
        }
        let more = heapless::String::<{ editor::CAPACITY }>::try_from(more).unwrap_or_default();
        self.editor.insert(&more);
        if count == 1 {
            self.editor.insert(" ");
        }
        self.editor.draw(PROMPT, sink);
    }

    /// Sees to it that the cursor is at the beginning of an empty row, for what is
    /// written past the console.
    pub fn fresh_row(&mut self, sink: &mut dyn Sink) {
        fresh_row(&mut self.is_prompting, &mut self.is_mid_row, sink);
    }

    /// The run is over: there is no prompt any more.
    pub fn finish(&mut self, sink: &mut dyn Sink) {
        self.is_interactive = false;
        self.fresh_row(sink);
    }
}

impl<const BACKLOG: usize> Default for Console<'_, BACKLOG> {
    fn default() -> Self {
        Self::new()
    }
}

/// The sink for whole rows: the first byte finds an empty row.
struct Rows<'a> {
    is_prompting: &'a mut bool,
    is_mid_row: &'a mut bool,
    sink: &'a mut dyn Sink,
}

impl Sink for Rows<'_> {
    fn put(&mut self, bytes: &[u8]) {
        fresh_row(self.is_prompting, self.is_mid_row, self.sink);
        self.sink.put(bytes);
    }
}

/// Removes the prompt with what is typed behind it, or ends the row.
fn fresh_row(is_prompting: &mut bool, is_mid_row: &mut bool, sink: &mut dyn Sink) {
    if core::mem::take(is_prompting) {
        sink.put(b"\r\x1b[K");
    }
    if core::mem::take(is_mid_row) {
        sink.put(b"\r\n");
    }
}

/// How much of their beginnings two words share, in bytes.
fn shared(one: &str, other: &str) -> usize {
    one.bytes()
        .zip(other.bytes())
        .take_while(|(one, other)| one == other)
        .count()
}

/// Lists the commands, or those that begin with a word.
fn help(out: &mut dyn fmt::Write, topic: Option<&'static str>) -> fmt::Result {
    let chosen = |usage: &&Usage| topic.is_none_or(|topic| usage.first() == topic);
    for usage in command::COMMANDS.iter().filter(chosen) {
        // Width by hand: a `Display` of several parts is not padded.
        let mut shown = heapless::String::<32>::new();
        let _ = write!(shown, "{usage}");
        writeln!(out, "  {shown:<25} {}", usage.help())?;
    }
    out.write_str("Tab completes; Ctrl-T leaves a VM's console.\n")
}
