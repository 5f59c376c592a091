//! The read model: all that the screen and the API may see of the engine, at one position of the log.
//!
//! A snapshot is plain data, built from State and nothing else: no clock, no IO. Ages and countdowns are computed by the
//! reader against [`Snapshot::at`].

mod actions;
mod adoption;
mod analytics;
mod build;
mod connectors;
mod experiments;
mod hindsight;
mod incidents;
mod learning;

pub(crate) use actions::UNVERIFIED;
pub use actions::{ActionRow, ActionStatus, BlastRadius, HistoryRow, Prediction};
pub use adoption::{AdoptionView, Conservative, KillSwitch, MerchantAdoptionRow, ShadowReport};
pub use analytics::{AggregateRow, Analytics, UnknownCode};
pub use build::snapshot;
pub use connectors::{AccountRow, BreakerState, ConnectorRow, Health};
pub use experiments::{ArmRow, ExperimentRow, ExperimentState};
pub use hindsight::{Estimate, Hindsight, ShadowRow, ShadowSum, Shadows};
pub use incidents::{AnomalyType, Evidence, IncidentRow, Severity};
pub use learning::{Accuracy, CalibrationRow, LearningView, ModelRow, ModelStatus};

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::domain::numbers::as_f64;
use crate::domain::settings::Levels;
use crate::domain::{ConnectorAccount, Decision, Money, Position, ProfileId, ResourceSample, Time};

/// Buckets of a sparkline: one a second, the oldest first, the last one complete.
pub const SPARK_BUCKETS: usize = 60;

/// The engine at one position.
#[derive(Debug, Clone, PartialEq, Serialize, Default)]
pub struct Snapshot {
    /// The last entry folded.
    pub position: Position,
    /// The log's time there.
    pub at: Time,
    /// The leader's fencing epoch.
    pub epoch: u64,
    /// What the header says.
    pub header: Header,
    /// How much of the traffic the engine routes.
    pub adoption: AdoptionView,
    /// Experiments, by name.
    pub experiments: Vec<ExperimentRow>,
    /// Connectors, by name.
    pub connectors: Vec<ConnectorRow>,
    /// Incidents: open ones first, then by severity, then the newest.
    pub incidents: Vec<IncidentRow>,
    /// Actions: pending first, those against an incident before others and scaling last; then in progress, then the newest.
    pub actions: Vec<ActionRow>,
    /// How many repairs were turned down or taken back lately, and when the first of them may be proposed again.
    pub resting: Option<(usize, Time)>,
    /// What each action that was not executed would have brought, by its id; of the latest ones.
    pub hindsights: Vec<Hindsight>,
    /// The shadow ledger: what was left undone, by week.
    pub shadows: Shadows,
    /// The learnt model.
    pub learning: LearningView,
    /// The resource manager.
    pub scaling: ScalingView,
    /// The latest events, the newest last; at most 200.
    pub events: Vec<EventRow>,
    /// Aggregates since the start of the log's day, UTC.
    pub analytics: Analytics,
    /// Merchants, by profile id.
    pub merchants: Vec<MerchantRow>,
    /// Running totals since the log began.
    pub statistics: Statistics,
    /// What became of the latest commands, the newest last; at most 64.
    pub outcomes: Vec<CommandOutcome>,
}

/// What became of a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandOutcome {
    /// The command's position in the log.
    pub position: Position,
    /// Whether it was carried out.
    pub accepted: bool,
    /// What happened, or why it was refused and what to do: one sentence.
    pub text: String,
}

/// The ten-second summary.
#[derive(Debug, Clone, PartialEq, Serialize, Default)]
pub struct Header {
    /// Payments started a second, mean of the last ten seconds.
    pub payments_per_s: f64,
    /// Attempt rate over the last minute, 0 to 1: approved ÷ (approved + declined + technical). None without attempts.
    pub attempt_rate: Option<f64>,
    /// Attempts behind it.
    pub attempts: u64,
    /// The attempt rate's baseline.
    pub baseline_rate: Option<f64>,
    /// What is lost a minute now.
    pub at_risk: AtRisk,
    /// Levels of autonomy.
    pub autonomy: Option<Levels>,
    /// Open incidents.
    pub open_incidents: u32,
    /// Actions that wait for a person.
    pub pending_actions: u32,
    /// Attempts the switch made whose end no event told.
    pub attempts_unseen: u64,
    /// Share of the attempts made that are seen, 0 to 1, since the log began. None before the first.
    pub attempts_coverage: Option<f64>,
}

