//! Actions: proposals with all that an approval must show, and what became of them.

use serde::{Deserialize, Serialize};

use super::Evidence;
use crate::domain::{ActionClass, ActionId, Change, IncidentId, Method, Money, ProfileId, Time};

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
    /// Until when the same is not proposed again, unless it is reopened. None while it is not over, where nothing of it
    /// rests, and once its incident is over. Worked out for the snapshot.
    pub rests_until: Option<Time>,
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
