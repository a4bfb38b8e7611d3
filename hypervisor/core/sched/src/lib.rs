//! Which task runs on which physical CPU.
//!
//! A task is a virtual CPU, or the steward of a VM, who builds it and takes it
//! down. [`Sched`] decides and touches nothing: CPUs ask it what to do next
//! ([`Sched::pick`]), tell it why a task left them ([`Sched::leave`]), and have
//! the CPUs it names kicked, so that they ask again ([`Kicks`]).
//!
//! Rules that every path keeps:
//!
//! - a task runs on one CPU at most, and is in one queue at most;
//! - a task with a CPU of its own ([`Home::Only`]) runs nowhere else, and while
//!   there is one, that CPU runs nobody else: it is dedicated;
//! - all other tasks share the other CPUs, first come, first served; a time
//!   slice is measured only while somebody waits for the CPU;
//! - a task that sleeps costs nothing until it is woken or its time comes; the
//!   CPU it left keeps its time;
//! - a wake-up is never lost: one that meets a running task keeps it from
//!   sleeping once.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic
    )
)]

mod cpus;
pub mod order;
mod queue;
mod task;

pub use cpus::{Kicks, MAX_CPUS};
pub use task::{Home, Slot, TaskId};

use cpus::{Alarm, Cpu, Cpus, earlier};
use queue::Queue;
use task::State;

/// What a CPU does next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pick {
    /// Runs this task.
    Run {
        /// The task.
        task: TaskId,
        /// When the CPU must ask [`Sched::review`], if at all.
        timer: Option<u64>,
    },
    /// Waits for a kick, an interrupt, or this tick.
    Idle {
        /// When the CPU must ask again, if at all.
        timer: Option<u64>,
    },
}

/// Whether a CPU goes on with its task.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Review {
    /// It does, until this tick at most.
    Go {
        /// When to ask again, if at all.
        timer: Option<u64>,
    },
    /// Its slice is over and somebody waits: leave with [`Leave::Yield`].
    Preempt,
}

/// Why a task leaves its CPU.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Leave {
    /// Its slice is over.
    Yield,
    /// It has nothing to do until it is woken, or until this tick.
    Wait {
        /// When it is to run whatever happens.
        until: Option<u64>,
    },
    /// It does not run until it is started again.
    Off,
}

/// Where a task stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// It does not run until it is started.
    Off,
    /// It waits for a CPU.
    Ready,
    /// It runs on this CPU.
    Running(usize),
    /// It sleeps; this CPU, which it left, keeps its time.
    Waiting(usize),
}

/// What became of a task that was to be stopped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stopped {
    /// It does not run any more.
    Now,
    /// It still runs on this CPU: kick it, so that it leaves.
    Running(usize),
}

/// The scheduler of all CPUs.
#[derive(Debug)]
pub struct Sched<'a> {
    slots: &'a mut [Slot],
    cpus: Cpus,
    shared: Queue,
    slice: u64,
}

impl<'a> Sched<'a> {
    /// A scheduler for as many tasks as there are `slots`, with time slices of
    /// `slice` ticks. No CPU is online yet.
    pub fn new(slots: &'a mut [Slot], slice: u64) -> Self {
        slots.fill(Slot::default());
        Self {
            slots,
            cpus: Cpus::default(),
            shared: Queue::default(),
            slice: slice.max(1),
        }
    }

    /// CPU `cpu` takes part from now on.
    pub fn online(&mut self, cpu: usize) {
        if let Some(cpu) = self.cpus.get_mut(cpu) {
            cpu.online = true;
        }
    }

    /// Whether CPU `cpu` takes part.
    pub fn is_online(&self, cpu: usize) -> bool {
        self.cpus.get(cpu).is_some_and(|cpu| cpu.online)
    }

    /// Whether `cpu` belongs to tasks of its own.
    pub fn is_dedicated(&self, cpu: usize) -> bool {
        self.cpus.get(cpu).is_some_and(|cpu| cpu.owners > 0)
    }