/// Money at risk a minute: (expected − observed approvals) × mean ticket over open success-rate incidents; where incidents
/// overlap, a payment's loss counts once.
#[derive(Debug, Clone, PartialEq, Serialize, Default)]
pub struct AtRisk {
    /// The total in the reference currency, where every currency has a rate.
    pub total: Option<Money>,
    /// The date of the reference rates.
    pub rates_dated: String,
    /// By currency.
    pub by_currency: Vec<Money>,
}

/// The resource manager.
#[derive(Debug, Clone, PartialEq, Serialize, Default)]
pub struct ScalingView {
    /// The latest sample.
    pub sample: Option<ResourceSample>,
    /// When it was taken.
    pub sampled_at: Option<Time>,
    /// Whether instances are counted only, and none is started or stopped: so far always.
    pub simulated: bool,
    /// Fewest and most instances.
    pub limits: (u16, u16),
    /// No change of scale before this time.
    pub cooldown_until: Option<Time>,
    /// What the rule says now, in words: "hold: cpu 41 % (up > 75, down < 30)".
    pub verdict: String,
    /// Changes of scale so far, the newest last; at most 20.
    pub history: Vec<HistoryRow>,
}

impl ScalingView {
    /// What is said wherever instances are told of or changed: no actuator starts any (`runtime/actuators.rs` keeps their
    /// number), and those of a simulated world are as little real. Nobody may take a higher number for more capacity.
    pub const SIMULATED: &str = "instances are simulated: none is started or stopped";
}

/// What kind of line the event stream shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventClass {
    /// An attempt was approved.
    Approved,
    /// An attempt was declined for the customer's or the issuer's reasons.
    Declined,
    /// An attempt failed technically.
    Technical,
    /// Another payment event.
    Payment,
    /// Something the engine noticed or did.
    Engine,
    /// Something an operator did.
    Operator,
}

/// One line of the event stream.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EventRow {
    /// Where it stands in the log.
    pub position: Position,
    /// When.
    pub at: Time,
    /// What kind of line.
    pub class: EventClass,
    /// The line: payment, connector, amount, code; no personal data.
    pub text: String,
    /// The latest decision of the payment it is about, while that is open. The API has it under `/v1/decisions`.
    #[serde(skip)]
    pub decision: Option<Arc<Decision>>,
}

/// One merchant.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MerchantRow {
    /// The profile.
    pub profile: ProfileId,
    /// The name.
    pub name: String,
    /// Its fixed priority list; empty: the bandit chooses.
    pub priority: Vec<ConnectorAccount>,
}

/// Running totals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct Statistics {
    /// Payment events folded, repeats among them.
    pub events: u64,
    /// Repeats of an event id or of an outcome already counted.
    pub repeats: u64,
    /// Events older than a minute when they arrived.
    pub late: u64,
    /// Events a filter dropped.
    pub ignored: u64,
    /// Outcomes that contradicted the one counted first.
    pub contradictions: u64,
    /// Distinct payments seen.
    pub payments: u64,
    /// Routing decisions.
    pub decisions: u64,
    /// Outcomes counted: approved.
    pub approved: u64,
    /// Outcomes counted: declined or failed.
    pub failed: u64,
    /// Anomalies detected.
    pub anomalies: u64,
    /// Actions proposed.
    pub actions: u64,
    /// Attempts the switch made whose end no event told.
    pub attempts_unseen: u64,
    /// Attempts whose end events told, and those that are a payment's latest.
    pub attempts_seen: u64,
    /// Payments whose hidden attempts the switch told when it was asked.
    pub fetches_told: u64,
    /// Payments it did not know when it was asked for their attempts.
    pub fetches_not_found: u64,
    /// Payments it was asked for as often as it is, without an answer that can be read.
    pub fetches_given_up: u64,
    /// Payments that were never asked for: too many waited, or nobody asks any more.
    pub fetches_dropped: u64,
    /// Commands refused: stale version, wrong state, level of autonomy.
    pub commands_refused: u64,
}

impl Statistics {
    /// Share of the attempts made that are seen, 0 to 1. None before the first.
    #[must_use]
    pub fn attempts_coverage(&self) -> Option<f64> {
        let made = self.attempts_seen + self.attempts_unseen;
        (made > 0).then(|| as_f64(self.attempts_seen) / as_f64(made))
    }
}
