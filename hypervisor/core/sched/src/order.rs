//! The order in which locks are taken.
//!
//! A lock may be taken only while every lock that is held has a lower rank, so
//! no two CPUs can wait for each other. The ranks are the table of
//! `docs/unsafe.md`; debug builds keep a [`Held`] per CPU and check each lock.

/// The rank of a lock, the outermost first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Rank {
    /// A virtual CPU's page and registers, while it runs.
    Vcpu,
    /// A VM's course of life, kept by its steward.
    Life,
    /// A VM's memory: its tables, blocks and population.
    Tables,
    /// A VM's devices: interrupt controller, UART, virtio.
    Devices,
    /// The switch between VMs' networks.
    Switch,
    /// The machine's free frames.
    Ram,
    /// Who runs where.
    Sched,
    /// The physical interrupt controller.
    Gic,
    /// The machine's console.
    Console,
    /// The UART of the machine.
    Uart,
    /// Counters of benches.
    Bench,
    /// The heap.
    Heap,
}

/// The locks that one CPU holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Held(u16);

impl Held {
    /// None.
    pub const NONE: Self = Self(0);

    /// From a number that [`Held::bits`] gave.
    pub const fn from_bits(bits: u16) -> Self {
        Self(bits)
    }

    /// As a number.
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// With a lock of `rank` besides, if it may be taken now: not while one of
    /// its own rank or of a later one is held.
    pub const fn with(self, rank: Rank) -> Option<Self> {
        match self.0 >> rank as u8 {
            0 => Some(Self(self.0 | 1 << rank as u8)),
            _ => None,
        }
    }

    /// Without the lock of `rank`, in whatever order locks are released.
    pub const fn without(self, rank: Rank) -> Self {
        Self(self.0 & !(1 << rank as u8))
    }
}
