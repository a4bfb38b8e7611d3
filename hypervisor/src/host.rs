//! What the host keeps for itself while guests run: its interrupts, the
//! deadline, and the console's input.

use arm_gic::IntId;
use arm_gic::gicv3::GicError;
use heapless::Deque;
use platform::Platform;
use report::args::Args;

use crate::arch::gic::{self, Gic};
use crate::arch::{cpu, timer};
use crate::bench::Bench;
use crate::console;

/// Bytes of console input kept for a guest that does not read; more wait in the
/// UART.
const INPUT: usize = 256;

/// Interrupts taken in one go.
const INTERRUPTS_AT_ONCE: usize = 32;

/// The host's own business.
pub struct Host {
    /// The arguments.
    pub args: Args,
    /// When the image was entered, in ticks.
    pub entered: u64,
    /// Counts what exits cost, if asked for.
    pub bench: Option<Bench>,
    deadline: Option<u64>,
    timer: Option<IntId>,
    uart: Option<IntId>,
    input: Deque<u8, INPUT>,
}

impl Host {
    /// Sets up the interrupts of the host and those by which the timers of
    /// guests end their turn.
    pub fn new(
        platform: &Platform,
        gic: &mut Gic,
        args: Args,
        entered: u64,
    ) -> Result<Self, GicError> {
        let timers = platform.timer;
        let timer = intid(timers.hyp_physical);
        // While a Realm runs, its timers are the CPU's: without these two at the
        // GIC, its ticks would end no turn. The same goes for the maintenance
        // interrupt of its virtual CPU interface.
        let maintenance = platform.gic.maintenance_intid;
        let of_guests = [Some(timers.physical), Some(timers.virtual_), maintenance];
        for guest in of_guests.into_iter().flatten().filter_map(intid) {
            gic.enable(guest)?;
        }
        if let Some(timer) = timer {
            gic.enable(timer)?;
        }
        let uart = match platform.uart.intid.and_then(intid) {
            Some(uart) if args.interactive => {
                gic.enable(uart)?;
                console::set_input_interrupt(true);
                Some(uart)
            }
            _ => None,
        };
        let deadline = args
            .deadline
            .map(|seconds| seconds.saturating_mul(timer::frequency()));
        let host = Self {
            bench: args.bench.then(Bench::start),
            args,
            entered,
            deadline,
            timer,
            uart,
            input: Deque::new(),
        };
        host.arm(None);
        Ok(host)
    }

    /// Whether the VMs' time is up.
    pub fn is_late(&self) -> bool {
        self.deadline
            .is_some_and(|deadline| timer::now() >= deadline)
    }

    /// Has the timer end a guest's turn at the deadline, or at `until` if that
    /// is earlier.
    fn arm(&self, until: Option<u64>) {
        match (self.deadline, until) {
            (None, None) => timer::disarm(),
            (Some(at), None) | (None, Some(at)) => timer::arm(at),
            (Some(deadline), Some(until)) => timer::arm(deadline.min(until)),
        }
    }

    /// Takes the pending interrupts; a line that never falls is left pending
    /// after a while, which costs the guest time but not the host its grip.
    pub fn take_interrupts(&mut self) {
        for _ in 0..INTERRUPTS_AT_ONCE {
            let Some(intid) = gic::acknowledge() else {
                return;
            };
            if Some(intid) == self.timer {
                // Level-triggered: it must fall before it is ended.
                timer::disarm();
            } else if Some(intid) == self.uart {
                self.receive();
            }
            gic::end(intid);
        }
    }

    /// Takes what came in on the UART, as far as there is room. Then the UART
    /// keeps the rest, and its interrupt rests with it.
    fn receive(&mut self) {
        while !self.input.is_full() {
            match console::read() {
                Some(byte) => {
                    let _ = self.input.push_back(byte);
                }
                None => return,
            }
        }
        console::set_input_interrupt(false);
    }

    /// The next byte of input, which stays there.
    pub fn peek_input(&self) -> Option<u8> {
        self.input.front().copied()
    }

    /// The next byte of input.
    pub fn input(&mut self) -> Option<u8> {
        let was_full = self.input.is_full();
        let byte = self.input.pop_front();
        if was_full {
            console::set_input_interrupt(true);
            // What waited in the UART announces itself no second time.
            self.receive();
        }
        byte
    }

    /// Sleeps until an interrupt, the deadline, or tick `until`.
    pub fn sleep(&mut self, until: Option<u64>) {
        self.arm(until);
        cpu::wait_for_interrupt();
        self.take_interrupts();
        self.arm(None);
    }
}

/// A private or shared interrupt by its number.
fn intid(number: u32) -> Option<IntId> {
    match number {
        16..32 => Some(IntId::ppi(number - 16)),
        32..1020 => Some(IntId::spi(number - 32)),
        1056..1120 => Some(IntId::eppi(number - 1056)),
        4096..5120 => Some(IntId::espi(number - 4096)),
        _ => None,
    }
}
