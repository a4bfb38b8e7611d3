//! The physical CPUs as the scheduler sees them.

use crate::TaskId;
use crate::queue::Queue;

/// CPUs there is room for.
pub const MAX_CPUS: usize = 8;

/// CPUs that are to be interrupted, so that they ask the scheduler again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "a CPU that is not kicked does not notice"]
pub struct Kicks(u8);

impl Kicks {
    /// Nobody.
    pub const NONE: Self = Self(0);

    /// This CPU alone.
    pub const fn one(cpu: usize) -> Self {
        match cpu < MAX_CPUS {
            true => Self(1 << cpu),
            false => Self::NONE,
        }
    }

    /// These and others.
    pub const fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// Without this CPU, which need not be told.
    pub const fn without(self, cpu: usize) -> Self {
        Self(self.0 & !Self::one(cpu).0)
    }

    /// Whether there is nobody.
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// The CPUs.
    pub fn iter(self) -> impl Iterator<Item = usize> {
        (0..MAX_CPUS).filter(move |cpu| self.0 >> cpu & 1 != 0)
    }
}

/// The earliest time that a CPU keeps for tasks that sleep.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Alarm {
    /// This, if any.
    Known(Option<u64>),
    /// Whose it was does not sleep any more: it is to be looked for.
    Lost,
}

impl Alarm {
    /// A task goes to sleep.
    pub fn set(&mut self, until: Option<u64>) {
        if let Self::Known(alarm) = self {
            *alarm = earlier(*alarm, until);
        }
    }

    /// A task sleeps no more.
    pub fn clear(&mut self, until: Option<u64>) {
        if let Self::Known(alarm) = self
            && until.is_some()
            && *alarm == until
        {
            *self = Self::Lost;
        }
    }
}

impl Default for Alarm {
    fn default() -> Self {
        Self::Known(None)
    }
}

/// The earlier of two times.
pub(crate) fn earlier(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// One CPU.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cpu {
    pub online: bool,
    /// Tasks that have this CPU for themselves.
    pub owners: u16,
    pub running: Option<TaskId>,
    /// It waits, and nobody has called it yet.
    pub idle: bool,
    /// When the slice of the running task ends, if it is measured.
    pub slice: Option<u64>,
    /// The earliest time it keeps.
    pub alarm: Alarm,
    /// Ready tasks that run nowhere else.
    pub own: Queue,
}

#[derive(Debug, Default)]
pub(crate) struct Cpus([Cpu; MAX_CPUS]);

impl Cpus {
    pub fn get(&self, cpu: usize) -> Option<&Cpu> {
        self.0.get(cpu)
    }

    pub fn get_mut(&mut self, cpu: usize) -> Option<&mut Cpu> {
        self.0.get_mut(cpu)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Cpu> {
        self.0.iter()
    }

    pub fn position(&self, which: impl Fn(&Cpu) -> bool) -> Option<usize> {
        self.0.iter().position(which)
    }
}
