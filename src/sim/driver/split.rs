//! Where a run's time goes: the world, decisions, scoring them, folding, ticks.

use std::time::{Duration, Instant};

use serde::{Serialize, Serializer};

/// Reads a monotonic clock.
pub type Clock = fn() -> Instant;

/// Parts of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sim) enum Part {
    World,
    Decide,
    Score,
    Apply,
    Ticks,
}

/// How long each part took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Split {
    /// Customers, connectors, webhooks.
    #[serde(rename = "world_s", serialize_with = "seconds")]
    pub world: Duration,
    /// Decisions.
    #[serde(rename = "decide_s", serialize_with = "seconds")]
    pub decide: Duration,
    /// Scoring decisions by the world's own probabilities.
    #[serde(rename = "score_s", serialize_with = "seconds")]
    pub score: Duration,
    /// Folding entries, but for ticks.
    #[serde(rename = "apply_s", serialize_with = "seconds")]
    pub apply: Duration,
    /// Folding ticks: detection, proposals.
    #[serde(rename = "ticks_s", serialize_with = "seconds")]
    pub ticks: Duration,
}

fn seconds<S: Serializer>(duration: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_f64(duration.as_secs_f64())
}

/// Measures parts, where a clock was given.
#[derive(Debug, Clone, Default)]
pub(in crate::sim) struct Stopwatch {
    clock: Option<Clock>,
    pub split: Split,
}

impl Stopwatch {
    pub(in crate::sim) fn new(clock: Clock) -> Self {
        Self { clock: Some(clock), split: Split::default() }
    }

    /// The time now, if anybody measures.
    pub(in crate::sim) fn now(&self) -> Option<Instant> {
        self.clock.map(|clock| clock())
    }

    /// Adds what has gone by since `began` to a part.
    pub(in crate::sim) fn add(&mut self, part: Part, began: Option<Instant>) {
        let (Some(began), Some(now)) = (began, self.now()) else { return };
        let took = now.saturating_duration_since(began);
        let sum = match part {
            Part::World => &mut self.split.world,
            Part::Decide => &mut self.split.decide,
            Part::Score => &mut self.split.score,
            Part::Apply => &mut self.split.apply,
            Part::Ticks => &mut self.split.ticks,
        };
        *sum += took;
    }
}
