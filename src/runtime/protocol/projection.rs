//! Projection: from the log's entries to the rows of the tables, every row once.
//!
//! Rows and cursor go in one transaction; after a crash the tables' own cursor says where to go on, and what lies at or
//! before it needs no row.

use std::time::Duration;

use super::{Bug, Planted};
use crate::domain::Position;

/// Rows written at once at the latest. A transaction of 2,000 rows takes some 20 ms; larger ones are hardly faster.
pub const ROWS: usize = 2_000;

/// How long a row may wait for others: what a report may be late by, without load.
pub const WAIT: Duration = Duration::from_millis(200);

/// Pauses between tries while the database does not answer.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The machine; `R` is a row.
#[derive(Debug)]
pub struct Projection<R> {
    cursor: Position,
    rows: Vec<R>,
    /// All before and at this position is in `rows`, or needs no row.
    upto: Position,
    since: Option<Duration>,
    pause: Duration,
    planted: Planted,
}

impl<R> Projection<R> {
    /// On from where the tables stand.
    #[must_use]
    pub const fn resume(cursor: Position, planted: Planted) -> Self {
        Self { cursor, rows: Vec::new(), upto: cursor, since: None, pause: FIRST_PAUSE, planted }
    }

    /// Whether the entry at a position needs rows: not when the tables have it.
    #[must_use]
    pub fn wants(&self, position: Position) -> bool {
        position > self.upto || self.planted.has(Bug::ForgetsTheCursor)
    }

    /// Takes an entry's rows, in the log's order.
    pub fn take(&mut self, now: Duration, position: Position, rows: impl IntoIterator<Item = R>) {
        self.upto = self.upto.max(position);
        self.since.get_or_insert(now);
        self.rows.extend(rows);
    }

    /// How long the rows may still wait for more; nothing while there is nothing to write.
    #[must_use]
    pub fn patience(&self, now: Duration) -> Option<Duration> {
        let left = WAIT.saturating_sub(now.saturating_sub(self.since?));
        Some(if self.rows.len() >= ROWS { Duration::ZERO } else { left })
    }

    /// The rows and the cursor that belong into one transaction.
    #[must_use]
    pub fn batch(&self) -> (&[R], Position) {
        (&self.rows, self.upto)
    }

    /// Whether the cursor is to go before its rows, in a transaction of its own: never, but for a planted bug.
    #[must_use]
    pub fn cursor_first(&self) -> bool {
        self.planted.has(Bug::CursorFirst)
    }

    /// All up to here is in the tables.
    #[must_use]
    pub const fn cursor(&self) -> Position {
        self.cursor
    }

    /// The transaction is durable.
    pub fn written(&mut self) {
        self.cursor = self.upto;
        self.rows.clear();
        self.since = None;
        self.pause = FIRST_PAUSE;
    }

    /// The database failed: the same batch again, after the pause this returns.
    pub fn failed(&mut self) -> Duration {
        let pause = self.pause;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_waits_for_company_but_not_for_long_and_is_kept_until_it_is_written() {
        let (mut projection, now) = (Projection::resume(Position { record: 6, index: 2 }, Planted::default()), WAIT * 7);
        assert_eq!(projection.patience(now), None);
        assert!(!projection.wants(Position { record: 6, index: 2 }), "the tables have it");
        let position = Position { record: 7, index: 0 };
        assert!(projection.wants(position));
        projection.take(now, position, ["row"]);
        assert_eq!(projection.patience(now), Some(WAIT));
        assert_eq!(projection.patience(now + WAIT), Some(Duration::ZERO));
        assert_eq!((projection.failed(), projection.failed()), (FIRST_PAUSE, FIRST_PAUSE * 2));
        assert_eq!(projection.batch(), (&["row"][..], position));
        projection.written();
        assert_eq!((projection.cursor(), projection.patience(now)), (position, None));
    }
}
