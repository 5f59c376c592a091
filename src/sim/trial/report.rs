//! What a trial came to.

use serde::Serialize;

use super::Policy;
use crate::domain::Time;
use crate::domain::numbers::as_f64;
use crate::engine::snapshot::{ActionStatus, ModelRow};
use crate::sim::driver::Driver;
use crate::sim::driver::split::Split;
use crate::sim::world::Tally;

/// Below so many savable payments a share of them says more about chance than about us.
const SAVABLE_ENOUGH: f64 = 200.0;

/// What a trial came to. The same trial gives the same report, but for `wall_s`.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The scenario's name.
    pub scenario: String,
    /// The seed.
    pub seed: u64,
    /// Who routed.
    pub policy: Policy,
    /// Who decided.
    pub autonomy: String,
    /// This program's version.
    pub version: &'static str,
    /// The simulated start.
    pub from: Time,
    /// The simulated end.
    pub to: Time,
    /// Payments that arrived.
    pub payments: u64,
    /// Those that succeeded, at their first attempt or at a later one.
    pub succeeded: u64,
    /// Their share.
    pub success_rate: Option<f64>,
    /// The share of attempts, first and further ones, to be expected to succeed by the choices made: luck apart, and as if
    /// nobody abandoned one. None without an engine.
    pub expected_success_rate: Option<f64>,
    /// The share that choosing the best account every time comes to, under the same luck.
    pub oracle_success_rate: Option<f64>,
    /// Attempts lost of a thousand, in expectation, against the best account every time.
    pub regret_per_1000: Option<f64>,
    /// The share under fixed priority.
    pub priority_success_rate: Option<f64>,
    /// The share of the bandit alone.
    pub bandit_success_rate: Option<f64>,
    /// Payments that a perfect reaction at the faults' detection saves, against fixed priority, in expectation, each counted
    /// by its end; none without an engine, which alone detects.
    pub savable: Option<f64>,
    /// The share of them that was saved; none where there are fewer than 200.
    pub saved_share: Option<f64>,
    /// The same against a perfect reaction at the faults' start.
    pub savable_at_fault: Option<f64>,
    /// Its share.
    pub saved_share_at_fault: Option<f64>,
    /// What was noticed.
    pub incidents: Vec<Noticed>,
    /// Faults that harm payments and that nobody noticed, by number in the file.
    pub missed: Vec<usize>,
    /// Incidents that no fault explains.
    pub false_incidents: usize,
    /// What was proposed, and what became of it.
    pub actions: Vec<Acted>,
    /// What was expected of the engine, and whether it held.
    pub expectations: Vec<Held>,
    /// Log entries.
    pub entries: u64,
    /// Payments that no account was left for.
    pub unrouted: u64,
    /// How far the tables were behind the log at most, seconds.
    pub tables_behind_s: f64,
    /// Models that were trained, and what became of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<ModelRow>,
    /// Hash of the engine's complete state; none without an engine.
    pub fingerprint: Option<String>,
    /// How long it took, seconds, the comparisons included.
    pub wall_s: f64,
    /// Where the run's own time went.
    #[serde(flatten)]
    pub split: Option<Split>,
}

/// An incident, beside the fault that explains it.
#[derive(Debug, Clone, Serialize)]
pub struct Noticed {
    /// Its kind.
    pub kind: &'static str,
    /// Its slice.
    pub slice: String,
    /// When the fault began that explains it; without one, when it was noticed.
    pub started_at: Time,
    /// How long after the fault's start it was noticed, seconds; none without a fault.
    pub detected_after_s: Option<f64>,
    /// The fault that explains it, by number in the file, from 1.
    pub fault: Option<usize>,
    /// Whether a fault explains it.
    pub expected: bool,
    /// Whether its slice is exactly what the fault hits.
    pub correct_slice: bool,
    /// Its sentence.
    pub sentence: String,
}

/// An action and its outcome.
#[derive(Debug, Clone, Serialize)]
pub struct Acted {
    /// The kind of its change.
    pub kind: &'static str,
    /// What it was to change, in a sentence.
    pub target: String,
    /// When it was proposed.
    pub at: Time,
    /// Its state at the end.
    pub outcome: ActionStatus,
    /// Whether the run came out worse than without it; none when it was never executed, moves no traffic, or was not
    /// compared.
    pub made_worse: Option<bool>,
}

/// An expectation and whether it held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Held {
    /// What was expected, in words.
    pub expectation: String,
    /// Whether it held.
    pub verdict: Verdict,
    /// What was seen.
    pub seen: String,
}

/// Whether an expectation held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It held.
    Met,
    /// It did not.
    Failed,
    /// It waits for a later part of the product, or for a time that the run did not come to.
    NotYet,
    /// No engine ran that it could be expected of.
    NotJudged,
}

impl Report {
    pub(super) fn take(&mut self, tally: Tally) {
        (self.payments, self.succeeded, self.success_rate) = (tally.payments, tally.succeeded, share(tally));
    }

    pub(super) fn score(&mut self, driver: &Driver) {
        let (score, savings) = (driver.score(), driver.savings());
        self.unrouted = score.unrouted;
        self.tables_behind_s = driver.tables_behind().as_secs_f64();
        self.regret_per_1000 = score.lost_per_thousand();
        self.expected_success_rate = score.expected_rate();
        let (detection, start) = (savings.since_detection(), savings.since_start());
        (self.savable, self.saved_share) = (Some(detection.savable), detection.share(SAVABLE_ENOUGH));
        (self.savable_at_fault, self.saved_share_at_fault) = (Some(start.savable), start.share(SAVABLE_ENOUGH));
    }

    /// Whether anything was judged: else there is nothing that could have failed.
    #[must_use]
    pub fn is_judged(&self) -> bool {
        self.expectations.iter().any(|held| matches!(held.verdict, Verdict::Met | Verdict::Failed))
    }

    /// Whether no expectation failed.
    #[must_use]
    pub fn is_met(&self) -> bool {
        self.expectations.iter().all(|held| held.verdict != Verdict::Failed)
    }
}

/// The share of payments that succeeded.
pub(super) fn share(tally: Tally) -> Option<f64> {
    (tally.payments > 0).then(|| as_f64(tally.succeeded) / as_f64(tally.payments))
}