    /// Whether there is a CPU that tasks without one of their own can run on.
    pub fn has_shared(&self) -> bool {
        self.cpus.iter().any(|cpu| cpu.online && cpu.owners == 0)
    }

    /// The task that `cpu` runs.
    pub fn running(&self, cpu: usize) -> Option<TaskId> {
        self.cpus.get(cpu)?.running
    }

    /// Where a task stands.
    pub fn standing(&self, task: TaskId) -> Standing {
        match self.slots.get(task.index()).map(|slot| slot.state) {
            None | Some(State::Absent | State::Off) => Standing::Off,
            Some(State::Ready) => Standing::Ready,
            Some(State::Running(cpu)) => Standing::Running(cpu.into()),
            Some(State::Waiting { cpu, .. }) => Standing::Waiting(cpu.into()),
        }
    }

    /// Makes a task known. It is off.
    pub fn add(&mut self, task: TaskId, home: Home) {
        let Some(slot) = self.slots.get_mut(task.index()) else {
            return;
        };
        if slot.state != State::Absent {
            return;
        }
        *slot = Slot::off(home);
        if let Home::Only(cpu) = home
            && let Some(cpu) = self.cpus.get_mut(cpu.into())
        {
            cpu.owners += 1;
        }
    }

    /// Forgets a task, which must be off; a CPU of its own is shared again.
    pub fn remove(&mut self, task: TaskId) {
        let Some(slot) = self.slots.get_mut(task.index()) else {
            return;
        };
        if slot.state != State::Off {
            return;
        }
        let home = slot.home;
        *slot = Slot::default();
        if let Home::Only(cpu) = home
            && let Some(cpu) = self.cpus.get_mut(cpu.into())
        {
            cpu.owners = cpu.owners.saturating_sub(1);
        }
    }

    /// Makes a task that is off ready. One that is just about to go off starts
    /// again at once.
    pub fn start(&mut self, task: TaskId) -> Kicks {
        match self.slots.get_mut(task.index()) {
            Some(slot) if slot.state == State::Off => self.make_ready(task),
            Some(slot) if matches!(slot.state, State::Running(_)) => {
                slot.again = true;
                Kicks::NONE
            }
            _ => Kicks::NONE,
        }
    }

    /// Has a task look at its world again: it runs soon if it sleeps, and leaves
    /// its guest for a moment if it runs. One that runs on CPU `here`, which asks
    /// for this, has left its guest already.
    ///
    /// The CPUs to kick may include `here`: busy with something else, it may be the
    /// one that has to take the task up, and does not look around by itself.
    pub fn wake(&mut self, task: TaskId, here: usize) -> Kicks {
        match self.slots.get_mut(task.index()) {
            Some(slot) => match slot.state {
                State::Waiting { .. } => self.make_ready(task),
                State::Running(cpu) => {
                    slot.woken = true;
                    Kicks::one(cpu.into()).without(here)
                }
                State::Absent | State::Off | State::Ready => Kicks::NONE,
            },
            None => Kicks::NONE,
        }
    }

    /// Takes a task off, wherever it is.
    pub fn stop(&mut self, task: TaskId) -> Stopped {
        let Some(slot) = self.slots.get_mut(task.index()) else {
            return Stopped::Now;
        };
        slot.again = false;
        match slot.state {
            State::Running(cpu) => return Stopped::Running(cpu.into()),
            State::Ready => self.dequeue(task),
            State::Waiting { .. } => self.end_sleep(task, State::Off),
            State::Absent | State::Off => {}
        }
        Stopped::Now
    }

    /// Whether a task has been started and not gone off since.
    pub fn is_alive(&self, task: TaskId) -> bool {
        self.slots
            .get(task.index())
            .is_some_and(|slot| !matches!(slot.state, State::Absent | State::Off))
    }

