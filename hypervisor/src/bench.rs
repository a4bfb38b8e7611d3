//! Counting what the hypervisor does between two entries of a guest.
//!
//! Under QEMU's `-icount shift=0,sleep=off` the counter of the `max` CPU counts
//! one tick per instruction, so that ticks are instructions; elsewhere they are
//! time. What firmware spends is taken out by the conduit's stamps, what the
//! bench itself spends by stamps of its own. Taking stamps adds a few
//! instructions per SMC to what is counted, so figures err on the high side.
//!
//! With several CPUs the exits' figures mean nothing, for stamps and books are one
//! for all. What lies between two marks does: the counter counts what all CPUs do,
//! one at a time, and a CPU that waits does nothing.

use addr::Ipa;
use report::summary::Summary;
use report::tally::Tally;
use rmi::v1_0::{ExitReason, RecExit};
use rsi::host_call;
use vcpu::timer::Lines;
use vm_config::map;

use crate::arch::smc::{self, Stamps};
use crate::arch::timer;
use crate::sync::{Mutex, rank};

/// Marks of payloads: Linux's /init has come up; something is to be counted from
/// here; to here.
const INIT: u64 = 1;
const BEGIN: u64 = 2;
const END: u64 = 3;

/// Classes of exits that are told apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Class {
    HostCallNop,
    HostCallOther,
    GicRead,
    GicWrite,
    UartStatus,
    UartOther,
    Populate,
    Share,
    Wait,
    Register,
    Timer,
    Irq,
    Psci,
    Ripas,
    Other,
}

const CLASSES: [(Class, &str); 15] = [
    (Class::HostCallNop, "host_call_nop"),
    (Class::HostCallOther, "host_call_other"),
    (Class::GicRead, "gic_read"),
    (Class::GicWrite, "gic_write"),
    (Class::UartStatus, "uart_status"),
    (Class::UartOther, "uart_other"),
    (Class::Populate, "populate_per_4k"),
    (Class::Share, "share"),
    (Class::Wait, "wait"),
    (Class::Register, "register"),
    (Class::Timer, "timer"),
    (Class::Irq, "irq"),
    (Class::Psci, "psci"),
    (Class::Ripas, "ripas_change"),
    (Class::Other, "other"),
];

struct Books {
    tallies: [Tally; CLASSES.len()],
    /// Whether an exit is being handled, which, and the stamps when it came.
    /// Not an option, whose empty value would take room in the image.
    is_open: bool,
    class: Class,
    since: Stamps,
    /// Ticks the bench itself spent since then.
    own: u64,
    /// Pages that were populated since then.
    pages: u64,
    /// Ticks the bench itself spent, all told, without those.
    own_total: u64,
    starts: u64,
    first_start: u64,
    last_start: Start,
    first_entry: u64,
    population: u64,
    population_pages: u64,
    init: u64,
    /// What the hypervisor itself had spent when the payload marked the beginning
    /// of something, and its end.
    marked: [u64; 2],
    memory: u64,
}

/// What was in use when a VM's first vCPU was about to be entered.
#[derive(Clone, Copy, Debug)]
pub struct Start {
    /// When that was.
    pub tick: u64,
    /// Bytes of RAM, those that VMs have included.
    pub ram: u64,
}

/// One VM at a time runs, so one set of books is enough; too large for a stack.
static BOOKS: Mutex<Books, { rank::BENCH }> = Mutex::new(Books {
    tallies: [const { Tally::new() }; CLASSES.len()],
    is_open: false,
    class: Class::HostCallNop,
    since: Stamps::NONE,
    own: 0,
    pages: 0,
    own_total: 0,
    starts: 0,
    first_start: 0,
    last_start: Start { tick: 0, ram: 0 },
    first_entry: 0,
    population: 0,
    population_pages: 0,
    init: 0,
    marked: [0; 2],
    memory: 0,
});

/// A bench that runs.
#[derive(Clone, Copy, Debug)]
pub struct Bench;

impl Bench {
    /// Starts counting.
    pub fn start() -> Self {
        smc::start_stamping();
        Self
    }

    /// A guest has just exited: closes the books of the exit before and opens
    /// those of this one.
    pub fn exited(self, exit: &RecExit) {
        let begin = timer::now();
        let mut books = BOOKS.lock();
        // Of the exit before, for what is done behind the last look is counted.
        books.own_total += books.own;
        let stamps = smc::stamps();
        if books.first_entry == 0 {
            // A plain VM is entered without a call.
            books.first_entry = stamps.left.max(books.first_start);
        }
        if books.is_open {
            let (class, since) = (books.class, books.since);
            // The last call was the REC_ENTER that ended; what it took is no
            // part of what lies between it and the one before. Another CPU's
            // stamps may be in between, which no figure is made of.
            let last = stamps.back.saturating_sub(stamps.left);
            let calls = stamps.away.saturating_sub(last + since.away);
            let between = stamps.left.saturating_sub(since.back);
            let spent = between.saturating_sub(calls + books.own);
            let pages = books.pages.max(1);
            books.tallies[class as usize].add(spent / pages);
        }
        books.pages = 0;
        books.is_open = true;
        books.class = classify(exit);
        books.since = stamps;
        // The lock's release and the stores behind this line are counted.
        books.own = timer::now() - begin;
    }

