//! The figures for people.

use super::{Experiments, Progress};
use crate::domain::change::ArmState;
use crate::engine::route::{RoutingView, arms};
use crate::engine::snapshot::{ArmRow, ExperimentRow, ExperimentState};

impl Experiments {
    /// Every experiment, by name.
    pub(crate) fn rows(&self, view: &RoutingView) -> Vec<ExperimentRow> {
        self.0.iter().map(|(name, progress)| progress.row(name, view)).collect()
    }
}

impl Progress {
    fn row(&self, name: &str, view: &RoutingView) -> ExperimentRow {
        let definition = &self.definition;
        ExperimentRow {
            name: name.to_owned(),
            state: self.state(name, view),
            since: self.since,
            start: definition.start,
            end: definition.end,
            merchants: definition.merchants.clone(),
            methods: definition.methods.clone(),
            alpha: definition.alpha,
            split_probability: self.split_probability(),
            mismatched: self.is_mismatched(),
            arms: (0..definition.arms.len()).map(|place| self.arm(place, name, view)).collect(),
        }
    }

    fn state(&self, name: &str, view: &RoutingView) -> ExperimentState {
        let (definition, at) = (&self.definition, view.at());
        let adoption = view.adoption();
        if view.arms.promoted(name, definition).is_some() {
            ExperimentState::Promoted
        } else if definition.start.is_some_and(|start| at < start) {
            ExperimentState::Scheduled
        } else if !arms::is_on(definition, at) {
            ExperimentState::Ended
        } else if view.arms.running(name, definition) < 2 {
            ExperimentState::Stopped
        } else if adoption.killed.is_some() || adoption.cautious.is_some() {
            ExperimentState::Paused
        } else {
            ExperimentState::Running
        }
    }

    fn arm(&self, place: usize, name: &str, view: &RoutingView) -> ArmRow {
        let (arm, figures) = (&self.definition.arms[place], &self.arms[place]);
        let look = self.look(place);
        let state: ArmState = view.arms.state(name, &arm.name);
        ArmRow {
            name: arm.name.to_string(),
            policy: arm.policy,
            share: arm.share,
            state,
            assigned: figures.assigned,
            answered: figures.counts.answered,
            approved: figures.counts.approved,
            rate: figures.counts.rate(),
            difference: look.map(|look| look.difference),
            difference_range: look.map(|_| (figures.versus.low, figures.versus.high)),
            p: look.map(|_| figures.versus.p),
        }
    }
}
