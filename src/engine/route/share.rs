//! A share that fades, and whether it is more than chance explains.

use serde::{Deserialize, Serialize};

/// Outcomes that the belief before anything was seen counts as.
const PRIOR_OUTCOMES: f64 = 100.0;

/// How many of the latest outcomes were of a kind.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(super) struct Share {
    outcomes: f64,
    hits: f64,
}

impl Share {
    /// Counts an outcome; what came before fades, to 1/e over `memory` of them.
    pub(super) fn add(&mut self, hit: bool, memory: f64) {
        let kept = 1.0 - 1.0 / memory;
        self.outcomes = self.outcomes * kept + 1.0;
        self.hits = self.hits * kept + if hit { 1.0 } else { 0.0 };
    }

    /// An outcome that was counted turns out to be a hit.
    pub(super) fn note(&mut self) {
        self.hits = (self.hits + 1.0).min(self.outcomes);
    }

    /// The share, given what was believed before anything was seen.
    pub(super) fn estimate(&self, prior: f64) -> f64 {
        (self.hits + prior * PRIOR_OUTCOMES) / (self.outcomes + PRIOR_OUTCOMES)
    }

    /// Whether there are more hits than a share explains, by so many standard deviations (of one hit at least).
    pub(super) fn exceeds(&self, expected: f64, deviations: f64) -> bool {
        let deviation = (self.outcomes * expected * (1.0 - expected)).sqrt();
        self.hits - self.outcomes * expected > deviations * deviation.max(1.0)
    }
}