    /// What `cpu`, which runs nothing, does next.
    pub fn pick(&mut self, cpu: usize, now: u64) -> (Pick, Kicks) {
        self.expire(cpu, now);
        let next = self.take_next(cpu);
        let more = self.waits_for(cpu);
        let slice = more.then(|| now.saturating_add(self.slice));
        let Some(this) = self.cpus.get_mut(cpu) else {
            return (Pick::Idle { timer: None }, Kicks::NONE);
        };
        this.running = next;
        this.idle = next.is_none();
        this.slice = slice;
        let kicks = self.invite(cpu);
        let timer = earlier(slice, self.alarm(cpu));
        match next {
            Some(task) => (Pick::Run { task, timer }, kicks),
            None => (Pick::Idle { timer }, kicks),
        }
    }

    /// Whether `cpu` goes on with the task it runs: to be asked when its timer
    /// rang or it was kicked.
    pub fn review(&mut self, cpu: usize, now: u64) -> (Review, Kicks) {
        self.expire(cpu, now);
        let more = self.waits_for(cpu);
        let slice = self.slice;
        let Some(this) = self.cpus.get_mut(cpu) else {
            return (Review::Preempt, Kicks::NONE);
        };
        this.slice = match (more, this.slice) {
            (false, _) => None,
            (true, None) => Some(now.saturating_add(slice)),
            (true, Some(end)) if now >= end => return (Review::Preempt, Kicks::NONE),
            (true, end) => end,
        };
        let slice = this.slice;
        let kicks = self.invite(cpu);
        let timer = earlier(slice, self.alarm(cpu));
        (Review::Go { timer }, kicks)
    }

    /// The task that `cpu` runs leaves it. Says whether it will run again
    /// although it wanted to go off, because it was started meanwhile.
    pub fn leave(&mut self, cpu: usize, why: Leave) -> bool {
        let Some(task) = self.cpus.get_mut(cpu).and_then(|cpu| cpu.running.take()) else {
            return false;
        };
        let Some(slot) = self.slots.get_mut(task.index()) else {
            return false;
        };
        let (woken, again) = (slot.woken, slot.again);
        slot.woken = false;
        match why {
            Leave::Wait { until } if !woken => {
                slot.state = State::Waiting {
                    cpu: cpu as u8,
                    until,
                };
                if let Some(keeper) = self.cpus.get_mut(cpu) {
                    keeper.alarm.set(until);
                }
            }
            Leave::Off if !again => slot.state = State::Off,
            Leave::Yield | Leave::Wait { .. } | Leave::Off => {
                if why == Leave::Off {
                    slot.again = false;
                }
                self.enqueue(task);
                return why == Leave::Off;
            }
        }
        false
    }

    fn make_ready(&mut self, task: TaskId) -> Kicks {
        self.enqueue(task);
        match self.slots.get(task.index()).map(|slot| slot.home) {
            Some(Home::Only(cpu)) => match self.cpus.get_mut(cpu.into()) {
                Some(owner) => {
                    owner.idle = false;
                    Kicks::one(cpu.into())
                }
                None => Kicks::NONE,
            },
            _ => self.call_for_shared(),
        }
    }

    /// A CPU that will take a shared task: an idle one, or one that does not
    /// know yet that somebody waits.
    fn call_for_shared(&mut self) -> Kicks {
        let shared = |cpu: &Cpu| cpu.online && cpu.owners == 0;
        let idle = |cpu: &Cpu| shared(cpu) && cpu.idle;
        let unaware = |cpu: &Cpu| shared(cpu) && cpu.running.is_some() && cpu.slice.is_none();
        let found = self
            .cpus
            .position(idle)
            .or_else(|| self.cpus.position(unaware));
        match found {
            Some(index) => {
                if let Some(cpu) = self.cpus.get_mut(index) {
                    cpu.idle = false;
                }
                Kicks::one(index)
            }
            None => Kicks::NONE,
        }
    }

