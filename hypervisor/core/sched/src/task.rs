//! Tasks.

/// A task, by the place of its slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, PartialOrd, Ord)]
pub struct TaskId(u16);

impl TaskId {
    /// The task of slot `index`.
    pub const fn new(index: u16) -> Self {
        Self(index)
    }

    /// The place of its slot.
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// The task `count` slots further on.
    pub const fn plus(self, count: u16) -> Self {
        Self(self.0.saturating_add(count))
    }
}

/// Where a task may run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Home {
    /// On every CPU that is nobody's own.
    Any,
    /// On this CPU, which is its own.
    Only(u8),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum State {
    /// There is no such task.
    Absent,
    /// It does not run until it is started.
    Off,
    /// It is in a queue.
    Ready,
    /// It runs there.
    Running(u8),
    /// It sleeps; the CPU it left keeps its time.
    Waiting { cpu: u8, until: Option<u64> },
}

/// What the scheduler knows of a task.
#[derive(Clone, Copy, Debug)]
pub struct Slot {
    pub(crate) state: State,
    pub(crate) home: Home,
    /// It was woken while it ran.
    pub(crate) woken: bool,
    /// It was started while it ran.
    pub(crate) again: bool,
    /// The task behind it in its queue.
    pub(crate) next: Option<TaskId>,
}

impl Default for Slot {
    fn default() -> Self {
        Self {
            state: State::Absent,
            home: Home::Any,
            woken: false,
            again: false,
            next: None,
        }
    }
}

impl Slot {
    pub(crate) fn off(home: Home) -> Self {
        Self {
            state: State::Off,
            home,
            ..Self::default()
        }
    }

    /// When it is to run again, if `cpu` keeps its time.
    pub(crate) fn alarm_of(&self, cpu: usize) -> Option<u64> {
        match self.state {
            State::Waiting { cpu: keeper, until } if usize::from(keeper) == cpu => until,
            _ => None,
        }
    }
}