    /// A VM's first vCPU is about to be entered for the first time.
    pub fn starts(self, start: Start) {
        let mut books = BOOKS.lock();
        books.starts += 1;
        books.last_start = start;
        if books.first_start == 0 {
            books.first_start = start.tick;
        }
    }

    /// A fault of the exit at hand brought this many pages.
    pub fn populated(self, pages: usize) {
        BOOKS.lock().pages += pages as u64;
    }

    /// Measured population took this long for so many pages.
    pub fn measured(self, ticks: u64, pages: u64) {
        let mut books = BOOKS.lock();
        books.population += ticks;
        books.population_pages += pages;
    }

    /// The hypervisor itself uses so many bytes of memory.
    pub fn memory(self, bytes: u64) {
        BOOKS.lock().memory = bytes;
    }

    /// The payload says that it has come this far.
    pub fn mark(self, number: u64) {
        let mut books = BOOKS.lock();
        let now = timer::now().saturating_sub(books.own_total + books.own);
        let spent = now.saturating_sub(smc::stamps().away);
        match number {
            INIT if books.init == 0 => books.init = now,
            BEGIN => books.marked[0] = spent,
            END => books.marked[1] = spent,
            _ => {}
        }
    }

    /// Puts the figures into the summary.
    pub fn report(self, entered: u64, summary: &mut Summary<'_>) {
        let books = BOOKS.lock();
        let started = books.first_entry.saturating_sub(entered);
        summary.bench_begin();
        summary.bench_number("counter_hz", timer::frequency());
        summary.bench_number("entry_to_guest", started.saturating_sub(books.population));
        summary.bench_number("measured_population", books.population);
        summary.bench_number("measured_pages", books.population_pages);
        summary.bench_number(
            "guest_to_mark",
            books.init.saturating_sub(books.first_entry),
        );
        let [begin, end] = books.marked;
        summary.bench_number("between_marks", end.saturating_sub(begin));
        summary.bench_number("el2_memory", books.memory);
        let Start { tick, ram } = books.last_start;
        summary.bench_number("starts", books.starts);
        summary.bench_number("entry_to_last_start", tick.saturating_sub(entered));
        summary.bench_number("ram_at_last_start", ram);
        let exits = CLASSES.iter().zip(&books.tallies);
        summary.bench_end(
            exits
                .map(|((_, name), tally)| (*name, tally))
                .filter(|(_, tally)| tally.count() > 0),
        );
    }
}

fn classify(exit: &RecExit) -> Class {
    match ExitReason::from_raw(exit.exit_reason) {
        Some(ExitReason::HostCall) if exit.imm as u16 == host_call::NOP => Class::HostCallNop,
        Some(ExitReason::HostCall) => Class::HostCallOther,
        Some(ExitReason::Irq) => match vcpu::timer::lines(exit) {
            // Most others are the end of a level-triggered interrupt.
            Lines {
                virtual_: false,
                physical: false,
            } => Class::Irq,
            _ => Class::Timer,
        },
        Some(ExitReason::Psci) => Class::Psci,
        Some(ExitReason::RipasChange) => Class::Ripas,
        Some(ExitReason::Sync) => classify_sync(exit),
        _ => Class::Other,
    }
}

fn classify_sync(exit: &RecExit) -> Class {
    const WNR: u64 = 1 << 6;
    const ISV: u64 = 1 << 24;
    const UART_STATUS: u64 = 0x18;
    // The alias bit is some bit above the devices and all of guests' RAM below
    // 4 GiB, which is what the bench payloads have.
    let ipa = (exit.hpfar & 0xff_ffff_fff0) << 8 | exit.far & 0xfff;
    let device = Ipa::new(ipa & 0xffff_ffff);
    let (first, last) = map::DEVICES;
    let is_device = exit.esr & ISV != 0 && device >= first && device < last;
    let is_read = exit.esr & WNR == 0;
    match exit.esr >> 26 {
        0x01 => Class::Wait,
        0x18 => Class::Register,
        0x20 => Class::Populate,
        0x24 if is_device && device < map::UART_BASE => match is_read {
            true => Class::GicRead,
            false => Class::GicWrite,
        },
        0x24 if is_device => match device.offset_from(map::UART_BASE) {
            Some(UART_STATUS) if is_read => Class::UartStatus,
            _ => Class::UartOther,
        },
        0x24 if ipa >> 32 != 0 => Class::Share,
        0x24 => Class::Populate,
        _ => Class::Other,
    }
}
