//! Aggregates of the log's day.

use compact_str::CompactString;
use serde::Serialize;

use crate::domain::{Currency, Money, Time};

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
