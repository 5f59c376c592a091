//! The log in an SQLite file: WAL, synchronous FULL, so that an append is on disk when it returns.
//!
//! One connection writes and others read beside it. An append is one statement, which checks the epoch, numbers and
//! stamps the record, and commits; a second process on the same file is kept in order by SQLite's own lock.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqlitePool, SqlitePoolOptions};
use sqlx::{Connection, Row};
use tokio::sync::{MappedMutexGuard, Mutex, MutexGuard};

use super::recent::Recent;
use super::{CHECKPOINT_PART, CHECKPOINTS_KEPT, LogError, Stamp, codec, decoded, durable, watching};
use crate::domain::entry::ENCODING;
use crate::domain::{Body, Position, Record, Time};

/// The file's layout; a file with a greater one is left alone.
const LAYOUT: i64 = 1;

/// Connections that read: the engine, the projector, a replay and a report at once.
const READERS: u32 = 4;

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS records (number INTEGER PRIMARY KEY, at INTEGER NOT NULL, epoch INTEGER NOT NULL, body BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS checkpoints (record INTEGER, entry INTEGER, parts INTEGER NOT NULL, PRIMARY KEY (record, entry)) STRICT;
CREATE TABLE IF NOT EXISTS checkpoint_parts (
    record INTEGER, entry INTEGER, part INTEGER, bytes BLOB NOT NULL, PRIMARY KEY (record, entry, part)) STRICT;
CREATE TABLE IF NOT EXISTS lease (
    id INTEGER PRIMARY KEY CHECK (id = 1), epoch INTEGER NOT NULL, holder TEXT, expires INTEGER NOT NULL) STRICT;
INSERT OR IGNORE INTO lease (id, epoch, expires) VALUES (1, 0, 0);
PRAGMA user_version = 1;";

/// The last record decides the next one's number and earliest time; a stale epoch selects nothing.
const APPEND: &str = "
INSERT INTO records (number, at, epoch, body)
SELECT COALESCE(last.number, 0) + 1, MAX(?2, COALESCE(last.at, ?2)), ?1, ?3
FROM lease LEFT JOIN (SELECT number, at FROM records ORDER BY number DESC LIMIT 1) AS last ON TRUE
WHERE ?1 IN (0, lease.epoch)
RETURNING number, at";

/// A log in an SQLite file; clones are handles on the same connections.
#[derive(Debug, Clone)]
pub struct Sqlite {
    /// Gone once the log is closed; never there in one that is only read.
    writer: Arc<Mutex<Option<SqliteConnection>>>,
    read_only: bool,
    readers: SqlitePool,
    known: watching::Last,
    recent: Recent,
}

impl Sqlite {
    pub(super) async fn open(path: &Path) -> Result<Self, LogError> {
        let options = durable::options(path);
        let writer = durable::open(&options, SCHEMA, LAYOUT).await?;
        Self::with(Some(writer), options.read_only(true)).await
    }

    pub(super) async fn open_read_only(path: &Path) -> Result<Self, LogError> {
        // SQLite refuses a file that is shorter than its header says, unless the schema may be repaired: then it reads what
        // is there. On a connection that only reads, nothing can be written for all that.
        let options = SqliteConnectOptions::new()
            .filename(path)
            .read_only(true)
            .busy_timeout(durable::BUSY)
            .pragma("writable_schema", "ON");
        let log = match Self::with(None, options.clone()).await {
            // SQLite reads a file of this kind with two others beside it, and makes them where they are missing. Where nothing
            // waits in them and nobody can make them, the file itself is all there is.
            Err(error) if durable::is_read_only_folder(&error) && is_whole(path) => {
                Self::with(None, options.immutable(true)).await?
            }
            Err(error) if durable::is_read_only_folder(&error) => return Err(LogError::ReadOnlyFolder),
            log => log?,
        };
        let found: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&log.readers).await?;
        if found > LAYOUT { Err(LogError::NewerLayout { found, known: LAYOUT }) } else { Ok(log) }
    }

    async fn with(writer: Option<SqliteConnection>, reading: SqliteConnectOptions) -> Result<Self, LogError> {
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            // A file does not hang up.
            .test_before_acquire(false)
            .connect_lazy_with(reading);
        let read_only = writer.is_none();
        let log = Self {
            writer: Arc::new(Mutex::new(writer)),
            read_only,
            readers,
            known: watching::Last::new(0),
            recent: Recent::default(),
        };
        log.known.advance(log.last().await?);
        Ok(log)
    }

    pub(super) const fn known(&self) -> &watching::Last {
        &self.known
    }

    /// Closes the file: all is in `log.db` itself afterwards, and the files beside it are gone.
    pub(super) async fn close(&self) {
        self.readers.close().await;
        let writer = self.writer.lock().await.take();
        if let Some(writer) = writer
            && let Err(error) = writer.close().await
        {
            tracing::warn!(component = "log", %error, "the log's file was not closed in order; nothing in it is lost");
        }
    }

    async fn writer(&self) -> Result<MappedMutexGuard<'_, SqliteConnection>, LogError> {
        let gone = if self.read_only { LogError::ReadOnly } else { LogError::Closed };
        MutexGuard::try_map(self.writer.lock().await, Option::as_mut).map_err(|_| gone)
    }

    pub(super) async fn commit(&self, epoch: u64, now: Time, bodies: &[Body]) -> Result<Stamp, LogError> {
        let body = codec::encode(bodies)?;
        let mut writer = self.writer().await?;
        // All rows, not one: the statement must run to its end to be committed.
        let stamped = sqlx::query(APPEND).bind(signed(epoch)).bind(now.micros()).bind(body).fetch_all(&mut *writer).await?;
        let Some(row) = stamped.first() else {
            let current = sqlx::query_scalar("SELECT epoch FROM lease").fetch_one(&mut *writer).await.map(unsigned)?;
            return Err(LogError::Fenced { epoch, current });
        };
        let (number, at) = (unsigned(row.try_get(0)?), Time::from_micros(row.try_get(1)?));
        self.recent.push(Record { number, at, epoch, encoding: ENCODING, bodies: bodies.to_vec() });
        drop(writer);
        self.known.advance(number);
        Ok(Stamp { number, at })
    }

    pub(super) async fn read(&self, from: u64, limit: usize) -> Result<Vec<Record>, LogError> {
        let recent = self.recent.from(from, limit);
        if !recent.is_empty() {
            return Ok(recent);
        }
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        sqlx::query("SELECT number, at, epoch, body FROM records WHERE number >= ? ORDER BY number LIMIT ?")
            .bind(signed(from))
            .bind(limit)
            .fetch_all(&self.readers)
            .await?
            .iter()
            .map(|row| decoded(unsigned(row.try_get(0)?), row.try_get(1)?, unsigned(row.try_get(2)?), row.try_get(3)?))
            .collect()
    }

    pub(super) async fn first(&self) -> Result<u64, LogError> {
        let first = sqlx::query_scalar("SELECT COALESCE(MIN(number), 0) FROM records").fetch_one(&self.readers).await?;
        Ok(unsigned(first))
    }

    pub(super) async fn last(&self) -> Result<u64, LogError> {
        match sqlx::query_scalar("SELECT COALESCE(MAX(number), 0) FROM records").fetch_one(&self.readers).await {
            // Whoever only reads is served up to the damage; whoever writes must not go on from a wrong number.
            Err(error) if self.read_only && durable::is_damage(&error) => self.last_readable().await,
            last => Ok(unsigned(last?)),
        }
    }

    /// The last record before the first that cannot be read, looked for by halves.
    async fn last_readable(&self) -> Result<u64, LogError> {
        let first = self.first().await?;
        let (mut good, mut step) = (first.saturating_sub(1), 1);
        while self.is_readable(good + step).await? {
            (good, step) = (good + step, step * 2);
        }
        while step > 1 {
            step /= 2;
            if self.is_readable(good + step).await? {
                good += step;
            }
        }
        Ok(good)
    }

    async fn is_readable(&self, number: u64) -> Result<bool, LogError> {
        let found: Result<Option<Vec<u8>>, sqlx::Error> = sqlx::query_scalar("SELECT body FROM records WHERE number = ?")
            .bind(signed(number))
            .fetch_optional(&self.readers)
            .await;
        match found {
            Err(error) if !durable::is_damage(&error) => Err(error.into()),
            found => Ok(found.ok().flatten().is_some()),
        }
    }

    /// What is missing of the file, where something is: a copy that was cut off.
    pub(super) async fn cut(&self) -> Result<Option<String>, LogError> {
        let path: String =
            sqlx::query_scalar("SELECT file FROM pragma_database_list WHERE name = 'main'").fetch_one(&self.readers).await?;
        let size = |path: &str| std::fs::metadata(path).map_or(0, |found| found.len());
        let Some(head) = head(&path) else { return Ok(None) };
        let number = |at: usize| u64::from(u32::from_be_bytes([0, 1, 2, 3].map(|byte| head[at + byte])));
        // The header's: bytes of a page (1 means 65,536), and pages of the file.
        let page = match number(16) >> 16 {
            1 => 65_536,
            bytes => bytes,
        };
        // While there is a write-ahead log, the file's last pages may lie in it.
        let (found, wanted) = (size(&path), page * number(28));
        let cut = size(&format!("{path}-wal")) == 0 && found < wanted;
        Ok(cut.then(|| format!("{path} is cut off after {found} of {wanted} bytes")))
    }

    /// In parts, each committed for itself, so that appends go on between them; only the row in `checkpoints`, written
    /// last, makes them one.
    pub(super) async fn save_checkpoint(&self, position: Position, bytes: &[u8]) -> Result<(), LogError> {
        let (record, entry) = (signed(position.record), i64::from(position.index));
        self.forget_checkpoint(position).await?;
        for (part, bytes) in (0_i64..).zip(bytes.chunks(CHECKPOINT_PART)) {
            sqlx::query("INSERT INTO checkpoint_parts (record, entry, part, bytes) VALUES (?, ?, ?, ?)")
                .bind(record)
                .bind(entry)
                .bind(part)
                .bind(bytes)
                .execute(&mut *self.writer().await?)
                .await?;
        }
        sqlx::query("INSERT INTO checkpoints (record, entry, parts) VALUES (?, ?, ?)")
            .bind(record)
            .bind(entry)
            .bind(i64::try_from(bytes.len().div_ceil(CHECKPOINT_PART)).unwrap_or(i64::MAX))
            .execute(&mut *self.writer().await?)
            .await?;
        self.forget_old_checkpoints().await
    }

    pub(super) async fn load_checkpoint(&self, at_most: Position) -> Result<Option<(Position, Vec<u8>)>, LogError> {
        // One statement, so that the parts belong together even while a newer checkpoint replaces the oldest.
        const LOAD: &str = "
            WITH newest AS (SELECT record, entry FROM checkpoints WHERE (record, entry) <= (?, ?)
                            ORDER BY record DESC, entry DESC LIMIT 1)
            SELECT record, entry, bytes FROM checkpoint_parts JOIN newest USING (record, entry) ORDER BY part";
        let parts = sqlx::query(LOAD)
            .bind(i64::try_from(at_most.record).unwrap_or(i64::MAX))
            .bind(i64::from(at_most.index))
            .fetch_all(&self.readers)
            .await?;
        let Some(first) = parts.first() else { return Ok(None) };
        let index = u32::try_from(first.try_get::<i64, _>(1)?).unwrap_or(u32::MAX);
        let position = Position { record: unsigned(first.try_get(0)?), index };
        let bytes = parts.iter().map(|part| part.try_get::<&[u8], _>(2)).collect::<Result<Vec<_>, _>>()?.concat();
        Ok(Some((position, bytes)))
    }

    pub(super) async fn checkpoints(&self) -> Result<Vec<Position>, LogError> {
        let rows = sqlx::query("SELECT record, entry FROM checkpoints ORDER BY record, entry").fetch_all(&self.readers).await?;
        let position = |row: &sqlx::sqlite::SqliteRow| {
            let index = u32::try_from(row.try_get::<i64, _>(1)?).unwrap_or(u32::MAX);
            Ok(Position { record: unsigned(row.try_get(0)?), index })
        };
        rows.iter().map(position).collect()
    }

    pub(super) async fn lease(&self) -> Result<(u64, Option<String>), LogError> {
        let row = sqlx::query("SELECT epoch, holder FROM lease").fetch_one(&self.readers).await?;
        Ok((unsigned(row.try_get(0)?), row.try_get(1)?))
    }

    /// Writes records as they are, their numbers and times kept: into a file that has none yet, or only those before.
    pub(super) async fn adopt(&self, records: &[Record]) -> Result<(), LogError> {
        let mut writer = self.writer().await?;
        let mut together = writer.begin_with("BEGIN IMMEDIATE").await?;
        for record in records {
            sqlx::query("INSERT INTO records (number, at, epoch, body) VALUES (?, ?, ?, ?)")
                .bind(signed(record.number))
                .bind(record.at.micros())
                .bind(signed(record.epoch))
                .bind(codec::encode_again(record)?)
                .execute(&mut *together)
                .await?;
        }
        together.commit().await?;
        drop(writer);
        self.known.advance(records.last().map_or(0, |record| record.number));
        Ok(())
    }

    pub(super) async fn trim(&self, before: u64) -> Result<(), LogError> {
        // In steps, so that appends go on between them; a thousand records take some 10 ms.
        const TRIM: &str = "
            DELETE FROM records WHERE number IN (
                SELECT number FROM records WHERE number < MIN(?, (SELECT MAX(number) FROM records)) ORDER BY number LIMIT 1000)";
        loop {
            let trimmed = sqlx::query(TRIM).bind(signed(before)).execute(&mut *self.writer().await?).await?;
            if trimmed.rows_affected() == 0 {
                self.recent.trim(before);
                return Ok(());
            }
        }
    }

    pub(super) async fn acquire_lease(&self, holder: &str, ttl: Duration, now: Time) -> Result<Option<u64>, LogError> {
        const ACQUIRE: &str = "
            UPDATE lease SET epoch = epoch + 1, holder = ?1, expires = ?2
            WHERE holder IS NULL OR expires <= ?3 RETURNING epoch";
        let granted = sqlx::query(ACQUIRE)
            .bind(holder)
            .bind((now + ttl).micros())
            .bind(now.micros())
            .fetch_all(&mut *self.writer().await?)
            .await?;
        granted.first().map(|row| Ok(unsigned(row.try_get(0)?))).transpose()
    }

    pub(super) async fn renew_lease(&self, holder: &str, epoch: u64, ttl: Duration, now: Time) -> Result<bool, LogError> {
        let renewed = sqlx::query("UPDATE lease SET expires = ? WHERE holder = ? AND epoch = ?")
            .bind((now + ttl).micros())
            .bind(holder)
            .bind(signed(epoch))
            .execute(&mut *self.writer().await?)
            .await?;
        Ok(renewed.rows_affected() == 1)
    }

    pub(super) async fn release_lease(&self, holder: &str, epoch: u64) -> Result<(), LogError> {
        sqlx::query("UPDATE lease SET holder = NULL WHERE holder = ? AND epoch = ?")
            .bind(holder)
            .bind(signed(epoch))
            .execute(&mut *self.writer().await?)
            .await?;
        Ok(())
    }

    async fn forget_checkpoint(&self, position: Position) -> Result<(), LogError> {
        for delete in [
            "DELETE FROM checkpoints WHERE (record, entry) = (?, ?)",
            "DELETE FROM checkpoint_parts WHERE (record, entry) = (?, ?)",
        ] {
            sqlx::query(delete)
                .bind(signed(position.record))
                .bind(i64::from(position.index))
                .execute(&mut *self.writer().await?)
                .await?;
        }
        Ok(())
    }

    /// All but the newest, and parts that a crash left without their row.
    async fn forget_old_checkpoints(&self) -> Result<(), LogError> {
        const OLD: &str = "
            DELETE FROM checkpoints WHERE (record, entry) NOT IN (
                SELECT record, entry FROM checkpoints ORDER BY record DESC, entry DESC LIMIT ?)";
        // A few parts at a time, so that appends go on between them.
        const ORPHANS: &str = "
            DELETE FROM checkpoint_parts WHERE (record, entry, part) IN (
                SELECT record, entry, part FROM checkpoint_parts
                WHERE (record, entry) NOT IN (SELECT record, entry FROM checkpoints) LIMIT 2)";
        let kept = i64::try_from(CHECKPOINTS_KEPT).unwrap_or(i64::MAX);
        sqlx::query(OLD).bind(kept).execute(&mut *self.writer().await?).await?;
        while sqlx::query(ORPHANS).execute(&mut *self.writer().await?).await?.rows_affected() > 0 {}
        Ok(())
    }
}

/// Whether all of a log lies in its file, and nothing in the write-ahead log beside it.
fn is_whole(path: &Path) -> bool {
    std::fs::metadata(format!("{}-wal", path.display())).map_or(0, |found| found.len()) == 0
}

/// The first bytes of an SQLite file.
fn head(path: &str) -> Option<[u8; 100]> {
    let mut head = [0; 100];
    File::open(path).and_then(|mut file| file.read_exact(&mut head)).ok()?;
    Some(head)
}

/// SQLite's integers are signed; numbers and epochs stay far below the sign.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
