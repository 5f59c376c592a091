//! Incidents, and the measurements behind them.

use serde::{Deserialize, Serialize};

use crate::domain::{ActionId, IncidentId, Money, Time};

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
    /// judged attempts approved in 30 s, expected 91 %; now 95 % of 40".
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
