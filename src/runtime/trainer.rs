//! Trains models beside everything else, on a thread that runs only where a processor has nothing else to do.
//!
//! The fold says when one is due and keeps what it is trained on; the leader alone trains, and publishes what came of it as
//! an entry under its epoch. Whether it is any good the fold decides, on every replica alike. Training is never replayed:
//! a replay finds the table in the log.

mod encode;
mod train;

use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::time::Duration;

use imbl::Vector;
use tokio::sync::watch;

use super::background;
use super::clock::{self, Clock};
use super::protocol::Lease;
use super::replica::Published;
use super::supervisor::{Phase, Stop};
use crate::domain::{Body, Model, Time};
use crate::engine::State;
use crate::engine::learn::Lesson;
use crate::log::Log;

pub use train::{Untrained, train};

/// How often it is asked whether a model is due: they are hours apart, and after a failure minutes.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Pause after a model could not be trained or published.
const PAUSE: Duration = Duration::from_mins(1);

/// What there is to train on, as of a position of the log.
#[derive(Debug, Clone, Default)]
pub(super) struct Training {
    lessons: Vector<Lesson>,
    /// When a model is due, and its version.
    due: Option<(Time, u32)>,
}

impl Training {
    /// Of a state; shares its lessons.
    pub(super) fn of(state: &State) -> Self {
        Self { lessons: state.lessons(), due: state.training() }
    }

    /// The version to train, if it is time.
    fn version(&self, now: Time) -> Option<u32> {
        self.due.filter(|(due, _)| *due <= now).map(|(_, version)| version)
    }
}

/// The trainer's shell.
#[derive(Debug)]
pub(super) struct Trainer {
    /// Where models go.
    pub(super) log: Log,
    /// Stamps them.
    pub(super) clock: Clock,
    /// What the fold keeps to train on.
    pub(super) published: Arc<Published>,
    /// Whether this process leads.
    pub(super) lease: watch::Receiver<Option<Lease>>,
}

impl Trainer {
    /// Runs on this thread until the runtime is quiet. A training under way is not waited for: it has published nothing.
    pub(super) fn run(self, runtime: &tokio::runtime::Handle, stop: &Stop) {
        background::run_when_idle("trainer");
        runtime.block_on(async {
            while stop.sleep(LOOK_EVERY, Phase::Quiet).await {
                let leads = self.lease.borrow().is_some();
                let training = self.published.training();
                let Some(version) = training.version(self.clock.now()).filter(|_| leads) else { continue };
                let done = match self.trained(&training, version) {
                    Some(model) => self.publish(model, stop).await,
                    None => false,
                };
                if !done && !stop.sleep(PAUSE, Phase::Quiet).await {
                    return;
                }
            }
        });
    }

    /// A model; none where there is nothing to train, or the library gave up, which the log file tells.
    fn trained(&self, training: &Training, version: u32) -> Option<Model> {
        let names: Vec<_> = self.published.view().connectors().cloned().collect();
        let began = clock::instant();
        // A library's panic must not end the thread: the next training may go well.
        let model = panic::catch_unwind(AssertUnwindSafe(|| train(&training.lessons, &names, version)));
        let model = model.unwrap_or_else(|_| Err(Untrained::Trees("it panicked".to_owned())));
        let took_ms = began.elapsed().as_millis();
        match &model {
            Ok(model) => tracing::info!(
                component = "trainer",
                version,
                outcomes = model.window.outcomes,
                bytes = model.blob.len(),
                brier = model.metrics.brier,
                brier_without = model.metrics.brier_without,
                took_ms,
                "a model is trained"
            ),
            Err(error) => tracing::warn!(component = "trainer", version, %error, took_ms, "no model could be trained"),
        }
        model.ok()
    }

    /// Publishes a model and waits until it is folded, or it would be trained again; `false` when the log did not take it.
    async fn publish(&self, model: Model, stop: &Stop) -> bool {
        let Some(lease) = *self.lease.borrow() else { return false };
        match self.log.append(lease.epoch, self.clock.now(), vec![Body::ModelPublished(Box::new(model))]).await {
            Ok(record) => {
                tokio::select! {
                    () = self.published.folded_record(record.number) => {}
                    () = stop.at(Phase::Quiet) => {}
                }
                true
            }
            Err(error) => {
                tracing::warn!(component = "trainer", %error, "the log did not take a model");
                false
            }
        }
    }
}
