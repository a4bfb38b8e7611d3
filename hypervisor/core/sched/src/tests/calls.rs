//! No task starves on CPUs that do what real ones do: run a task until they are
//! kicked, their timer rings, or the task leaves, and sleep while there is none.

use crate::*;
use proptest::prelude::*;
use std::vec::Vec;

const TASKS: u16 = 7;
const CPUS: usize = 3;
const SLICE: u64 = 100;

/// A CPU that looks up only when it is called or its timer rings.
#[derive(Clone, Copy, Debug, Default)]
struct Cpu {
    called: bool,
    timer: Option<u64>,
}

struct Machine<'s> {
    sched: Sched<'s>,
    cpus: [Cpu; CPUS],
    now: u64,
}

impl Machine<'_> {
    fn kick(&mut self, kicks: Kicks) {
        for cpu in kicks.iter() {
            self.cpus[cpu].called = true;
        }
    }

    /// The CPU asks what to run, having nothing.
    fn pick(&mut self, cpu: usize) {
        let (pick, kicks) = self.sched.pick(cpu, self.now);
        let (Pick::Run { timer, .. } | Pick::Idle { timer }) = pick;
        self.cpus[cpu].timer = timer;
        self.kick(kicks);
    }

    /// The CPU looks up if it has a reason to.
    fn look_up(&mut self, cpu: usize) {
        let due = self.cpus[cpu].timer.is_some_and(|at| at <= self.now);
        if !core::mem::take(&mut self.cpus[cpu].called) && !due {
            return;
        }
        if self.sched.running(cpu).is_none() {
            return self.pick(cpu);
        }
        let (review, kicks) = self.sched.review(cpu, self.now);
        self.kick(kicks);
        match review {
            Review::Go { timer } => self.cpus[cpu].timer = timer,
            Review::Preempt => self.leave(cpu, Leave::Yield),
        }
    }

    fn leave(&mut self, cpu: usize, why: Leave) {
        if self.sched.running(cpu).is_some() {
            self.sched.leave(cpu, why);
            self.pick(cpu);
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Move {
    /// The task on a CPU wakes another.
    Wake(usize, u16),
    Start(u16),
    Wait(usize, Option<u64>),
    Off(usize),
    Time(u64),
}

fn moves() -> impl Strategy<Value = Move> {
    let until = prop::option::of(1..400u64);
    prop_oneof![
        5 => (0..CPUS, 0..TASKS).prop_map(|(cpu, task)| Move::Wake(cpu, task)),
        3 => (0..TASKS).prop_map(Move::Start),
        4 => (0..CPUS, until).prop_map(|(cpu, until)| Move::Wait(cpu, until)),
        1 => (0..CPUS).prop_map(Move::Off),
        4 => (1..150u64).prop_map(Move::Time),
    ]
}

proptest! {
    #[test]
    fn every_ready_task_runs_soon_whatever_the_others_do(
        walk in prop::collection::vec(moves(), 1..80),
    ) {
        let mut slots = [Slot::default(); TASKS as usize];
        let mut sched = Sched::new(&mut slots, SLICE);
        (0..CPUS).for_each(|cpu| sched.online(cpu));
        for index in 0..TASKS {
            sched.add(TaskId::new(index), Home::Any);
        }
        let mut machine = Machine { sched, cpus: [Cpu::default(); CPUS], now: 0 };
        (0..CPUS).for_each(|cpu| machine.pick(cpu));
        for step in walk {
            match step {
                Move::Wake(cpu, task) => {
                    let kicks = machine.sched.wake(TaskId::new(task), cpu);
                    machine.kick(kicks);
                }
                Move::Start(task) => {
                    let kicks = machine.sched.start(TaskId::new(task));
                    machine.kick(kicks);
                }
                Move::Wait(cpu, time) => {
                    let until = time.map(|time| machine.now + time);
                    machine.leave(cpu, Leave::Wait { until });
                }
                Move::Off(cpu) => machine.leave(cpu, Leave::Off),
                Move::Time(ticks) => {
                    machine.now += ticks;
                    (0..CPUS).for_each(|cpu| machine.look_up(cpu));
                }
            }
        }
        // From here on every task spins, and nobody calls anybody.
        let standing = |machine: &Machine<'_>, task| machine.sched.standing(TaskId::new(task));
        let ready = |machine: &Machine<'_>| -> Vec<u16> {
            (0..TASKS).filter(|task| standing(machine, *task) == Standing::Ready).collect()
        };
        let mut starved = ready(&machine);
        for _ in 0..10 * u64::from(TASKS) {
            machine.now += SLICE / 5;
            (0..CPUS).for_each(|cpu| machine.look_up(cpu));
            starved.retain(|task| standing(&machine, *task) == Standing::Ready);
        }
        prop_assert!(starved.is_empty(), "tasks {starved:?} never ran");
    }
}
