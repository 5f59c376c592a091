//! How the runtime does: what `/status`, readiness and the header's banner are made of.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use tokio::sync::SetOnce;

use crate::domain::{Position, Time};
use crate::engine::snapshot::Statistics;

/// How the runtime does, at one moment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Status {
    /// The program's version.
    pub version: &'static str,
    /// Log time.
    pub now: Time,
    /// Seconds since the start.
    pub uptime_s: u64,
    /// Whether decisions rest on all that the log held at the start, and folding goes on.
    pub ready: bool,
    /// What is wrong, one sentence a part; empty when nothing is.
    pub degraded: Vec<String>,
    /// Whether this process leads.
    pub leader: bool,
    /// The epoch of the latest leadership, whoever's it is.
    pub epoch: u64,
    /// The log.
    pub log: LogStatus,
    /// The spool, where the log is not in memory.
    pub spool: Option<SpoolStatus>,
    /// Routing decisions of this process.
    pub decisions: DecisionStatus,
    /// The tables, where there are any.
    pub tables: Option<TablesStatus>,
    /// The Redis Stream of payment events, where one is read.
    pub stream: Option<StreamStatus>,
    /// The switch, where it is asked for attempts that it hides.
    pub hyperswitch: Option<HyperswitchStatus>,
    /// Log time minus wall time, in milliseconds: not 0 after the wall clock was stepped.
    pub clock_ahead_ms: i64,
    /// Running totals since the log began, as of the latest snapshot.
    pub statistics: Statistics,
}

/// The log, as this process knows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LogStatus {
    /// `memory`, `sqlite` or `redis`.
    pub kind: &'static str,
    /// The last record read.
    pub last_record: u64,
    /// The last entry the view covers.
    pub folded: Position,
    /// While the engine is not ready after the start: the last record that the log held then, up to which it folds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folding_to: Option<u64>,
    /// Appends that wait.
    pub queue_depth: usize,
    /// The newest checkpoint written by this process.
    pub checkpoint: Option<Position>,
}

/// The spool: acknowledged events that wait for the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct SpoolStatus {
    /// Events that wait.
    pub depth: u64,
    /// How long the oldest has waited, in seconds of the log's time.
    pub oldest_s: Option<u64>,
}

/// Routing decisions of this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct DecisionStatus {
    /// Answered since the start, repeats among them.
    pub answered: u64,
    /// Answered with the decision recorded before.
    pub repeated: u64,
    /// On their way through the log.
    pub in_flight: usize,
    /// Answered but not recorded: the log was down or too slow. Their outcomes still teach.
    pub unrecorded: u64,
}

/// The tables.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TablesStatus {
    /// `sqlite` or `postgres`.
    pub kind: &'static str,
    /// All up to here is in the tables.
    pub cursor: Position,
    /// Records read from the log and not yet in the tables.
    pub lag_records: u64,
    /// Rows written since the start.
    pub rows: u64,
}

/// The Redis Stream of payment events.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StreamStatus {
    /// The stream's key.
    pub key: String,
    /// Whether it can be read now.
    pub connected: bool,
    /// Events recorded since the start, repeats among them.
    pub recorded: u64,
    /// Entries claimed from consumers that died.
    pub claimed: u64,
    /// Malformed entries, moved to the dead-letter stream.
    pub dead: u64,
}

/// Asking the switch for attempts that it hides. All but `asked` is of the log, whoever asked.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct HyperswitchStatus {
    /// Questions of this process since its start, repeated ones among them.
    pub asked: u64,
    /// Payments that wait.
    pub waiting: usize,
    /// Payments whose attempts it told.
    pub fetched: u64,
    /// Payments it does not know, and those given up: it did not answer, or not in a way that is understood.
    pub failed: u64,
    /// Payments that were never asked for: too many waited.
    pub dropped: u64,
    /// Share of all attempts made that are seen, 0 to 1.
    pub coverage: Option<f64>,
}

/// Counters that the parts of the runtime keep while they run.
#[derive(Debug, Default)]
pub(super) struct Gauges {
    /// What the log held at the start is folded, and a configuration is in force.
    pub(super) ready: SetOnce<()>,
    /// The last record that the log held at the start.
    pub(super) start: AtomicU64,
    pub(super) last_record: AtomicU64,
    pub(super) answered: AtomicU64,
    pub(super) repeated: AtomicU64,
    pub(super) unrecorded: AtomicU64,
    /// Questions put to the switch.
    pub(super) asked: AtomicU64,
    pub(super) checkpoint: Mutex<Option<Position>>,
    pub(super) tables: TablesGauges,
    pub(super) stream: StreamGauges,
}

/// The projector's.
#[derive(Debug, Default)]
pub(super) struct TablesGauges {
    pub(super) cursor: Mutex<Position>,
    pub(super) rows: AtomicU64,
}

/// The stream consumer's.
#[derive(Debug, Default)]
pub(super) struct StreamGauges {
    pub(super) connected: AtomicBool,
    pub(super) recorded: AtomicU64,
    pub(super) claimed: AtomicU64,
    pub(super) dead: AtomicU64,
}

impl Gauges {
    pub(super) fn tables(&self, kind: &'static str) -> TablesStatus {
        let cursor = read(&self.tables.cursor);
        let lag_records = self.last_record.load(Ordering::Relaxed).saturating_sub(cursor.record);
        TablesStatus { kind, cursor, lag_records, rows: self.tables.rows.load(Ordering::Relaxed) }
    }

    pub(super) fn hyperswitch(&self, waiting: usize, totals: &Statistics) -> HyperswitchStatus {
        HyperswitchStatus {
            asked: self.asked.load(Ordering::Relaxed),
            waiting,
            fetched: totals.fetches_told,
            failed: totals.fetches_not_found + totals.fetches_given_up,
            dropped: totals.fetches_dropped,
            coverage: totals.attempts_coverage(),
        }
    }

    pub(super) fn stream(&self, key: &str) -> StreamStatus {
        let count = |gauge: &AtomicU64| gauge.load(Ordering::Relaxed);
        let stream = &self.stream;
        StreamStatus {
            key: key.to_owned(),
            connected: stream.connected.load(Ordering::Relaxed),
            recorded: count(&stream.recorded),
            claimed: count(&stream.claimed),
            dead: count(&stream.dead),
        }
    }
}

/// A copy of what a lock holds.
pub(super) fn read<T: Clone>(lock: &Mutex<T>) -> T {
    lock.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Replaces what a lock holds.
pub(super) fn write<T>(lock: &Mutex<T>, value: T) {
    *lock.lock().unwrap_or_else(PoisonError::into_inner) = value;
}

/// The gauges, shared by all parts.
pub(super) type SharedGauges = Arc<Gauges>;
