//! Training in no time at all, for a simulated world and for the past: nobody is there who would wait for a model.

use std::time::Duration;

use imbl::Vector;

use super::Lesson;
use crate::domain::{ConnectorName, Model, Time};
use crate::engine::State;

/// Where there was nothing to train, the next outcomes are waited for.
const UNTRAINABLE: Duration = Duration::from_mins(10);

/// Makes a model of lessons, of connectors by their numbers, in a version; none where there is nothing to train.
pub type Train = fn(&Vector<Lesson>, &[ConnectorName], u32) -> Option<Model>;

/// Trains a model when one is due.
#[derive(Debug, Clone, Copy)]
pub struct Trainer {
    train: Train,
    untrainable_until: Time,
}

impl Trainer {
    /// One that trains in this way.
    #[must_use]
    pub const fn new(train: Train) -> Self {
        Self { train, untrainable_until: Time::ZERO }
    }

    /// The model that is due now, if one is: to be published.
    pub fn due(&mut self, state: &State, now: Time) -> Option<Model> {
        let (due, version) = state.training()?;
        if due.max(self.untrainable_until) > now {
            return None;
        }
        let names: Vec<ConnectorName> = state.view().connectors().cloned().collect();
        let model = (self.train)(&state.lessons(), &names, version);
        if model.is_none() {
            self.untrainable_until = now + UNTRAINABLE;
        }
        model
    }
}
