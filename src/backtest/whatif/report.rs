//! What the comparison came to.

use serde::{Serialize, Serializer};

use super::Noticed;
use crate::domain::{Approach, ConnectorAccount, Money, PaymentId, ProfileId, Time};
use crate::engine::snapshot::{ActionRow, ActionStatus, Estimate, IncidentRow};

/// Incidents of the same kind on the same slice are the same one when they were noticed so close to each other, seconds.
const SAME_WITHIN_S: f64 = 1_800.0;

/// What a stretch was, beside what it would have been. The same records, configuration and version give the same report.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The stretch.
    pub from: Time,
    /// Its end.
    pub to: Time,
    /// Decisions recorded in it.
    pub decisions: u64,
    /// Those that would have fallen on another account.
    pub differ: u64,
    /// Where they went, and where they would have gone; the most frequent first.
    pub flows: Vec<Flow>,
    /// Those that differ, by merchant, the most first.
    pub merchants: Vec<Count>,
    /// Those that differ, by method, the most first.
    pub methods: Vec<Count>,
    /// The first few of them.
    pub examples: Vec<Example>,
    /// Incidents of either.
    pub incidents: Vec<Told>,
    /// Actions as they were.
    pub actions_was: Vec<Executed>,
    /// Actions as they would have been.
    pub actions_other: Vec<Executed>,
    /// Attempts that succeeded, and would have.
    pub success: Success,
    /// What the doubly robust estimate says of the same, by the recorded propensities; none where nothing can be said.
    pub second_opinion: Option<SecondOpinion>,
    /// Amounts approved, and that would have been, by currency.
    pub amounts: Vec<Amount>,
    /// What the attempts that differ would have brought: the model's word, corrected by what went there meanwhile.
    pub turned: Estimate,
    /// Where the data cannot say.
    pub warnings: Vec<String>,
    /// Operators' orders that had nothing to act on.
    pub orders_left_out: u64,
    /// Configurations, and rules of merchants whose rules are others, activated within the stretch and left out of the
    /// other fold.
    pub configurations_left_out: u64,
}

/// Decisions from one connector (or account) to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Flow {
    /// Where they went.
    pub from: String,
    /// Where they would have gone.
    pub to: String,
    /// How many.
    pub count: u64,
}

/// How many of a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Count {
    /// The name.
    pub name: String,
    /// How many.
    pub count: u64,
}

/// One decision that differs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Example {
    /// When.
    pub at: Time,
    /// The payment.
    pub payment: PaymentId,
    /// The merchant.
    pub merchant: ProfileId,
    /// Where it went.
    pub was: ConnectorAccount,
    /// How that was chosen.
    pub was_by: Approach,
    /// Where it would have gone.
    pub other: ConnectorAccount,
    /// How that would have been chosen.
    pub other_by: Approach,
}

/// An incident of either fold, or of both.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Told {
    /// Its kind.
    pub kind: &'static str,
    /// Its slice.
    pub slice: String,
    /// When it was noticed.
    pub was_at: Option<Time>,
    /// When it would have been.
    pub other_at: Option<Time>,
    /// How much later that is, seconds; negative: earlier.
    pub later_s: Option<f64>,
}

/// An action of one of the folds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Executed {
    /// When it was proposed.
    pub at: Time,
    /// Its sentence.
    pub sentence: String,
    /// Whether its change was made.
    pub executed: bool,
    /// What became of it.
    pub status: Became,
}

/// What became of an action by the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Became {
    /// Its state.
    Known(ActionStatus),
    /// Its change was made and stands; whether it helped, the record cannot say.
    NotVerified,
}

impl Became {
    /// In words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Known(status) => status.as_str(),
            Self::NotVerified => "not verified",
        }
    }
}

impl Serialize for Became {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Known(status) => status.serialize(serializer),
            Self::NotVerified => serializer.serialize_str("not_verified"),
        }
    }
}

/// Attempts that succeeded, and would have.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Success {
    /// Attempts of the stretch whose outcome is known.
    pub outcomes: u64,
    /// Share of them approved.
    pub was: Option<f64>,
    /// Share that would have been: that, and what those turned would have brought ([`Report::turned`]).
    pub other: Option<f64>,
    /// Its 95 % interval.
    pub other_range: Option<(f64, f64)>,
}

