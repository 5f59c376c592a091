//! Follows the log on a thread of its own and writes what happened into the tables.
//!
//! It folds its own State, restored from the newest checkpoint at or before the tables' cursor, so that incidents and
//! actions come out as they were, whenever they are written. Rows and cursor go in one transaction: after a crash it
//! goes on exactly where the tables stand. A database that is down or slow makes it fall behind, shown as lag, and
//! never delays an append, a fold or a decision; the thread runs at low priority.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use super::TablesChoice;
use super::background;
use super::checkpoints;
use super::clock;
use super::conditions::Conditions;
use super::status::{self, SharedGauges};
use super::supervisor::{Phase, Stop};
use crate::domain::{Body, Entry, Position, Record, wording};
use crate::engine::{self, Effect, State};
use crate::log::{Log, Tail};
use crate::store::{Row, StoreError, Tables};

/// Rows written at once at the latest. A transaction of 2,000 rows takes some 20 ms; larger ones are hardly faster.
const ROWS: usize = 2_000;

/// How long a row may wait for others: what a report may be late by, without load.
const WAIT: Duration = Duration::from_millis(200);

/// How long the rest may take at the end: shorter than a thread's time to stop.
const LAST_WRITES: Duration = Duration::from_secs(4);

/// Pauses between tries while the database does not answer.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Where the tables are; the handle finds them here once they are connected.
#[derive(Debug, Clone)]
pub(super) struct TableHolder {
    kind: Option<&'static str>,
    tables: Arc<OnceLock<Tables>>,
}

impl TableHolder {
    pub(super) fn new(choice: &TablesChoice) -> Self {
        let kind = match choice {
            TablesChoice::None => None,
            TablesChoice::Sqlite => Some("sqlite"),
            TablesChoice::Postgres { .. } => Some("postgres"),
        };
        Self { kind, tables: Arc::default() }
    }

    pub(super) fn get(&self) -> Option<Tables> {
        self.tables.get().cloned()
    }

    pub(super) const fn kind(&self) -> Option<&'static str> {
        self.kind
    }
}

/// Where to connect.
#[derive(Debug)]
pub(super) enum Place {
    Sqlite(PathBuf),
    Postgres(String),
}

/// Where the tables of a choice are.
pub(super) fn place(choice: &TablesChoice, data_dir: &Path) -> Place {
    match choice {
        TablesChoice::Postgres { url } => Place::Postgres(url.clone()),
        TablesChoice::None | TablesChoice::Sqlite => Place::Sqlite(data_dir.join("tables.db")),
    }
}

/// Rows that wait to be written, and how far they go.
#[derive(Debug, Default)]
struct Batch {
    rows: Vec<Row>,
    /// All before and at this position is in `rows`, or needs no row.
    upto: Position,
    since: Option<Instant>,
}

impl Batch {
    fn add(&mut self, entry: Entry, effects: &mut Vec<Effect>, now: Instant) {
        self.upto = entry.position;
        self.since.get_or_insert(now);
        let Entry { position, at, body } = entry;
        match body {
            Body::Payment(event) => self.rows.push(Row::Payment { position, at, event }),
            Body::Decided(decision) => self.rows.push(Row::Decision { position, at, decision }),
            _ => {}
        }
        self.rows.extend(effects.drain(..).filter_map(|effect| match effect {
            Effect::Incident(row) => Some(Row::Incident { position, row }),
            Effect::Action(row) => Some(Row::Action { position, row }),
            Effect::Act { .. } => None,
        }));
    }

    /// How long the batch may still wait for more; nothing while it is empty.
    fn patience(&self, now: Instant) -> Option<Duration> {
        let since = self.since?;
        let left = WAIT.saturating_sub(now.duration_since(since));
        Some(if self.rows.len() >= ROWS { Duration::ZERO } else { left })
    }
}

/// The projector's shell.
#[derive(Debug)]
pub(super) struct Projector {
    pub(super) log: Log,
    pub(super) place: Place,
    pub(super) holder: TableHolder,
    pub(super) gauges: SharedGauges,
    pub(super) conditions: Conditions,
}

impl Projector {
    /// Runs on this thread until the runtime is folded to its end or gone.
    pub(super) fn run(self, runtime: &tokio::runtime::Handle, stop: &Stop) {
        background::yield_to_the_rest("projector");
        runtime.block_on(async {
            let Some((tables, cursor)) = self.connect(stop).await else { return };
            self.project(&tables, cursor, stop).await;
        });
    }

