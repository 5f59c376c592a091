//! Follows the log on a thread of its own and writes what happened into the tables.
//!
//! It folds its own State, restored from the newest checkpoint at or before the tables' cursor, so that incidents and
//! actions come out as they were, whenever they are written. Rows and cursor go in one transaction: after a crash it
//! goes on exactly where the tables stand. A database that is down or slow makes it fall behind, shown as lag, and
//! never delays an append, a fold or a decision; the thread runs at low priority.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::TablesChoice;
use super::background;
use super::checkpoints;
use super::clock;
use super::conditions::Conditions;
use super::poison::{self, Poisoned, Skips};
use super::protocol::projection::ROWS;
use super::protocol::{Planted, Projection};
use super::status::{self, SharedGauges};
use super::supervisor::{Phase, Stop};
use crate::domain::{Body, Entry, Position, Record, wording};
use crate::engine::{Effect, State};
use crate::log::{Log, Tail};
use crate::store::{Row, StoreError, Tables};

/// How long the rest may take at the end: shorter than a thread's time to stop.
const LAST_WRITES: Duration = Duration::from_secs(4);

/// Pause after the log failed to give a record.
const ERROR_PAUSE: Duration = Duration::from_millis(200);

/// Pauses between tries to connect to the database.
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

impl Place {
    /// What an operator is told when they fail there: where they are, and by which key. No secret: of an address neither the
    /// password nor what follows the database's name, which may hold one.
    fn failed(&self, error: &StoreError) -> String {
        let reason = wording::chain(error);
        match self {
            Self::Sqlite(path) => format!("{reason} ({})", path.display()),
            Self::Postgres(url) => format!("{reason} (tables.postgres_url: {})", without_secrets(url)),
        }
    }
}

fn without_secrets(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let (scheme, rest) = url.split_once("://").unwrap_or(("postgres", url));
    match rest.rsplit_once('@') {
        Some((who, place)) => format!("{scheme}://{}@{place}", who.split(':').next().unwrap_or_default()),
        None => format!("{scheme}://{rest}"),
    }
}

/// Where the tables of a choice are.
pub(super) fn place(choice: &TablesChoice, data_dir: &Path) -> Place {
    match choice {
        TablesChoice::Postgres { url } => Place::Postgres(url.clone()),
        TablesChoice::None | TablesChoice::Sqlite => Place::Sqlite(data_dir.join("tables.db")),
    }
}

