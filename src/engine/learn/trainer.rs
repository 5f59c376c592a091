//! Training for a simulated world and for the past. Where nobody waits for a model it is made in no time at all; beside a
//! screen it is begun when it falls due and published a fixed time later, so that the world goes on meanwhile and is the
//! same however long it really takes.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use imbl::Vector;

use super::Lesson;
use crate::domain::{ConnectorName, Model, Time};
use crate::engine::State;

/// Where there was nothing to train, the next outcomes are waited for.
const UNTRAINABLE: Duration = Duration::from_mins(10);

/// What a model is made of, as it was when the model fell due.
#[derive(Debug, Clone)]
pub struct Course {
    /// The outcomes, the oldest first.
    pub lessons: Vector<Lesson>,
    /// The connectors by their numbers.
    pub connectors: Vec<ConnectorName>,
    /// The model's version.
    pub version: u32,
}

/// A model on its way. Whoever asks for it waits until it is made; none where there was nothing to train.
#[derive(Clone)]
pub struct Underway(Arc<dyn Fn() -> Option<Model> + Send + Sync>);

impl Underway {
    /// What gives the model, the same one however often it is asked.
    pub fn new(model: impl Fn() -> Option<Model> + Send + Sync + 'static) -> Self {
        Self(Arc::new(model))
    }

    /// The model.
    #[must_use]
    pub fn wait(&self) -> Option<Model> {
        (self.0)()
    }
}

impl fmt::Debug for Underway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Underway")
    }
}

/// Begins to make a model.
pub type Train = fn(Course) -> Underway;

/// Trains a model when one is due.
#[derive(Debug, Clone)]
pub struct Trainer {
    train: Train,
    /// How long after it fell due a model is published.
    takes: Duration,
    not_before: Time,
    /// The model that is being made, and when it is to be published.
    underway: Option<(Time, Underway)>,
}

impl Trainer {
    /// One that trains in this way, at once.
    #[must_use]
    pub const fn new(train: Train) -> Self {
        Self { train, takes: Duration::ZERO, not_before: Time::ZERO, underway: None }
    }

    /// The same, publishing a model so long after it fell due.
    #[must_use]
    pub fn taking(self, takes: Duration) -> Self {
        Self { takes, ..self }
    }

    /// The same, training nothing before then.
    #[must_use]
    pub fn not_before(self, not_before: Time) -> Self {
        Self { not_before, ..self }
    }

    /// The model that is to be published now, if one is.
    pub fn due(&mut self, state: &State, now: Time) -> Option<Model> {
        if self.underway.is_none() {
            self.underway = self.begin(state, now);
        }
        let (_, underway) = self.underway.take_if(|(at, _)| *at <= now)?;
        let model = underway.wait();
        if model.is_none() {
            self.not_before = now + UNTRAINABLE;
        }
        model
    }

    fn begin(&self, state: &State, now: Time) -> Option<(Time, Underway)> {
        let (due, version) = state.training()?;
        if due.max(self.not_before) > now {
            return None;
        }
        let connectors = state.view().connectors().cloned().collect();
        let course = Course { lessons: state.lessons(), connectors, version };
        Some((now + self.takes, (self.train)(course)))
    }
}
