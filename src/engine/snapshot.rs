//! The read model: all that the screen and the API may see of the engine, at one position of the log.
//!
//! A snapshot is plain data, built from State and nothing else: no clock, no
//! IO. Ages and countdowns are computed by the reader against [`Snapshot::at`].

mod adoption;
mod build;
mod experiments;
mod hindsight;
mod learning;

pub use adoption::{AdoptionView, Conservative, KillSwitch, MerchantAdoptionRow, ShadowReport};
pub use build::snapshot;
pub use experiments::{ArmRow, ExperimentRow, ExperimentState};
pub use hindsight::{Estimate, Hindsight, ShadowRow, ShadowSum, Shadows};
pub use learning::{Accuracy, CalibrationRow, LearningView, ModelRow, ModelStatus};

use std::sync::Arc;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use crate::domain::settings::{Levels, Window};
use crate::domain::{
    ActionClass, ActionId, Change, ConnectorAccount, ConnectorName, Currency, Decision, IncidentId, Method, Money, Position,
    ProfileId, ResourceSample, Time,
};

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
    /// Actions: pending first, then in progress, then the newest.
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

/// How a connector does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// No attempts in the last minute.
    #[default]
    Quiet,
    /// As expected.
    Healthy,
    /// An incident is open on it, or some of its accounts' breakers are.
    Degraded,
    /// Most attempts fail, or every account's breaker is open.
    Down,
}

/// One connector.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ConnectorRow {
    /// Its name.
    pub name: ConnectorName,
    /// How it does.
    pub health: Health,
    /// Attempt rate over the last minute.
    pub attempt_rate: Option<f64>,
    /// Attempts behind it.
    pub attempts: u64,
    /// Its baseline.
    pub baseline_rate: Option<f64>,
    /// Mean latency over the last minute, milliseconds.
    pub latency_ms: Option<f64>,
    /// Its share of all attempts of the last minute, 0 to 1.
    pub share: f64,
    /// Attempts in flight.
    pub pending: u32,
    /// Attempt rate a second; None where a second had no attempts. [`SPARK_BUCKETS`] values.
    pub rate_spark: Vec<Option<f32>>,
    /// Attempts a second. [`SPARK_BUCKETS`] values.
    pub volume_spark: Vec<u32>,
    /// Its accounts.
    pub accounts: Vec<AccountRow>,
    /// Planned maintenance that is not over.
    pub maintenance: Vec<Window>,
}

/// A circuit breaker's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum BreakerState {
    /// Traffic flows.
    #[default]
    Closed,
    /// Only probes flow.
    Open,
}

/// One connector account.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AccountRow {
    /// The account.
    pub account: ConnectorAccount,
    /// Its breaker.
    pub breaker: BreakerState,
    /// Why the breaker opened, in words.
    pub breaker_reason: Option<String>,
    /// Whether an operator or an action excluded it.
    pub excluded: bool,
    /// Until when it is in planned maintenance, if it is.
    pub maintenance_until: Option<Time>,
    /// Gateway-class failures in a row.
    pub consecutive_failures: u32,
    /// Probes in a row that succeeded.
    pub probe_successes: u32,
    /// Attempts since the start of the log's day.
    pub attempts: u64,
    /// How many of them were approved.
    pub approved: u64,
}

/// How bad an incident is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Worth a look today.
    Warning,
    /// Worth a page.
    Critical,
}

/// Kinds of anomaly, by the names of the original design.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum AnomalyType {
    /// Sudden increase in transactions.
    VolumeSpike,
    /// Sudden decrease in transactions.
    VolumeDrop,
    /// Success rate below baseline.
    HighFailureRate,
    /// Statistically significant deviation of another kind; latency is one.
    UnusualPattern,
    /// Fraud indicators.
    PotentialFraud,
}

