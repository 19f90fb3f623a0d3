//! Queue of the [executor](super::execute): the tasks that wait, and which of them leave next.

use std::collections::VecDeque;
use std::time::Duration;

use super::requests::NeedsReadBack;
use super::task::CardTask;
use super::verdict::Verdict;
use crate::ports::MAX_WRITES_PER_REQUEST;

/// Number of commands that the portal takes in one request (behavior notes, section 9.3).
const CARDS_PER_READ: usize = 50;

/// Age from which a read is repeated ahead of its write.
const MAX_READ_AGE: Duration = Duration::from_secs(5 * 60);

/// Tasks that wait for a request.
pub(super) struct TaskQueue {
    planned: VecDeque<CardTask>,
    compensations: Vec<CardTask>,
    read_backs: Vec<NeedsReadBack>,
    /// Tasks that met a layout which may be a new common default.
    suspects: Vec<(CardTask, Verdict)>,
    /// The number of tasks of the plan in one request.
    pub(super) per_request: usize,
    /// Halved when the portal fails on a request, so that one bad card does not fail others with
    /// it.
    max_per_request: usize,
}

impl TaskQueue {
    pub(super) fn new() -> Self {
        Self {
            planned: VecDeque::new(),
            compensations: Vec::new(),
            read_backs: Vec::new(),
            suspects: Vec::new(),
            per_request: 1,
            max_per_request: usize::MAX,
        }
    }

    /// Adds tasks behind those of their kind.
    pub(super) fn add(&mut self, tasks: impl IntoIterator<Item = CardTask>) {
        for task in tasks {
            if task.is_compensation() {
                self.compensations.push(task);
            } else {
                self.planned.push_back(task);
            }
        }
    }

    /// Puts tasks of the plan back to the front, in their order.
    pub(super) fn put_back(&mut self, tasks: Vec<CardTask>) {
        tasks.into_iter().rev().for_each(|task| self.planned.push_front(task));
    }

    pub(super) fn add_read_backs(&mut self, tasks: Vec<NeedsReadBack>) {
        self.read_backs.extend(tasks);
    }

    pub(super) fn add_suspects(&mut self, tasks: Vec<(CardTask, Verdict)>) {
        self.suspects.extend(tasks);
    }

    /// Halves the size of requests, after the portal failed on one of this size.
    pub(super) fn halve(&mut self, size: usize) {
        self.max_per_request = (size / 2).max(1).min(self.max_per_request);
    }

    /// Returns the tasks of the plan that wait.
    pub(super) fn planned(&self) -> &VecDeque<CardTask> {
        &self.planned
    }

    /// Takes the tasks of the plan out that meet a condition.
    pub(super) fn take_planned_if(
        &mut self,
        is_taken: impl FnMut(&CardTask) -> bool,
    ) -> Vec<CardTask> {
        let (taken, waiting): (VecDeque<_>, VecDeque<_>) =
            self.planned.drain(..).partition(is_taken);
        self.planned = waiting;
        Vec::from(taken)
    }

    /// Takes the compensations of one request.
    pub(super) fn take_compensations(&mut self) -> Vec<CardTask> {
        let size = together(&self.compensations).min(MAX_WRITES_PER_REQUEST);
        self.compensations.drain(..size).collect()
    }

    /// Takes all suspects.
    pub(super) fn take_suspects(&mut self) -> Vec<(CardTask, Verdict)> {
        std::mem::take(&mut self.suspects)
    }

    /// Takes the read-backs of one request.
    pub(super) fn take_read_backs(&mut self) -> Vec<NeedsReadBack> {
        let count = self.read_backs.len().min(CARDS_PER_READ);
        self.read_backs.drain(..count).collect()
    }

    /// Takes cards at the front whose read is too old, if the next one's is.
    pub(super) fn take_stale(&mut self) -> Vec<CardTask> {
        let is_stale = |task: &&CardTask| {
            !task.blind && task.read_at.is_none_or(|read| read.elapsed() > MAX_READ_AGE)
        };
        let count = self.planned.iter().take(CARDS_PER_READ).take_while(is_stale).count();
        self.planned.drain(..count).collect()
    }

    /// Returns the number of tasks of the plan in the next request.
    pub(super) fn next_size(&self) -> usize {
        together(self.planned.iter().take(self.per_request.min(self.max_per_request).max(1)))
    }

    /// Returns this number of tasks at the front of the plan.
    pub(super) fn front(&mut self, count: usize) -> impl Iterator<Item = &mut CardTask> {
        self.planned.iter_mut().take(count)
    }

    /// Takes this number of tasks of the plan.
    pub(super) fn take_planned(&mut self, size: usize) -> Vec<CardTask> {
        self.planned.drain(..size.min(self.planned.len())).collect()
    }
}

/// Returns the number of tasks at the front that fit into one request: one that is sent as single
/// calls, or those before it.
fn together<'a>(tasks: impl IntoIterator<Item = &'a CardTask>) -> usize {
    let mut count = 0;
    for task in tasks {
        if task.alone {
            return count.max(1);
        }
        count += 1;
    }
    count
}
