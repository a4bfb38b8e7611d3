//! What is behind the console's lock: the terminal as guests and operator share it,
//! and what was typed and nobody has taken yet.

use core::sync::atomic::{AtomicU16, AtomicU64, AtomicUsize, Ordering::Relaxed};

use heapless::Deque;
use shell::{Command, Event};
use vm_config::MAX_VMS;

use super::port::Port;
use crate::arch::timer;

/// Bytes of each VM's output that are kept for whoever attaches later.
const BACKLOG: usize = 4096;
/// Bytes of input kept for a VM that does not read.
const INPUT: usize = 256;
/// Commands kept until somebody carries them out.
const COMMANDS: usize = 8;
/// Bytes taken from the UART in one go.
const AT_ONCE: usize = 1024;
/// A guest that prints nothing more for so long has begun a line that it will not
/// end soon: a fraction of a second.
const SILENCE: u64 = 4;
/// Seconds that input waits for a guest without room for it.
const PATIENCE: u64 = 1;

/// No time.
pub const NEVER: u64 = u64::MAX;

/// How much input there is for each VM, and for all, for a look without the lock.
static COUNTS: [AtomicU16; MAX_VMS] = [const { AtomicU16::new(0) }; MAX_VMS];
static TOTAL: AtomicUsize = AtomicUsize::new(0);
/// Commands that wait, for the same.
static COMMANDS_WAITING: AtomicUsize = AtomicUsize::new(0);
/// When [`Desk::attend`] has something to do.
static DUE: AtomicU64 = AtomicU64::new(NEVER);

/// A VM on the screen.
pub type Printed = shell::Guest<BACKLOG>;

/// A VM at the keyboard.
#[derive(Default)]
pub struct Guest {
    /// What was typed for it.
    input: Deque<u8, INPUT>,
    /// Whether it may read some day: it is not over.
    listens: bool,
    /// It had no room for so long that what is typed for it is dropped.
    drops: bool,
}

/// The console.
pub struct Desk {
    /// The terminal.
    pub screen: shell::Console<'static, BACKLOG>,
    guests: &'static mut [Guest],
    commands: Deque<Command, COMMANDS>,
    /// What is typed stays in the UART, whose interrupt rests meanwhile.
    holds: bool,
    /// When it has waited long enough for a guest without room.
    gives_up: u64,
}

/// Whether there is input for any VM.
#[inline]
pub fn any_input() -> bool {
    TOTAL.load(Relaxed) != 0
}

/// Whether there is input for this VM.
#[inline]
pub fn has_input(vm: usize) -> bool {
    COUNTS.get(vm).is_some_and(|count| count.load(Relaxed) != 0)
}

/// Whether the operator waits for something to be done.
#[inline]
pub fn has_command() -> bool {
    COMMANDS_WAITING.load(Relaxed) != 0
}

/// The tick at which the console wants attention; [`NEVER`] if it does not.
#[inline]
pub fn due() -> u64 {
    DUE.load(Relaxed)
}

impl Desk {
    /// Nobody is there yet.
    pub const fn new() -> Self {
        Self {
            screen: shell::Console::new(),
            guests: &mut [],
            commands: Deque::new(),
            holds: false,
            gives_up: NEVER,
        }
    }

    /// These are the VMs, all of which begin a life. What is typed is read from now
    /// on, if anything is.
    pub fn begin(
        &mut self,
        printed: &'static mut [Printed],
        guests: &'static mut [Guest],
        (is_interactive, columns): (bool, u16),
        port: &mut Port,
    ) {
        self.guests = guests;
        self.guests
            .iter_mut()
            .for_each(|guest| guest.listens = true);
        self.screen.begin(printed, is_interactive, columns, port);
        if is_interactive {
            port.set_input_interrupt(true);
            self.receive(port);
        }
    }

    /// Takes what a guest prints.
    pub fn output(&mut self, vm: usize, bytes: &[u8], port: &mut Port) {
        self.screen.output(vm, bytes, timer::now(), port);
        if bytes.last() != Some(&b'\n') {
            remind_of_line();
        }
    }

    /// A VM begins a life, and may read what is typed.
    pub fn started(&mut self, vm: usize) {
        if let Some(guest) = self.guests.get_mut(vm) {
            guest.listens = true;
        }
    }

    /// A VM is over: it reads nothing more, and has not the terminal.
    pub fn ended(&mut self, vm: usize, port: &mut Port) {
        self.screen.ended(vm, port);
        if let Some(guest) = self.guests.get_mut(vm) {
            guest.listens = false;
            while guest.input.pop_front().is_some() {
                count(vm, false);
            }
        }
        self.go_on(port);
    }

