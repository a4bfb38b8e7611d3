//! A random walk: whatever CPUs and wakers do in whatever order, the rules hold.

use crate::*;
use proptest::prelude::*;

const TASKS: u16 = 9;
const CPUS: usize = 4;

#[derive(Clone, Copy, Debug)]
enum Move {
    Pick(usize),
    Review(usize),
    Yield(usize),
    Wait(usize, u64),
    Off(usize),
    Wake(u16),
    Start(u16),
    Stop(u16),
    Time(u64),
}

fn moves() -> impl Strategy<Value = Move> {
    prop_oneof![
        4 => (0..CPUS).prop_map(Move::Pick),
        2 => (0..CPUS).prop_map(Move::Review),
        2 => (0..CPUS).prop_map(Move::Yield),
        3 => (0..CPUS, 0..300u64).prop_map(|(cpu, time)| Move::Wait(cpu, time)),
        1 => (0..CPUS).prop_map(Move::Off),
        3 => (0..TASKS).prop_map(Move::Wake),
        2 => (0..TASKS).prop_map(Move::Start),
        1 => (0..TASKS).prop_map(Move::Stop),
        3 => (1..200u64).prop_map(Move::Time),
    ]
}

/// Task 8 owns CPU 3.
fn home(task: u16) -> Home {
    if task == 8 { Home::Only(3) } else { Home::Any }
}

fn check(sched: &Sched<'_>) {
    let mut seen = std::vec::Vec::new();
    for cpu in 0..CPUS {
        if let Some(task) = sched.running(cpu) {
            assert!(!seen.contains(&task), "{task:?} runs twice");
            seen.push(task);
            assert_eq!(cpu == 3, task.index() == 8, "{task:?} on CPU {cpu}");
        }
    }
    for cpu in 0..CPUS {
        let kept = sched
            .slots
            .iter()
            .filter_map(|slot| slot.alarm_of(cpu))
            .min();
        if let Alarm::Known(alarm) = sched.cpus.get(cpu).unwrap().alarm {
            assert_eq!(alarm, kept, "what CPU {cpu} keeps");
        }
    }
    let running = |slot: &&Slot| matches!(slot.state, State::Running(_));
    assert_eq!(sched.slots.iter().filter(running).count(), seen.len());
    let ready = sched
        .slots
        .iter()
        .filter(|slot| slot.state == State::Ready)
        .count();
    let queued: usize = (0..CPUS)
        .map(|cpu| usize::from(sched.cpus.get(cpu).unwrap().own.len()))
        .sum();
    assert_eq!(ready, queued + usize::from(sched.shared.len()));
}

proptest! {
    #[test]
    fn no_walk_breaks_the_rules_or_loses_a_task(walk in prop::collection::vec(moves(), 1..400)) {
        let mut slots = [Slot::default(); TASKS as usize];
        let mut sched = Sched::new(&mut slots, 100);
        (0..CPUS).for_each(|cpu| sched.online(cpu));
        for index in 0..TASKS {
            sched.add(TaskId::new(index), home(index));
        }
        let mut now = 0;
        for step in walk {
            match step {
                Move::Pick(cpu) if sched.running(cpu).is_none() => drop(sched.pick(cpu, now)),
                Move::Review(cpu) if sched.running(cpu).is_some() => drop(sched.review(cpu, now)),
                Move::Yield(cpu) => drop(sched.leave(cpu, Leave::Yield)),
                Move::Wait(cpu, time) => {
                    let until = (time > 100).then_some(now + time);
                    sched.leave(cpu, Leave::Wait { until });
                }
                Move::Off(cpu) => drop(sched.leave(cpu, Leave::Off)),
                Move::Wake(index) => {
                    let task = TaskId::new(index);
                    let alive = sched.is_alive(task);
                    let _ = sched.wake(task, 0);
                    prop_assert_eq!(alive, sched.is_alive(task));
                }
                Move::Start(index) => {
                    let _ = sched.start(TaskId::new(index));
                    prop_assert!(sched.is_alive(TaskId::new(index)));
                }
                Move::Stop(index) => drop(sched.stop(TaskId::new(index))),
                Move::Time(ticks) => now += ticks,
                _ => {}
            }
            check(&sched);
        }
        // Whatever came before: all CPUs ask in turn, and every ready task runs.
        let ready = sched.slots.iter().filter(|slot| slot.state == State::Ready).count();
        let mut ran = 0;
        for _ in 0..=TASKS {
            for cpu in 0..CPUS {
                sched.leave(cpu, Leave::Off);
                sched.leave(cpu, Leave::Off);
                ran += usize::from(matches!(sched.pick(cpu, now).0, Pick::Run { .. }));
            }
        }
        prop_assert!(ran >= ready);
    }
}