    /// Calls idle CPUs for tasks that `cpu` leaves in the shared queue.
    fn invite(&mut self, cpu: usize) -> Kicks {
        let mut kicks = Kicks::NONE;
        for _ in 0..self.shared.len() {
            let idle = |other: &Cpu| other.online && other.owners == 0 && other.idle;
            let Some(index) = self.cpus.position(idle) else {
                break;
            };
            if let Some(other) = self.cpus.get_mut(index) {
                other.idle = false;
            }
            if index != cpu {
                kicks = kicks.and(Kicks::one(index));
            }
        }
        kicks
    }

    /// Readies the tasks whose time `cpu` keeps and that are due.
    fn expire(&mut self, cpu: usize, now: u64) {
        if self.alarm(cpu).is_none_or(|at| at > now) {
            return;
        }
        for index in 0..self.slots.len() {
            let task = TaskId::new(index as u16);
            let due = self
                .slots
                .get(index)
                .and_then(|slot| slot.alarm_of(cpu))
                .is_some_and(|at| at <= now);
            if due {
                self.enqueue(task);
            }
        }
    }

    /// The earliest tick at which a task that left `cpu` is to run again. All tasks
    /// are looked at only if the one that had it sleeps no more.
    fn alarm(&mut self, cpu: usize) -> Option<u64> {
        let keeper = self.cpus.get_mut(cpu)?;
        if let Alarm::Known(alarm) = keeper.alarm {
            return alarm;
        }
        let sleeping = self.slots.iter().filter_map(|slot| slot.alarm_of(cpu));
        let alarm = sleeping.min();
        keeper.alarm = Alarm::Known(alarm);
        alarm
    }

    /// Gives a task another state, and its keeper's time back if it sleeps.
    fn end_sleep(&mut self, task: TaskId, state: State) {
        let Some(slot) = self.slots.get_mut(task.index()) else {
            return;
        };
        if let State::Waiting { cpu, until } = slot.state
            && let Some(keeper) = self.cpus.get_mut(cpu.into())
        {
            keeper.alarm.clear(until);
        }
        slot.state = state;
    }

    fn queue_of(&mut self, home: Home) -> Option<&mut Queue> {
        match home {
            Home::Any => Some(&mut self.shared),
            Home::Only(cpu) => self.cpus.get_mut(cpu.into()).map(|cpu| &mut cpu.own),
        }
    }

    fn enqueue(&mut self, task: TaskId) {
        self.end_sleep(task, State::Ready);
        let Some(home) = self.slots.get(task.index()).map(|slot| slot.home) else {
            return;
        };
        let mut queue = match self.queue_of(home) {
            Some(queue) => *queue,
            None => return,
        };
        queue.push(task, self.slots);
        if let Some(place) = self.queue_of(home) {
            *place = queue;
        }
    }

    fn dequeue(&mut self, task: TaskId) {
        let Some(home) = self.slots.get(task.index()).map(|slot| slot.home) else {
            return;
        };
        let mut queue = match self.queue_of(home) {
            Some(queue) => *queue,
            None => return,
        };
        queue.take_out(task, self.slots);
        if let Some(place) = self.queue_of(home) {
            *place = queue;
        }
        if let Some(slot) = self.slots.get_mut(task.index()) {
            slot.state = State::Off;
        }
    }

    /// The next task for `cpu`, marked as running there.
    fn take_next(&mut self, cpu: usize) -> Option<TaskId> {
        let this = self.cpus.get_mut(cpu)?;
        let next = if this.owners > 0 {
            this.own.pop(self.slots)
        } else {
            self.shared.pop(self.slots)
        }?;
        let slot = self.slots.get_mut(next.index())?;
        slot.state = State::Running(cpu as u8);
        slot.woken = false;
        Some(next)
    }

    /// Whether somebody waits for `cpu`.
    fn waits_for(&self, cpu: usize) -> bool {
        self.cpus.get(cpu).is_some_and(|this| match this.owners {
            0 => !self.shared.is_empty(),
            _ => !this.own.is_empty(),
        })
    }
}

#[cfg(test)]
extern crate std;
#[cfg(test)]
mod tests;
