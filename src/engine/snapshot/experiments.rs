//! Experiments as people see them.

use serde::Serialize;

use crate::domain::change::ArmState;
use crate::domain::settings::ArmPolicy;
use crate::domain::{Method, ProfileId, Time};

/// Where an experiment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ExperimentState {
    /// It has not begun.
    Scheduled,
    /// It runs.
    Running,
    /// Routing is conservative or the kill switch is pulled: no payment is in it meanwhile.
    Paused,
    /// Fewer than two arms are left.
    Stopped,
    /// Its whole scope follows one arm.
    Promoted,
    /// Its time is over.
    Ended,
}

impl ExperimentState {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
            Self::Promoted => "promoted",
            Self::Ended => "ended",
        }
    }
}

/// One experiment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExperimentRow {
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub state: ExperimentState,
    /// Since when its figures are counted.
    pub since: Time,
    /// When it begins and ends, where that is said.
    pub start: Option<Time>,
    /// See `start`.
    pub end: Option<Time>,
    /// Merchants in scope; empty: all.
    pub merchants: Vec<ProfileId>,
    /// Methods in scope; empty: all.
    pub methods: Vec<Method>,
    /// Error probability of its verdicts.
    pub alpha: f64,
    /// Probability of a split as far from the shares as it is; none where there are too few payments.
    pub split_probability: Option<f64>,
    /// Whether the split is not what the shares promise: no winner is believed then.
    pub mismatched: bool,
    /// The arms, the control first.
    pub arms: Vec<ArmRow>,
}

/// One arm.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ArmRow {
    /// Its name.
    pub name: String,
    /// Who chooses in it.
    pub policy: ArmPolicy,
    /// Its share, percent.
    pub share: f64,
    /// What became of it.
    pub state: ArmState,
    /// Payments decided in it.
    pub assigned: u64,
    /// Those with an outcome of their first attempt.
    pub answered: u64,
    /// Those approved.
    pub approved: u64,
    /// Approved of answered.
    pub rate: Option<f64>,
    /// Its rate less that of the control, with the interval that holds at all times; none of the control, and before each
    /// has 200 outcomes.
    pub difference: Option<f64>,
    /// See `difference`.
    pub difference_range: Option<(f64, f64)>,
    /// The always-valid p-value that it differs from the control.
    pub p: Option<f64>,
}

impl ArmRow {
    /// "+1.2 (-0.1 to +2.5) p 0.031", in points; nothing where it is too early.
    #[must_use]
    pub fn verdict(&self) -> String {
        match (self.difference, self.difference_range, self.p) {
            (Some(difference), Some((low, high)), Some(p)) => {
                let points = |difference: f64| 100.0 * difference;
                format!("{:+.1} ({:+.1} to {:+.1}) p {p:.3}", points(difference), points(low), points(high))
            }
            _ => String::new(),
        }
    }
}
