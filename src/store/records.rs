//! Rows as they are read back: what the API shows of the past.

use serde::Serialize;
use sqlx::{ColumnIndex, Database, Decode, FromRow, Type};

use crate::domain::{Position, Time};

/// A JSON value as the database keeps it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Json(pub serde_json::Value);

impl TryFrom<String> for Json {
    type Error = serde_json::Error;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        serde_json::from_str(&text).map(Self)
    }
}

/// An autonomous decision: an action, or a sampled routing decision.
#[derive(Debug, Clone, PartialEq, Serialize, FromRow)]
pub struct DecisionRecord {
    /// A UUID, the same whenever the row is made.
    pub id: String,
    /// `routing.<approach>`, or `<class>.<change>` of an action.
    pub decision_type: String,
    /// 0 to 1.
    pub confidence: f64,
    /// Whether it was carried out.
    pub executed: bool,
    /// What decided: `online` (the model that learns as it goes), `rules`, or a published model.
    pub model_version: String,
    /// The payment, connector account or merchant it is about.
    pub subject: String,
    /// When.
    pub at: Time,
    /// The decision or action in full.
    #[sqlx(try_from = "String")]
    pub detail: Json,
    /// What it was made from.
    #[sqlx(flatten)]
    pub position: Position,
}

/// An anomaly record.
#[derive(Debug, Clone, PartialEq, Serialize, FromRow)]
pub struct AnomalyRecord {
    /// A UUID, the same whenever the row is made.
    pub id: String,
    /// The original design's name of its kind.
    pub anomaly_type: String,
    /// −log₁₀ of the probability of what was observed; 5 is one in 100,000.
    pub score: f64,
    /// `open` or `resolved`.
    pub status: String,
    /// Ids of the actions proposed against it.
    #[sqlx(try_from = "String")]
    pub resolution_actions: Json,
    /// What it is about.
    pub slice: String,
    /// `info`, `warning` or `critical`.
    pub severity: String,
    /// When it was noticed.
    pub detected_at: Time,
    /// When it was over.
    pub resolved_at: Option<Time>,
    /// The one sentence.
    pub sentence: String,
    /// The measurement.
    #[sqlx(try_from = "String")]
    pub evidence: Json,
    /// What it was made from.
    #[sqlx(flatten)]
    pub position: Position,
}

/// A healing action.
#[derive(Debug, Clone, PartialEq, Serialize, FromRow)]
pub struct ActionRecord {
    /// A UUID, the same whenever the row is made.
    pub id: String,
    /// The change's name.
    pub action_type: String,
    /// The connector account, merchant or instances it changes.
    pub target_entity: String,
    /// Its state.
    pub status: String,
    /// From the incident's detection to a verified success, milliseconds.
    pub recovery_time_ms: Option<i64>,
    /// When it was proposed.
    pub proposed_at: Time,
    /// Who decided: an operator, or `apos`.
    pub decided_by: Option<String>,
    /// Its version.
    pub version: i64,
    /// The action in full.
    #[sqlx(try_from = "String")]
    pub detail: Json,
    /// What it was made from.
    #[sqlx(flatten)]
    pub position: Position,
}

/// A routing decision, compact.
#[derive(Debug, Clone, PartialEq, Serialize, FromRow)]
pub struct RoutingRecord {
    /// Where it stands in the log.
    #[sqlx(flatten)]
    pub position: Position,
    /// When.
    pub at: Time,
    /// The merchant.
    pub profile: String,
    /// The payment.
    pub payment: String,
    /// The attempt, from 1.
    pub attempt: i64,
    /// The chosen account.
    pub chosen: String,
    /// How it was chosen.
    pub approach: String,
    /// Expected probability of success, 0 to 1.
    pub expected: f64,
    /// Probability that the chosen one is the best.
    pub confidence: f64,
    /// Probability that this choice would be made.
    pub propensity: f64,
    /// The view's position, and each candidate's account, expected success and exclusion.
    #[sqlx(try_from = "String")]
    pub detail: Json,
}

/// A payment event.
#[derive(Debug, Clone, PartialEq, Serialize, FromRow)]
pub struct EventRecord {
    /// Where it stands in the log.
    #[sqlx(flatten)]
    pub position: Position,
    /// When it was taken in.
    pub at: Time,
    /// When it happened, by its source.
    pub occurred_at: Time,
    /// Where it came from.
    pub source: String,
    /// The sender's id of it.
    pub event_id: Option<String>,
    /// The merchant.
    pub profile: String,
    /// The payment.
    pub payment: String,
    /// The attempt, from 1.
    pub attempt: Option<i64>,
    /// The connector account.
    pub account: Option<String>,
    /// What happened.
    pub kind: String,
    /// Whose fault a failure is.
    pub decline_class: Option<String>,
    /// Its code.
    pub decline_code: Option<String>,
    /// The amount, minor units.
    pub amount_minor: Option<i64>,
    /// The amount's currency.
    pub currency: Option<String>,
    /// The payment method.
    pub method: Option<String>,
    /// The card network.
    pub network: Option<String>,
    /// The issuing country.
    pub country: Option<String>,
    /// The card's BIN.
    pub bin: Option<String>,
    /// How long the connector took, milliseconds.
    pub latency_ms: Option<i64>,
}

/// All the tables know of one payment, the oldest first.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PaymentHistory {
    /// What happened to it.
    pub events: Vec<EventRecord>,
    /// Where it was sent, and why.
    pub decisions: Vec<RoutingRecord>,
}

/// Rows in each table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, FromRow)]
pub struct Counts {
    /// In `autonomous_decisions`.
    pub autonomous_decisions: i64,
    /// In `anomaly_records`.
    pub anomaly_records: i64,
    /// In `healing_actions`.
    pub healing_actions: i64,
    /// In `routing_decisions`.
    pub routing_decisions: i64,
    /// In `payment_events`.
    pub payment_events: i64,
}

pub(super) fn position(record: i64, entry: i64) -> Position {
    Position { record: u64::try_from(record).unwrap_or(0), index: u32::try_from(entry).unwrap_or(0) }
}

impl<'r, R: sqlx::Row> FromRow<'r, R> for Position
where
    &'static str: ColumnIndex<R>,
    i64: Decode<'r, R::Database> + Type<R::Database>,
{
    fn from_row(row: &'r R) -> Result<Self, sqlx::Error> {
        Ok(position(row.try_get("record")?, row.try_get("entry")?))
    }
}

impl<DB: Database> Type<DB> for Time
where
    i64: Type<DB>,
{
    fn type_info() -> DB::TypeInfo {
        <i64 as Type<DB>>::type_info()
    }

    fn compatible(found: &DB::TypeInfo) -> bool {
        <i64 as Type<DB>>::compatible(found)
    }
}

impl<'r, DB: Database> Decode<'r, DB> for Time
where
    i64: Decode<'r, DB>,
{
    fn decode(value: DB::ValueRef<'r>) -> Result<Self, sqlx::error::BoxDynError> {
        <i64 as Decode<'r, DB>>::decode(value).map(Self::from_micros)
    }
}
