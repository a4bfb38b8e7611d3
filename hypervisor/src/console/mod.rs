//! The operator's console: one serial line that carries guests, log, answers and
//! what is typed.
//!
//! [`shell::Console`] decides what is shown and whom a key is for. It stands behind
//! the console's lock ([`desk`]), and the UART behind another ([`port`]), in this
//! order. Guests' output is gathered by line before it gets here, so that both are
//! taken once per line.

mod desk;
mod port;

pub use desk::{any_input, due, has_command, has_input};

use core::fmt::{self, Write};
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

use log::{Level, LevelFilter, Log, Metadata, Record};
use report::args::Args;
use shell::{Command, Sink, Text};

use crate::arch::timer;
use crate::flight;
use crate::memory::Ram;
use crate::sync::{Mutex, rank};
use desk::{Desk, Guest, Printed};
use port::Port;

static DESK: Mutex<Desk, { rank::CONSOLE }> = Mutex::new(Desk::new());
/// A CPU is about to stop the machine: what is written goes past the terminal's
/// state, which nobody may be able to trust any more.
static SEIZED: AtomicBool = AtomicBool::new(false);

/// Takes the UART that the platform describes, mapped as a device, and starts the
/// log. Returns false if it cannot be where the platform says.
pub fn open(uart: &platform::Uart) -> bool {
    let opened = port::open(uart);
    if opened {
        // A second logger is refused, and there is none.
        let _ = log::set_logger(&Logger);
        log::set_max_level(LevelFilter::Info);
    }
    opened
}

/// Acts on the console, which no other CPU does meanwhile.
fn with<R>(act: impl FnOnce(&mut Desk, &mut Port) -> R) -> R {
    let mut desk = DESK.lock();
    port::with(|port| act(&mut desk, port))
}

/// What the console keeps of VMs.
pub struct Seats {
    printed: &'static mut [Printed],
    guests: &'static mut [Guest],
}

impl Seats {
    /// Room for `count` VMs; `None` if there is no RAM for it.
    pub fn new(count: usize, ram: &mut Ram) -> Option<Self> {
        Some(Self {
            printed: ram.keep(count)?,
            guests: ram.keep(count)?,
        })
    }
}

/// The VMs are known, in the order of their numbers from zero; what is typed is
/// read from now on, if anything is.
pub fn begin<'n>(seats: Seats, names: impl Iterator<Item = &'n str>, args: &Args) {
    let Seats { printed, guests } = seats;
    for (printed, name) in printed.iter_mut().zip(names) {
        printed.set_name(name);
    }
    let terminal = (args.interactive, args.columns);
    with(|desk, port| desk.begin(printed, guests, terminal, port));
}

/// Writes what a guest prints, in whole lines as far as there are any.
pub fn write(vm: usize, bytes: &[u8]) {
    with(|desk, port| desk.output(vm, bytes, port));
}

/// A VM that was over begins another life.
pub fn started(vm: usize) {
    with(|desk, _| desk.started(vm));
}

/// A VM is over.
pub fn ended(vm: usize) {
    with(|desk, port| desk.ended(vm, port));
}

/// Writes a line of the hypervisor's own.
pub fn line(arguments: fmt::Arguments<'_>) {
    if SEIZED.load(Relaxed) {
        // A console takes everything.
        return port::with(|port| _ = writeln!(Text(port), "{arguments}"));
    }
    with(|desk, port| desk.screen.log_line(arguments, port));
}

/// Writes an answer to the operator, or a part of one.
pub fn answer(write: impl FnOnce(&mut dyn Write) -> fmt::Result) {
    with(|desk, port| desk.screen.reply(port, write));
}

/// The answer is complete.
pub fn answered() {
    with(|desk, port| desk.screen.ready(port));
}

/// Writes a line that is for a program, past whatever else is on the terminal.
pub fn framed<R>(write: impl FnOnce(&mut dyn Write) -> R) -> R {
    with(|desk, port| {
        desk.screen.fresh_row(port);
        let result = write(&mut Text(port));
        port.put(b"\r\n");
        result
    })
}

/// The run is over: nothing more is read, and there is no prompt.
pub fn finish() {
    with(|desk, port| {
        port.set_input_interrupt(false);
        desk.screen.finish(port);
    });
}

/// Takes what came in on the UART.
pub fn receive() {
    with(Desk::receive);
}

/// The next byte that was typed for a VM, which stays there.
pub fn peek(vm: usize) -> Option<u8> {
    with(|desk, _| desk.peek(vm))
}

/// The next byte that was typed for a VM.
pub fn take(vm: usize) -> Option<u8> {
    with(|desk, port| desk.take(vm, port))
}

/// The next thing the operator wants done.
pub fn next_command() -> Option<Command> {
    with(Desk::next_command)
}

/// A guest on this CPU begins a line: should it not end it, the timer sees to it
/// that the line is shown all the same.
#[cold]
pub fn begins() {
    desk::remind_of_line();
    timer::arm_no_later(due());
}

/// Does what has come due at tick `now`.
#[inline]
pub fn attend(now: u64) {
    if now >= due() {
        with(Desk::attend);
    }
}

/// Breaks the locks: this CPU is about to stop and has something to say, in lines
/// that begin here.
pub fn seize() {
    SEIZED.store(true, Relaxed);
    port::seize();
    port::with(|port| port.put(b"\r\n"));
}

/// Writes what happened last, in words; for a CPU that has seized the console.
pub fn tell_last() {
    port::with(|port| _ = flight::tell_last(port));
}

/// Waits until everything written is on the line.
pub fn drain() {
    port::with(|port| port.drain());
}

struct Logger;

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let micros = timer::micros();
        let (seconds, micros) = (micros / 1_000_000, micros % 1_000_000);
        let level = match record.level() {
            Level::Error => "error: ",
            Level::Warn => "warning: ",
            Level::Info => "",
            Level::Debug => "debug: ",
            Level::Trace => "trace: ",
        };
        line(format_args!(
            "[{seconds:>5}.{micros:06}] {level}{}",
            record.args()
        ));
    }

    fn flush(&self) {}
}
