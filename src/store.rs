//! The tables: what the log says, laid out for queries and reports, on SQLite and PostgreSQL.
//!
//! They follow the log and never lead it: every row is made from an entry or from what the engine made of one, is known
//! by that entry's position, and can be made again. Writing the same rows twice, or older ones late, changes nothing.
//! No decision reads them, so that a slow or absent database delays none.

use std::path::Path;
use std::sync::Arc;

use sqlx::Connection;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use tokio::sync::{MappedMutexGuard, Mutex, MutexGuard};

use crate::domain::{Decision, PaymentEvent, Position, Time};
use crate::engine::snapshot::{ActionRow, IncidentRow};

mod batch;
mod project;
mod query;
mod records;
mod table;
mod value;

pub use records::{ActionRecord, AnomalyRecord, Counts, DecisionRecord, EventRecord, Json, PaymentHistory, RoutingRecord};

static SQLITE: Migrator = sqlx::migrate!("src/store/migrations/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("src/store/migrations/postgres");

/// How long a statement waits for another process's lock on the file.
const BUSY: std::time::Duration = std::time::Duration::from_secs(5);

/// Connections a process uses: the projector's, and a few reports at once. More only compete for the same disk.
const CONNECTIONS: u32 = 4;

/// How long a query waits for one of them before it fails and is tried again.
const ACQUIRE: std::time::Duration = std::time::Duration::from_secs(5);

/// What is written of the log.
#[derive(Debug, Clone)]
pub enum Row {
    /// A payment event.
    Payment {
        /// Where it stands in the log.
        position: Position,
        /// The log's time there.
        at: Time,
        /// The event.
        event: Box<PaymentEvent>,
    },
    /// A routing decision.
    Decision {
        /// Where it stands in the log.
        position: Position,
        /// The log's time there.
        at: Time,
        /// The decision.
        decision: Arc<Decision>,
    },
    /// An incident, as the entry at `position` left it.
    Incident {
        /// The entry.
        position: Position,
        /// The incident.
        row: Box<IncidentRow>,
    },
    /// An action, as the entry at `position` left it.
    Action {
        /// The entry.
        position: Position,
        /// The action.
        row: Box<ActionRow>,
    },
}

impl Row {
    /// The entry it was made from.
    #[must_use]
    pub const fn position(&self) -> Position {
        match self {
            Self::Payment { position, .. }
            | Self::Decision { position, .. }
            | Self::Incident { position, .. }
            | Self::Action { position, .. } => *position,
        }
    }
}

/// Why the tables could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database failed, or cannot be reached.
    #[error("the tables' database failed")]
    Database(#[from] sqlx::Error),
    /// The tables could not be brought to this program's layout.
    #[error("the tables cannot be brought to this version's layout; a newer version may have been here")]
    Layout(#[from] MigrateError),
}

/// The tables. Clones are handles on the same connections.
#[derive(Debug, Clone)]
pub enum Tables {
    /// In an SQLite file.
    Sqlite(Sqlite),
    /// In a PostgreSQL database.
    Postgres(PgPool),
}

/// Tables in an SQLite file: one connection writes, others read beside it.
#[derive(Debug, Clone)]
pub struct Sqlite {
    /// Gone once the tables are closed.
    writer: Arc<Mutex<Option<SqliteConnection>>>,
    readers: SqlitePool,
}

impl Sqlite {
    async fn writer(&self) -> Result<MappedMutexGuard<'_, SqliteConnection>, StoreError> {
        MutexGuard::try_map(self.writer.lock().await, Option::as_mut).map_err(|_| sqlx::Error::PoolClosed.into())
    }

    async fn close(&self) {
        self.readers.close().await;
        let writer = self.writer.lock().await.take();
        if let Some(writer) = writer
            && let Err(error) = writer.close().await
        {
            tracing::warn!(component = "store", %error, "the tables' file was not closed in order; nothing in it is lost");
        }
    }
}

impl Tables {
    /// Tables in an SQLite file, created if it is missing; [`Tables::migrate`] lays them out.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub async fn sqlite(path: &Path) -> Result<Self, StoreError> {
        // NORMAL: a power cut may take the newest transactions back, the cursor with them; the projector repeats them.
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .busy_timeout(BUSY);
        let writer = SqliteConnection::connect_with(&options).await?;
        let readers = SqlitePoolOptions::new().max_connections(CONNECTIONS).connect_lazy_with(options.read_only(true));
        Ok(Self::Sqlite(Sqlite { writer: Arc::new(Mutex::new(Some(writer))), readers }))
    }

    /// Tables in a PostgreSQL database; [`Tables::migrate`] lays them out.
    ///
    /// # Errors
    /// When the URL is not one, or the server does not answer.
    pub async fn postgres(url: &str) -> Result<Self, StoreError> {
        let options: PgConnectOptions = url.parse()?;
        // By itself first: a pool tries again until its time is up, and then says only that it is.
        PgConnection::connect_with(&options).await?.close().await?;
        let pool = PgPoolOptions::new().max_connections(CONNECTIONS).acquire_timeout(ACQUIRE);
        Ok(Self::Postgres(pool.connect_lazy_with(options)))
    }

    /// What holds them: `sqlite` or `postgres`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "sqlite",
            Self::Postgres(_) => "postgres",
        }
    }

    /// Closes the connections, when nobody needs them any more; what is asked of the tables later fails.
    pub async fn close(&self) {
        match self {
            Self::Sqlite(sqlite) => sqlite.close().await,
            Self::Postgres(pool) => pool.close().await,
        }
    }

    /// Brings the tables to this program's layout; does nothing when they are.
    ///
    /// # Errors
    /// [`StoreError::Layout`] when a newer program, or another one, laid them out.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(sqlite) => SQLITE.run(&mut *sqlite.writer().await?).await?,
            Self::Postgres(pool) => POSTGRES.run(pool).await?,
        }
        Ok(())
    }

    /// Writes rows and moves the cursor, in one transaction. Rows at or before the cursor that is stored change
    /// nothing; of several rows about one incident or action the one with the latest position stays. The cursor never
    /// moves back.
    ///
    /// # Errors
    /// What the database says; nothing was written then.
    pub async fn write(&self, rows: &[Row], cursor: Position) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(sqlite) => {
                let mut writer = sqlite.writer().await?;
                batch::Batch::Sqlite(writer.begin_with("BEGIN IMMEDIATE").await?).write(rows, cursor).await
            }
            Self::Postgres(pool) => batch::Batch::Postgres(pool.begin().await?).write(rows, cursor).await,
        }
    }

    /// Deletes payment events, routing decisions and the sample of them older than `older_than`; gives their number.
    /// Autonomous actions, anomalies and healing actions stay: they are the audit.
    ///
    /// # Errors
    /// What the database says; part of the rows may be gone already.
    pub async fn prune(&self, older_than: Time) -> Result<u64, StoreError> {
        let mut pruned = 0;
        for sql in table::prune_sql(self.dialect()) {
            loop {
                let step = self.execute(&sql, vec![value::time(older_than)]).await?;
                pruned += step;
                if step == 0 {
                    break;
                }
            }
        }
        Ok(pruned)
    }

    async fn execute(&self, sql: &str, values: Vec<value::Value<'_>>) -> Result<u64, StoreError> {
        Ok(match self {
            Self::Sqlite(sqlite) => {
                let mut writer = sqlite.writer().await?;
                value::sqlite(sql, values).execute(&mut *writer).await?.rows_affected()
            }
            Self::Postgres(pool) => value::postgres(sql, values).execute(pool).await?.rows_affected(),
        })
    }

    const fn dialect(&self) -> table::Dialect {
        match self {
            Self::Sqlite(_) => table::Dialect::Sqlite,
            Self::Postgres(_) => table::Dialect::Postgres,
        }
    }
}