/// The doubly robust estimate: another way to the same figure. It weights what happened by the recorded propensities, so that
/// it is wide where the stretch rarely chose what would be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct SecondOpinion {
    /// Share that would have been approved.
    pub other: f64,
    /// Half of its 95 % interval, the model's own doubt in it where no propensity speaks.
    pub half_width_95: f64,
    /// How many equally weighted attempts the weighted ones are worth (Kish).
    pub effective_samples: f64,
}

impl SecondOpinion {
    /// Whether it says anything: an interval wider than two points each way holds every difference that anybody ponders.
    #[must_use]
    pub fn says_something(&self) -> bool {
        self.half_width_95 <= 0.02
    }
}

/// Approved amounts of one currency.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Amount {
    /// As it was.
    pub was: Money,
    /// As it would have been: that, and what those turned would have brought.
    pub other: Money,
    /// Its 95 % interval.
    pub other_range: (Money, Money),
}

/// Two figures of the same thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Both {
    /// As it was.
    pub was: usize,
    /// As it would have been.
    pub other: usize,
}

impl Report {
    /// Actions proposed.
    #[must_use]
    pub fn proposed(&self) -> Both {
        Both { was: self.actions_was.len(), other: self.actions_other.len() }
    }

    /// Actions whose change was made.
    #[must_use]
    pub fn executed(&self) -> Both {
        let count = |rows: &[Executed]| rows.iter().filter(|row| row.executed).count();
        Both { was: count(&self.actions_was), other: count(&self.actions_other) }
    }
}

/// The incidents of both, each beside the one it is the same as.
pub(super) fn side_by_side(from: Time, was: &Noticed, other: &Noticed) -> Vec<Told> {
    let within = |noticed: &Noticed| -> Vec<IncidentRow> {
        noticed.incidents.values().filter(|row| row.detected_at >= from).cloned().collect()
    };
    let mut others = within(other);
    let mut told: Vec<Told> = within(was)
        .into_iter()
        .map(|row| {
            let apart = |other: &IncidentRow| seconds_later(row.detected_at, other.detected_at);
            let same =
                |other: &IncidentRow| other.kind == row.kind && other.slice == row.slice && apart(other).abs() <= SAME_WITHIN_S;
            let nearest = (0..others.len()).filter(|&i| same(&others[i]));
            let nearest = nearest.min_by(|&a, &b| apart(&others[a]).abs().total_cmp(&apart(&others[b]).abs()));
            let other = nearest.map(|place| others.remove(place));
            Told {
                kind: row.kind.as_str(),
                slice: row.slice.clone(),
                was_at: Some(row.detected_at),
                later_s: other.as_ref().map(|other| seconds_later(row.detected_at, other.detected_at)),
                other_at: other.map(|other| other.detected_at),
            }
        })
        .collect();
    told.extend(others.into_iter().map(|row| Told {
        kind: row.kind.as_str(),
        slice: row.slice,
        was_at: None,
        other_at: Some(row.detected_at),
        later_s: None,
    }));
    told.sort_by_key(|told| told.was_at.or(told.other_at));
    told
}

fn seconds_later(one: Time, other: Time) -> f64 {
    other.since(one).as_secs_f64() - one.since(other).as_secs_f64()
}

/// The actions proposed within the stretch.
pub(super) fn actions(from: Time, noticed: &Noticed) -> Vec<Executed> {
    let executed = |row: &ActionRow| {
        let made = |status| matches!(status, ActionStatus::Succeeded | ActionStatus::RolledBack);
        made(row.status) || row.undoable || row.verification.is_some()
    };
    let rows = noticed.actions.rows().filter(|row| row.proposed_at >= from);
    rows.map(|row| Executed {
        at: row.proposed_at,
        sentence: row.sentence.clone(),
        executed: executed(row),
        status: if row.is_unverified() { Became::NotVerified } else { Became::Known(row.status) },
    })
    .collect()
}

/// Says how many actions nothing is known of: the attempts that they turned have no outcome.
pub(super) fn unverified(from: Time, other: &Noticed) -> Option<String> {
    let rows = other.actions.rows().filter(|row| row.proposed_at >= from);
    let unknown: Vec<String> = rows.filter(|row| row.is_unverified()).map(|row| row.id.to_string()).collect();
    (!unknown.is_empty()).then(|| {
        format!(
            "{} would have been executed and could not be verified, for what would have become of the attempts is not recorded: \
             the change is taken to have stood",
            unknown.join(", ")
        )
    })
}
