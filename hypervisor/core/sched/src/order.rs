//! The order in which locks are taken.
//!
//! A lock may be taken only while every lock that is held has a lower rank, so
//! no two CPUs can wait for each other. The ranks are the table of
//! `docs/unsafe.md`; debug builds keep a [`Held`] per CPU and check each lock.

/// The ranks of locks, the outermost first. Numbers, because a lock has its rank
/// as part of its type: so that it takes no room, and a static one stays in
/// zeroed memory.
pub mod rank {
    /// The summary being written.
    pub const SUMMARY: u8 = 0;
    /// A VM's course of life, kept by its steward.
    pub const LIFE: u8 = 1;
    /// A virtual CPU's page and registers, while it runs.
    pub const VCPU: u8 = 2;
    /// Why a VM ends.
    pub const END: u8 = 3;
    /// A VM's memory: its tables, blocks and population.
    pub const TABLES: u8 = 4;
    /// A VM's devices: interrupt controller, UART, virtio.
    pub const DEVICES: u8 = 5;
    /// The switch between VMs' networks.
    pub const SWITCH: u8 = 6;
    /// The machine's free frames.
    pub const RAM: u8 = 7;
    /// Who runs where.
    pub const SCHED: u8 = 8;
    /// The physical interrupt controller.
    pub const GIC: u8 = 9;
    /// The machine's console.
    pub const CONSOLE: u8 = 10;
    /// The UART of the machine.
    pub const UART: u8 = 11;
    /// Counters of benches.
    pub const BENCH: u8 = 12;
    /// The heap.
    pub const HEAP: u8 = 13;
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
    pub const fn with(self, rank: u8) -> Option<Self> {
        match self.0 >> rank {
            0 => Some(Self(self.0 | 1 << rank)),
            _ => None,
        }
    }

    /// Without the lock of `rank`, in whatever order locks are released.
    pub const fn without(self, rank: u8) -> Self {
        Self(self.0 & !(1 << rank))
    }
}