impl AnomalyType {
    /// The original design's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::VolumeSpike => "VolumeSpike",
            Self::VolumeDrop => "VolumeDrop",
            Self::HighFailureRate => "HighFailureRate",
            Self::UnusualPattern => "UnusualPattern",
            Self::PotentialFraud => "PotentialFraud",
        }
    }

    /// The same for people.
    #[must_use]
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::VolumeSpike => "more traffic than usual",
            Self::VolumeDrop => "less traffic than usual",
            Self::HighFailureRate => "more failures than usual",
            Self::UnusualPattern => "unusual pattern",
            Self::PotentialFraud => "possible fraud",
        }
    }
}

/// The measurement behind an incident or a proposal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// What is measured, with its unit: `attempt rate`, `mean latency (ms)`, `attempts a minute`.
    pub metric: String,
    /// What was observed when it was judged last.
    pub observed: f64,
    /// What was expected.
    pub baseline: f64,
    /// Sample size in the window.
    pub samples: u64,
    /// The window, in seconds.
    pub window_s: u64,
    /// Probability of the observation under the baseline.
    pub probability: f64,
    /// When it was judged last.
    pub at: Time,
    /// The series, one value a second, oldest first; None where a second had no sample.
    pub series: Vec<Option<f32>>,
}

/// One incident (an anomaly record).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IncidentRow {
    /// Its id.
    pub id: IncidentId,
    /// Its kind.
    pub kind: AnomalyType,
    /// What it is about: `connector adyen`, `adyen × BIN 424242`, `account adyen:mca_7`, `merchant pro_1`, `all traffic`.
    pub slice: String,
    /// The one sentence a person reads first, of when it was at its worst, and how it does since: "adyen fails: 12 % of 83
    /// attempts approved in 30 s, expected 91 %; now 95 % of 40".
    pub sentence: String,
    /// How bad.
    pub severity: Severity,
    /// When it was noticed.
    pub detected_at: Time,
    /// When it was over, if it is.
    pub resolved_at: Option<Time>,
    /// The measurement when it was at its worst.
    pub evidence: Evidence,
    /// What it costs a minute now, by currency.
    pub at_risk: Vec<Money>,
    /// What it cost a minute at its worst, by currency.
    pub at_worst: Vec<Money>,
    /// The same in the reference currency, where every currency has a rate. Worked out for the snapshot.
    pub at_risk_total: Option<Money>,
    /// The actions proposed against it.
    pub actions: Vec<ActionId>,
}

/// An action's state, by the original design's machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionStatus {
    /// Proposed; waits for a person (or for a veto).
    Pending,
    /// Approved; being executed or verified.
    InProgress,
    /// Executed and verified.
    Succeeded,
    /// Could not be executed, or did not help.
    Failed,
    /// Taken back.
    RolledBack,
    /// Turned down by a person.
    Rejected,
    /// Nobody answered in time.
    Expired,
}

impl ActionStatus {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::InProgress => "in progress",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::RolledBack => "rolled back",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
        }
    }
}

/// One action: a proposal and what became of it. Everything an approval must show.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ActionRow {
    /// Its id.
    pub id: ActionId,
    /// Raised whenever its content or state changes; a command names the one it was shown.
    pub version: u32,
    /// Its state.
    pub status: ActionStatus,
    /// Its class.
    pub class: ActionClass,
    /// The change.
    pub change: Change,
    /// Verb, object, size.
    pub sentence: String,
    /// What is now, and what will be: one line each, in pairs.
    pub before_after: Vec<(String, String)>,
    /// The incident it answers.
    pub incident: Option<IncidentId>,
    /// The measurement that triggered it.
    pub evidence: Option<Evidence>,
    /// Probability that it helps, 0 to 1, and what that means in words.
    pub confidence: f64,
    /// What the confidence rests on.
    pub confidence_basis: String,
    /// What argues against it, the strongest first.
    pub against: Vec<String>,
    /// What else could be done; doing nothing is among them.
    pub alternatives: Vec<String>,
    /// Whom it touches.
    pub blast: BlastRadius,
    /// What it is predicted to bring.
    pub predicted: Prediction,
    /// How to take it back, and whether it reverts by itself.
    pub undo: String,
    /// Why a person is asked.
    pub why_asked: String,
    /// When it was proposed.
    pub proposed_at: Time,
    /// When the proposal lapses (pending), or executes by itself (pending at `veto`).
    pub expires_at: Time,
    /// Whether it executes at `expires_at` unless vetoed; otherwise it lapses.
    pub executes_by_itself: bool,
    /// Whether it may be undone now.
    pub undoable: bool,
    /// What happened to it: time, who, what.
    pub history: Vec<HistoryRow>,
    /// How its success is verified, and what was seen.
    pub verification: Option<String>,
    /// From the incident's detection to a verified success, in milliseconds of the log's time.
    pub recovery_time_ms: Option<u64>,
}

