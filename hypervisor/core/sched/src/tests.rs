//! Behaviour of the scheduler, and a random walk over all of it.

mod calls;
mod walk;

use crate::order::{Held, rank};
use crate::*;

const SLICE: u64 = 100;

fn task(index: u16) -> TaskId {
    TaskId::new(index)
}

/// A scheduler of `cpus` CPUs and tasks 0 to `tasks`, all shared and started.
fn started(slots: &mut [Slot], cpus: usize) -> Sched<'_> {
    let tasks = slots.len() as u16;
    let mut sched = Sched::new(slots, SLICE);
    (0..cpus).for_each(|cpu| sched.online(cpu));
    for index in 0..tasks {
        sched.add(task(index), Home::Any);
        let _ = sched.start(task(index));
    }
    sched
}

fn runs(sched: &mut Sched<'_>, cpu: usize, now: u64) -> Option<u16> {
    match sched.pick(cpu, now).0 {
        Pick::Run { task, .. } => Some(task.index() as u16),
        Pick::Idle { .. } => None,
    }
}

#[test]
fn tasks_that_share_a_cpu_take_turns() {
    let mut slots = [Slot::default(); 3];
    let mut sched = started(&mut slots, 1);
    let mut order = std::vec::Vec::new();
    for turn in 0..6 {
        order.push(runs(&mut sched, 0, turn * SLICE).unwrap());
        assert!(!sched.leave(0, Leave::Yield));
    }
    assert_eq!(order, [0, 1, 2, 0, 1, 2]);
}

#[test]
fn a_task_alone_has_no_slice_until_another_wants_the_cpu() {
    let mut slots = [Slot::default(); 2];
    let mut sched = Sched::new(&mut slots, SLICE);
    sched.online(0);
    for index in 0..2 {
        sched.add(task(index), Home::Any);
    }
    let _ = sched.start(task(0));
    let alone = Pick::Run {
        task: task(0),
        timer: None,
    };
    assert_eq!(sched.pick(0, 10).0, alone);
    assert_eq!(sched.start(task(1)), Kicks::one(0), "CPU 0 must hear of it");
    let go = Review::Go { timer: Some(120) };
    assert_eq!(sched.review(0, 20).0, go);
    assert_eq!(sched.review(0, 119).0, go, "a kick does not extend a slice");
    assert_eq!(sched.review(0, 120).0, Review::Preempt);
}

#[test]
fn a_cpu_of_ones_own_runs_nobody_else_and_its_owner_nowhere_else() {
    let mut slots = [Slot::default(); 3];
    let mut sched = Sched::new(&mut slots, SLICE);
    (0..2).for_each(|cpu| sched.online(cpu));
    sched.add(task(0), Home::Only(1));
    sched.add(task(1), Home::Any);
    sched.add(task(2), Home::Any);
    let _ = sched.start(task(1));
    let _ = sched.start(task(2));
    assert_eq!(runs(&mut sched, 1, 0), None, "CPU 1 is dedicated");
    assert_eq!(sched.start(task(0)), Kicks::one(1));
    assert_eq!(runs(&mut sched, 0, 0), Some(1));
    assert_eq!(runs(&mut sched, 1, 0), Some(0));
    // It gives its CPU up for good: then all share it.
    assert!(!sched.leave(1, Leave::Off));
    sched.remove(task(0));
    assert!(!sched.is_dedicated(1));
    assert_eq!(runs(&mut sched, 1, 1), Some(2));
}

#[test]
fn a_sleeper_is_woken_by_its_time_on_the_cpu_it_left() {
    let mut slots = [Slot::default(); 1];
    let mut sched = started(&mut slots, 2);
    assert_eq!(runs(&mut sched, 1, 0), Some(0));
    sched.leave(1, Leave::Wait { until: Some(500) });
    assert_eq!(sched.pick(0, 0).0, Pick::Idle { timer: None });
    let timer = Some(500);
    assert_eq!(sched.pick(1, 10).0, Pick::Idle { timer });
    assert_eq!(runs(&mut sched, 1, 499), None);
    assert_eq!(runs(&mut sched, 1, 500), Some(0));
}

#[test]
fn a_sleeper_that_is_due_goes_to_an_idle_cpu_while_its_own_is_busy() {
    let mut slots = [Slot::default(); 2];
    let mut sched = started(&mut slots, 2);
    assert_eq!(runs(&mut sched, 0, 0), Some(0));
    sched.leave(0, Leave::Wait { until: Some(50) });
    let busy = Pick::Run {
        task: task(1),
        timer: Some(50),
    };
    assert_eq!(sched.pick(0, 1).0, busy);
    assert_eq!(runs(&mut sched, 1, 1), None);
    let (_, kicks) = sched.review(0, 50);
    assert_eq!(kicks, Kicks::one(1));
    assert_eq!(runs(&mut sched, 1, 51), Some(0));
}