/// The rows of an entry.
fn rows(entry: Entry, effects: &mut Vec<Effect>) -> Vec<Row> {
    let Entry { position, at, body } = entry;
    let own = match body {
        Body::Payment(event) => Some(Row::Payment { position, at, event }),
        Body::Decided(decision) => Some(Row::Decision { position, at, decision }),
        _ => None,
    };
    let others = effects.drain(..).filter_map(|effect| match effect {
        Effect::Incident(row) => Some(Row::Incident { position, row }),
        Effect::Action(row) => Some(Row::Action { position, row }),
        Effect::Act { .. } => None,
    });
    own.into_iter().chain(others).collect()
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
            let Some((tables, mut cursor)) = self.connect(stop).await else { return };
            let mut skips = Skips::default();
            while let Err(poisoned) = self.project(&tables, cursor, &mut skips, stop).await {
                if !self.wait_for_order(poisoned, &mut skips, stop).await {
                    return;
                }
                // What was gathered and not written is folded again.
                cursor = tables.cursor().await.unwrap_or(cursor);
            }
        });
    }

    /// Waits until an operator orders to leave a poison entry out; `false` when the runtime stops before.
    async fn wait_for_order(&self, poisoned: Poisoned, skips: &mut Skips, stop: &Stop) -> bool {
        self.conditions.set("projector", poisoned.sentence("the tables stay where they are"));
        let mut next = poisoned.0.record;
        loop {
            if let Ok(last) = skips.read_log(&self.log, next).await {
                next = last + 1;
            }
            if skips.holds(poisoned.0) {
                self.conditions.clear("projector");
                return true;
            }
            if !stop.sleep(poison::PAUSE, Phase::Folded).await {
                return false;
            }
        }
    }

    /// Connects, however long it takes; nothing when the runtime stops before.
    async fn connect(&self, stop: &Stop) -> Option<(Tables, Position)> {
        let mut pause = FIRST_PAUSE;
        loop {
            let opened = tokio::select! {
                opened = self.open() => opened,
                () = stop.at(Phase::Folded) => return None,
            };
            match opened {
                Ok((tables, cursor)) => {
                    self.conditions.clear("tables");
                    // Nobody else sets it. Whoever reads the cursor below may ask for the tables.
                    let _ = self.holder.tables.set(tables.clone());
                    status::write(&self.gauges.tables.cursor, cursor);
                    return Some((tables, cursor));
                }
                Err(error) => self.conditions.set("tables", self.place.failed(&error)),
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

    /// Follows the log until the runtime stops.
    ///
    /// # Errors
    /// [`Poisoned`]: an entry cannot be folded, and is not to be left out.
    async fn project(&self, tables: &Tables, cursor: Position, skips: &mut Skips, stop: &Stop) -> Result<(), Poisoned> {
        let began = clock::instant();
        let mut folded = Folded {
            state: checkpoints::restore(&self.log, Some(cursor)).await,
            projection: Projection::resume(cursor, Planted::default()),
            skips: skips.clone(),
        };
        // The rest of the record that holds the checkpoint's last entry is still to be folded.
        let mut tail = self.log.tail(folded.state.position().record);
        loop {
            let patience = folded.projection.patience(began.elapsed());
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
                    folded.fold(record, began.elapsed())?;
                }
                Some(Err(error)) => {
                    self.conditions.set("projector", wording::chain(&error));
                    if !stop.sleep(ERROR_PAUSE, Phase::Folded).await {
                        return Ok(());
                    }
                    tail = self.log.tail(folded.state.position().record);
                }
                None if !self.write(tables, &mut folded.projection, stop).await => return Ok(()),
                None => {}
            }
        }
        // What takes longer than this is made up for at the next start.
        let _ = tokio::time::timeout(LAST_WRITES, self.finish(tables, folded, tail, stop)).await;
        Ok(())
    }

    /// Writes what the log holds at the end, so that after an orderly stop the tables are complete.
    async fn finish(&self, tables: &Tables, mut folded: Folded, mut tail: Tail, stop: &Stop) {
        let Ok(last) = self.log.last().await else { return };
        while folded.state.position().record < last {
            let Ok(record) = tail.next().await else { return };
            if folded.fold(record, Duration::ZERO).is_err() {
                return;
            }
            let full = folded.projection.batch().0.len() >= ROWS;
            if (full || folded.state.position().record >= last) && !self.write(tables, &mut folded.projection, stop).await {
                return;
            }
        }
    }

    /// Writes what is gathered, however long it takes; `false` when the runtime stops and the database does not answer.
    async fn write(&self, tables: &Tables, projection: &mut Projection<Row>, stop: &Stop) -> bool {
        loop {
            let (rows, upto) = projection.batch();
            match tables.write(rows, upto).await {
                Ok(()) => {
                    self.conditions.clear("tables");
                    status::write(&self.gauges.tables.cursor, upto);
                    self.gauges.tables.rows.fetch_add(rows.len() as u64, Ordering::Relaxed);
                    projection.written();
                    return true;
                }
                Err(error) => self.conditions.set("tables", self.place.failed(&error)),
            }
            if !stop.sleep(projection.failed(), Phase::Folded).await {
                return false;
            }
        }
    }
}

/// The projector's own fold, and what of it is still to be written.
struct Folded {
    state: State,
    projection: Projection<Row>,
    skips: Skips,
}

impl Folded {
    /// Folds a record; what the tables do not have becomes rows.
    ///
    /// # Errors
    /// [`Poisoned`] at an entry that cannot be folded and is not to be left out.
    fn fold(&mut self, record: Record, now: Duration) -> Result<(), Poisoned> {
        self.skips.hear(&record);
        let mut effects = Vec::new();
        for entry in record.entries() {
            let position = entry.position;
            if position <= self.state.position() {
                continue;
            }
            self.skips.fold(&mut self.state, &entry, &mut effects)?;
            if self.projection.wants(position) {
                self.projection.take(now, position, rows(entry, &mut effects));
            }
            effects.clear();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failing_tables_are_told_with_their_address_and_key_and_without_secrets() {
        let refused = || StoreError::from(sqlx::Error::Io(std::io::ErrorKind::ConnectionRefused.into()));
        let check = |url: &str, shown: &str| {
            let told = Place::Postgres(url.to_owned()).failed(&refused());
            assert!(told.ends_with(&format!("(tables.postgres_url: {shown})")), "{told}");
        };
        check("postgres://ada:S@ECRET@db:5432/apos?password=SECRET", "postgres://ada@db:5432/apos");
        check("postgresql://db/apos", "postgresql://db/apos");
        let told = Place::Sqlite("/data/tables.db".into()).failed(&refused());
        assert!(told.ends_with("(/data/tables.db)"), "{told}");
    }
}
