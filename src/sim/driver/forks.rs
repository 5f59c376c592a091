//! What an action was good for: the same world, from the moment it was executed, with and without it.

use std::collections::VecDeque;
use std::time::Duration;

use super::Driver;
use crate::domain::{Act, ActionClass, ActionId, Time};

/// How long both are compared: most faults are over by then, and what follows is chance.
const COMPARED: Duration = Duration::from_mins(30);

/// An action is worse than none when it loses at least so many payments: less is the noise of exploring elsewhere.
const WORSE: f64 = 1.0;

/// The copies of a run, one for each action that moved traffic.
#[derive(Clone, Default)]
pub struct Forks {
    all: Vec<Fork>,
    /// Those whose time is not up yet, the oldest first.
    open: VecDeque<usize>,
}

/// A world in which an action was left out.
#[derive(Clone)]
pub struct Fork {
    /// The action.
    pub action: ActionId,
    without: Driver,
    until: Time,
    /// Successes to be expected with the action, from the run's start to `until`.
    with: Option<f64>,
}

impl Forks {
    pub(in crate::sim) fn add(&mut self, act: &Act, without: Driver, now: Time) {
        // Instances carry payments; they do not route them. An arm has its own control beside it.
        if matches!(act.change.class(), ActionClass::Scaling | ActionClass::Experiments) {
            return;
        }
        self.open.push_back(self.all.len());
        self.all.push(Fork { action: act.action, without, until: now + COMPARED, with: None });
    }

    /// The run has come to a time, and to so many successes to be expected.
    pub(in crate::sim) fn pass(&mut self, at: Time, expected: f64) {
        while let Some(&first) = self.open.front() {
            if self.all[first].until >= at {
                return;
            }
            self.all[first].with = Some(expected);
            self.open.pop_front();
        }
    }

    /// The copies, in the order of the actions.
    #[must_use]
    pub fn all(&self) -> &[Fork] {
        &self.all
    }
}

impl Fork {
    /// Whether the run did worse with the action than it would have done without it, by the successes to be expected.
    /// `end` and `expected` are the run's own end and sum, for an action whose time was not up by then.
    #[must_use]
    pub fn made_worse(&self, end: Time, expected: f64) -> bool {
        let mut without = self.without.clone();
        without.run_until(self.until.min(end), &mut |_| {});
        self.with.unwrap_or(expected) < without.score().expected - WORSE
    }
}