#[test]
fn a_wake_up_goes_to_an_idle_cpu_and_two_go_to_two() {
    let mut slots = [Slot::default(); 2];
    let mut sched = started(&mut slots, 3);
    for index in 0..2 {
        assert_eq!(runs(&mut sched, 0, 0), Some(index));
        sched.leave(0, Leave::Wait { until: None });
    }
    for cpu in 0..3 {
        assert_eq!(runs(&mut sched, cpu, 0), None);
    }
    assert_eq!(sched.wake(task(0), 2), Kicks::one(0));
    assert_eq!(sched.wake(task(1), 2), Kicks::one(1));
    assert_eq!(sched.wake(task(1), 2), Kicks::NONE, "it is ready already");
}

#[test]
fn a_wake_up_that_meets_a_running_task_keeps_it_from_sleeping_once() {
    let mut slots = [Slot::default(); 1];
    let mut sched = started(&mut slots, 1);
    assert_eq!(runs(&mut sched, 0, 0), Some(0));
    assert_eq!(sched.wake(task(0), 1), Kicks::one(0));
    sched.leave(0, Leave::Wait { until: None });
    assert_eq!(runs(&mut sched, 0, 0), Some(0));
    sched.leave(0, Leave::Wait { until: None });
    assert_eq!(runs(&mut sched, 0, 0), None);
}

#[test]
fn whoever_wakes_another_and_goes_on_hears_that_its_cpu_is_wanted() {
    let mut slots = [Slot::default(); 2];
    let mut sched = started(&mut slots, 1);
    assert_eq!(runs(&mut sched, 0, 0), Some(0));
    sched.leave(0, Leave::Wait { until: None });
    assert_eq!(runs(&mut sched, 0, 0), Some(1));
    // Task 1 sends task 0 an interrupt and spins until it answers.
    assert_eq!(sched.wake(task(0), 0), Kicks::one(0));
    let go = Review::Go { timer: Some(SLICE) };
    assert_eq!(sched.review(0, 0).0, go);
    // To wake oneself takes no call.
    assert_eq!(sched.wake(task(1), 0), Kicks::NONE);
}

#[test]
fn a_start_that_meets_a_task_on_its_way_off_is_not_lost() {
    let mut slots = [Slot::default(); 1];
    let mut sched = started(&mut slots, 1);
    assert_eq!(runs(&mut sched, 0, 0), Some(0));
    let _ = sched.start(task(0));
    assert!(sched.leave(0, Leave::Off), "it starts again");
    assert_eq!(runs(&mut sched, 0, 0), Some(0));
    assert!(!sched.leave(0, Leave::Off));
    assert_eq!(runs(&mut sched, 0, 0), None);
}

#[test]
fn stopping_takes_a_task_out_of_every_state() {
    let mut slots = [Slot::default(); 4];
    let mut sched = started(&mut slots, 2);
    assert_eq!(runs(&mut sched, 0, 0), Some(0));
    sched.leave(0, Leave::Wait { until: Some(5) });
    assert_eq!(runs(&mut sched, 0, 0), Some(1));
    assert_eq!(sched.stop(task(0)), Stopped::Now);
    assert_eq!(sched.stop(task(1)), Stopped::Running(0));
    assert_eq!(sched.stop(task(2)), Stopped::Now);
    assert_eq!(
        runs(&mut sched, 1, 10),
        Some(3),
        "2 left the queue, 3 stayed"
    );
    assert!(!sched.leave(0, Leave::Off));
    assert_eq!(runs(&mut sched, 0, 10), None);
    assert!(!sched.is_alive(task(0)) && sched.is_alive(task(3)));
}

#[test]
fn locks_are_taken_inwards_only() {
    let tables = Held::NONE.with(rank::TABLES).unwrap();
    let both = tables.with(rank::RAM).unwrap();
    assert_eq!(both.with(rank::DEVICES), None, "ram comes after devices");
    assert_eq!(tables.with(rank::TABLES), None, "of two VMs, one at a time");
    assert_eq!(both.without(rank::TABLES).without(rank::RAM), Held::NONE);
    assert!(both.without(rank::RAM).with(rank::DEVICES).is_some());
}
