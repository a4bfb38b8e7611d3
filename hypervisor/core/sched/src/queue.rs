//! Ready tasks in the order they came, linked through their slots.

use crate::task::{Slot, TaskId};

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Queue {
    first: Option<TaskId>,
    last: Option<TaskId>,
    length: u16,
}

impl Queue {
    pub fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    pub fn len(&self) -> u16 {
        self.length
    }

    pub fn push(&mut self, task: TaskId, slots: &mut [Slot]) {
        if let Some(slot) = slots.get_mut(task.index()) {
            slot.next = None;
        }
        match self.last.and_then(|last| slots.get_mut(last.index())) {
            Some(last) => last.next = Some(task),
            None => self.first = Some(task),
        }
        self.last = Some(task);
        self.length += 1;
    }

    pub fn pop(&mut self, slots: &mut [Slot]) -> Option<TaskId> {
        let first = self.first?;
        self.take_out(first, slots);
        Some(first)
    }

    /// Takes a task out wherever it stands. The walk is bounded by the number
    /// of slots, each of which stands in one queue at most.
    pub fn take_out(&mut self, task: TaskId, slots: &mut [Slot]) {
        let mut before: Option<TaskId> = None;
        let mut at = self.first;
        while let Some(here) = at {
            let next = slots.get(here.index()).and_then(|slot| slot.next);
            if here == task {
                match before.and_then(|before| slots.get_mut(before.index())) {
                    Some(before) => before.next = next,
                    None => self.first = next,
                }
                if self.last == Some(task) {
                    self.last = before;
                }
                if let Some(slot) = slots.get_mut(task.index()) {
                    slot.next = None;
                }
                self.length -= 1;
                return;
            }
            before = at;
            at = next;
        }
    }
}
