//! Connectors and their accounts, as they do now.

use serde::Serialize;

use crate::domain::settings::Window;
use crate::domain::{ConnectorAccount, ConnectorName, Time};

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
    /// Most attempts fail, a critical incident on it goes on, or every account's breaker is open.
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
    /// Attempt rate a second; None where a second had no attempts. [`SPARK_BUCKETS`](super::SPARK_BUCKETS) values.
    pub rate_spark: Vec<Option<f32>>,
    /// Attempts a second. [`SPARK_BUCKETS`](super::SPARK_BUCKETS) values.
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