/// What a verification begins with that lacked evidence.
pub(crate) const UNVERIFIED: &str = "could not be verified";

impl ActionRow {
    /// Whether its change was made and stands, though nothing showed whether it helped.
    #[must_use]
    pub fn is_unverified(&self) -> bool {
        self.verification.as_deref().is_some_and(|seen| seen.starts_with(UNVERIFIED))
    }
}

/// Whom an action touches.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
pub struct BlastRadius {
    /// Payments a minute.
    pub payments_per_min: f64,
    /// Amount a minute, by currency.
    pub amount_per_min: Vec<Money>,
    /// Merchants.
    pub merchants: Vec<ProfileId>,
    /// Methods.
    pub methods: Vec<Method>,
    /// Share of all traffic, 0 to 1.
    pub share: f64,
}

/// What an action is predicted to bring.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
pub struct Prediction {
    /// Attempt rate of the touched traffic now, 0 to 1.
    pub rate_now: Option<f64>,
    /// Attempt rate after, expected.
    pub rate_after: Option<f64>,
    /// The same, 5th and 95th percentile.
    pub rate_after_range: Option<(f64, f64)>,
    /// Approved amount gained a minute, by currency.
    pub saved_per_min: Vec<Money>,
    /// Fees more (or, negative, less) a minute, by currency.
    pub fees_per_min: Vec<Money>,
    /// Where the traffic goes and how that target does.
    pub target: String,
}

/// One line of an action's history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HistoryRow {
    /// When.
    pub at: Time,
    /// Who: an operator's name, or `apos`.
    pub who: String,
    /// What.
    pub what: String,
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

/// Aggregates of one slice.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AggregateRow {
    /// The connector, method or merchant.
    pub key: String,
    /// Attempts with an answer.
    pub attempts: u64,
    /// How many were approved.
    pub approved: u64,
    /// Declined by issuer or customer.
    pub declined: u64,
    /// Failed technically.
    pub technical: u64,
    /// Mean latency, milliseconds, of the attempts that told theirs.
    pub latency_ms: Option<f64>,
    /// Approved amount, by currency.
    pub amount: Vec<Money>,
}

/// Analytics since the start of the log's day.
#[derive(Debug, Clone, PartialEq, Serialize, Default)]
pub struct Analytics {
    /// The start.
    pub since: Time,
    /// By connector.
    pub connectors: Vec<AggregateRow>,
    /// By method.
    pub methods: Vec<AggregateRow>,
    /// By merchant; the 100 with the most attempts.
    pub merchants: Vec<AggregateRow>,
    /// Currencies seen.
    pub currencies: Vec<Currency>,
    /// Decline codes that no table knows, learnt as mixed; those seen most first.
    pub unknown_codes: Vec<UnknownCode>,
    /// Failures with further unknown codes, each too rare to be listed.
    pub unknown_others: u64,
}

/// A decline code of a connector that no table knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnknownCode {
    /// The connector.
    pub connector: String,
    /// The code; `unknown` where none was told, the status in feedback that came without one.
    pub code: CompactString,
    /// Attempts that failed with it.
    pub attempts: u64,
    /// When it was seen last.
    pub last: Time,
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
        (made > 0).then(|| super::detect::as_f64(self.attempts_seen) / super::detect::as_f64(made))
    }
}