    /// Connects, however long it takes; nothing when the runtime stops before.
    async fn connect(&self, stop: &Stop) -> Option<(Tables, Position)> {
        let mut pause = FIRST_PAUSE;
        loop {
            match self.open().await {
                Ok((tables, cursor)) => {
                    self.conditions.clear("tables");
                    status::write(&self.gauges.tables.cursor, cursor);
                    // Nobody else sets it.
                    let _ = self.holder.tables.set(tables.clone());
                    return Some((tables, cursor));
                }
                Err(error) => self.conditions.set("tables", wording::chain(&error)),
            }
            if !stop.sleep(pause, Phase::Folded).await {
                return None;
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn open(&self) -> Result<(Tables, Position), StoreError> {
        let tables = match &self.place {
            Place::Sqlite(path) => Tables::sqlite(path).await?,
            Place::Postgres(url) => Tables::postgres(url).await?,
        };
        tables.migrate().await?;
        let cursor = tables.cursor().await?;
        Ok((tables, cursor))
    }

    async fn project(&self, tables: &Tables, cursor: Position, stop: &Stop) {
        let mut state = checkpoints::restore(&self.log, Some(cursor)).await;
        // The rest of the record that holds the checkpoint's last entry is still to be folded.
        let mut tail = self.log.tail(state.position().record);
        let mut batch = Batch::default();
        loop {
            let patience = batch.patience(clock::instant());
            let record = match patience {
                Some(left) if left.is_zero() => None,
                Some(left) => tokio::time::timeout(left, tail.next()).await.ok(),
                None => tokio::select! {
                    () = stop.at(Phase::Folded) => break,
                    record = tail.next() => Some(record),
                },
            };
            match record {
                Some(Ok(record)) => {
                    self.conditions.clear("projector");
                    fold(&mut state, record, cursor, &mut batch);
                }
                Some(Err(error)) => {
                    self.conditions.set("projector", wording::chain(&error));
                    if !stop.sleep(FIRST_PAUSE, Phase::Folded).await {
                        return;
                    }
                    tail = self.log.tail(state.position().record);
                }
                None if !self.write(tables, std::mem::take(&mut batch), stop).await => return,
                None => {}
            }
        }
        // What takes longer than this is made up for at the next start.
        let _ = tokio::time::timeout(LAST_WRITES, self.finish(tables, (state, tail), cursor, stop)).await;
    }

    /// Writes what the log holds at the end, so that after an orderly stop the tables are complete.
    async fn finish(&self, tables: &Tables, (mut state, mut tail): (State, Tail), cursor: Position, stop: &Stop) {
        let Ok(last) = self.log.last().await else { return };
        let mut batch = Batch::default();
        while state.position().record < last {
            let Ok(record) = tail.next().await else { return };
            fold(&mut state, record, cursor, &mut batch);
            if (batch.rows.len() >= ROWS || state.position().record >= last)
                && !self.write(tables, std::mem::take(&mut batch), stop).await
            {
                return;
            }
        }
    }

    /// Writes a batch, however long it takes; `false` when the runtime stops and the database does not answer.
    async fn write(&self, tables: &Tables, batch: Batch, stop: &Stop) -> bool {
        let mut pause = FIRST_PAUSE;
        loop {
            match tables.write(&batch.rows, batch.upto).await {
                Ok(()) => {
                    self.conditions.clear("tables");
                    status::write(&self.gauges.tables.cursor, batch.upto);
                    self.gauges.tables.rows.fetch_add(batch.rows.len() as u64, Ordering::Relaxed);
                    return true;
                }
                Err(error) => self.conditions.set("tables", wording::chain(&error)),
            }
            if !stop.sleep(pause, Phase::Folded).await {
                return false;
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

/// Folds a record; what lies after the cursor becomes rows.
///
/// # Panics
/// On a poison entry, as the engine's thread does: the thread ends, the tables stay where they are, the status says so.
fn fold(state: &mut State, record: Record, cursor: Position, batch: &mut Batch) {
    let mut effects = Vec::new();
    for entry in record.entries() {
        if entry.position <= state.position() {
            continue;
        }
        engine::apply(state, &entry, &mut effects);
        if entry.position > cursor {
            batch.add(entry, &mut effects, clock::instant());
        }
        effects.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Time;

    #[test]
    fn a_batch_waits_for_company_but_not_for_long() {
        let (mut batch, now) = (Batch::default(), clock::instant());
        assert_eq!(batch.patience(now), None);
        let position = Position { record: 7, index: 0 };
        batch.add(Entry { position, at: Time::ZERO, body: Body::Ticked }, &mut Vec::new(), now);
        assert_eq!((batch.rows.len(), batch.upto), (0, position));
        assert_eq!(batch.patience(now), Some(WAIT));
        assert_eq!(batch.patience(now + WAIT), Some(Duration::ZERO));
    }
}