    /// Takes what came in on the UART, as far as there is room. Then the UART keeps
    /// the rest, and its interrupt rests with it.
    pub fn receive(&mut self, port: &mut Port) {
        for _ in 0..AT_ONCE {
            if !self.has_room() {
                port.set_input_interrupt(false);
                self.holds = true;
                self.gives_up = timer::now().saturating_add(PATIENCE * timer::frequency());
                return remind_at(self.gives_up);
            }
            let Some(byte) = port.read() else {
                return;
            };
            self.typed(byte, port);
        }
        // What waits in the UART announces itself no second time.
        self.holds = true;
        remind(0);
    }

    /// The next byte for a VM, which stays there.
    pub fn peek(&self, vm: usize) -> Option<u8> {
        self.guests.get(vm)?.input.front().copied()
    }

    /// The next byte for a VM.
    pub fn take(&mut self, vm: usize, port: &mut Port) -> Option<u8> {
        let guest = self.guests.get_mut(vm)?;
        let byte = guest.input.pop_front()?;
        guest.drops = false;
        count(vm, false);
        self.go_on(port);
        Some(byte)
    }

    /// The next command.
    pub fn next_command(&mut self, port: &mut Port) -> Option<Command> {
        let command = self.commands.pop_front()?;
        COMMANDS_WAITING.fetch_sub(1, Relaxed);
        self.go_on(port);
        Some(command)
    }

    /// Does what has come due: shows lines that guests have begun and do not go on
    /// with, and gives up waiting for one that reads nothing. So such a guest cannot
    /// keep the operator, who may want to leave it.
    pub fn attend(&mut self, port: &mut Port) {
        DUE.store(NEVER, Relaxed);
        let (now, silence) = (timer::now(), silence());
        if let Some(next) = self.screen.flush_silent(now, silence, port) {
            remind_at(next);
        }
        if !self.holds {
            return;
        }
        if now < self.gives_up {
            remind_at(self.gives_up);
        } else if let Some(vm) = self.screen.attached()
            && let Some(guest) = self.guests.get_mut(vm)
        {
            guest.drops = guest.input.is_full();
        }
        self.go_on(port);
    }

    /// Reads on, if what was typed had to wait.
    fn go_on(&mut self, port: &mut Port) {
        if self.holds && self.has_room() {
            self.holds = false;
            port.set_input_interrupt(true);
            self.receive(port);
        }
    }

    /// Whether there is room for whatever comes next.
    fn has_room(&self) -> bool {
        let attached = self.screen.attached().and_then(|vm| self.guests.get(vm));
        let takes = |guest: &Guest| !guest.listens || guest.drops || !guest.input.is_full();
        !self.commands.is_full() && attached.is_none_or(takes)
    }

    fn typed(&mut self, byte: u8, port: &mut Port) {
        match self.screen.input(byte, port) {
            Event::Nothing => {}
            Event::ToGuest { vm, byte } => {
                let guest = self.guests.get_mut(vm).filter(|guest| guest.listens);
                if guest.is_some_and(|guest| guest.input.push_back(byte).is_ok()) {
                    count(vm, true);
                }
            }
            Event::Command(command) => {
                // There was room.
                if self.commands.push_back(command).is_ok() {
                    COMMANDS_WAITING.fetch_add(1, Relaxed);
                }
            }
        }
    }
}

/// Counts a byte for a VM that came or went. Under the lock.
fn count(vm: usize, came: bool) {
    let step = |now: u16| match came {
        true => now.wrapping_add(1),
        false => now.wrapping_sub(1),
    };
    if let Some(count) = COUNTS.get(vm) {
        count.store(step(count.load(Relaxed)), Relaxed);
    }
    match came {
        true => TOTAL.fetch_add(1, Relaxed),
        false => TOTAL.fetch_sub(1, Relaxed),
    };
}

/// Has somebody look again once a begun line has been silent for long enough.
pub fn remind_of_line() {
    remind(silence());
}

/// Ticks of silence in the middle of a line.
fn silence() -> u64 {
    timer::frequency() / SILENCE
}

/// Asks for attention so many ticks from now.
fn remind(ticks: u64) {
    remind_at(timer::now().saturating_add(ticks));
}

/// Asks for attention at a tick.
fn remind_at(tick: u64) {
    DUE.fetch_min(tick, Relaxed);
}
