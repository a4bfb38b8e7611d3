//! The physical interrupts that the host takes.

use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use arm_gic::IntId;
use arm_gic::gicv3::GicError;
use platform::Platform;
use recorder::{Event, Who};
use spin::Once;

use crate::arch::gic::{self, Gic};
use crate::arch::timer;
use crate::sync::{Mutex, rank};
use crate::{console, flight};

/// Interrupts taken in one go: a line that never falls is left pending after a
/// while, which costs the guest time but not the host its grip.
const AT_ONCE: usize = 32;

/// The private interrupts that every CPU takes.
#[derive(Clone, Copy, Debug)]
struct Lines {
    /// The CPU's EL2 timer.
    timer: Option<IntId>,
    /// What ends a guest's turn: its timers, which are the CPU's while it runs,
    /// and the maintenance interrupt of its virtual CPU interface. Without them
    /// at the GIC its ticks would end no turn.
    of_guests: [Option<IntId>; 3],
}

static LINES: Once<Lines> = Once::new();

/// The number of no interrupt that is ever taken.
const NONE: u32 = u32::MAX;
/// The EL2 timer's number: what is looked for in every interrupt is a plain word.
static TIMER: AtomicU32 = AtomicU32::new(NONE);
/// The number of the console's input.
static UART: AtomicU32 = AtomicU32::new(NONE);

static GIC: Mutex<Option<Gic>, { rank::GIC }> = Mutex::new(None);

/// Takes the interrupt controller into service, for the CPU that boots.
pub fn open(platform: &Platform, interactive: bool) -> Result<(), GicError> {
    let timers = platform.timer;
    let uart = platform.uart.intid.and_then(intid);
    let uart = uart.filter(|_| interactive);
    let number = |intid: Option<IntId>| intid.map_or(NONE, u32::from);
    TIMER.store(number(intid(timers.hyp_physical)), Relaxed);
    UART.store(number(uart), Relaxed);
    LINES.call_once(|| Lines {
        timer: intid(timers.hyp_physical),
        of_guests: [
            intid(timers.physical),
            intid(timers.virtual_),
            platform.gic.maintenance_intid.and_then(intid),
        ],
    });
    *GIC.lock() = Some(Gic::new(platform)?);
    open_cpu()?;
    if let Some(uart) = uart {
        with_gic(|gic| gic.enable_shared(uart))?;
    }
    Ok(())
}

/// Sets up the interrupts of this CPU, once [`open`] has been called.
pub fn open_cpu() -> Result<(), GicError> {
    let lines = LINES.get();
    let wanted = lines.into_iter().flat_map(|lines| {
        let own = core::iter::once(lines.timer);
        own.chain(lines.of_guests).flatten()
    });
    with_gic(|gic| gic.set_up_cpu(wanted))
}

fn with_gic(act: impl FnOnce(&mut Gic) -> Result<(), GicError>) -> Result<(), GicError> {
    match GIC.lock().as_mut() {
        Some(gic) => act(gic),
        None => Ok(()),
    }
}

/// What was among the interrupts taken, a bit for each kind: most often only the
/// guest's own, which one look at a register tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Taken(u8);

impl Taken {
    const TIMER: u8 = 1 << 0;
    const KICK: u8 = 1 << 1;
    const INPUT: u8 = 1 << 2;

    /// Something on the console.
    #[inline]
    pub fn input(self) -> bool {
        self.0 & Self::INPUT != 0
    }

    /// Whether only interrupts of the guest were there.
    #[inline]
    pub fn is_nothing(self) -> bool {
        self.0 == 0
    }
}

/// Takes the pending interrupts of this CPU. On the way of most exits by interrupt,
/// which is why it is always inlined.
#[inline(always)]
pub fn take() -> Taken {
    let mut taken = Taken::default();
    for _ in 0..AT_ONCE {
        let Some(intid) = gic::acknowledge() else {
            break;
        };
        note(intid, &mut taken);
        gic::end(intid);
    }
    taken
}

#[inline]
fn note(intid: IntId, taken: &mut Taken) {
    let number = u32::from(intid);
    if intid == gic::KICK {
        taken.0 |= Taken::KICK;
    } else if number == TIMER.load(Relaxed) {
        // Level-triggered: it must fall before it is ended.
        timer::disarm();
        flight::note(Who::HOST, Event::Interrupt { intid: number });
        taken.0 |= Taken::TIMER;
    } else if number == UART.load(Relaxed) {
        flight::note(Who::HOST, Event::Interrupt { intid: number });
        console::receive();
        taken.0 |= Taken::INPUT;
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
