//! The spool's file: entries that wait for the log, in SQLite with synchronous FULL, so that a write is on disk when it
//! returns. One writer, this process.

use std::path::Path;

use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection, Row};

use super::{LogError, codec, durable};
use crate::domain::{Body, Time};

/// The file's layout; a file with a greater one is left alone.
const LAYOUT: i64 = 1;

/// Numbers are never given twice, also after the file was emptied.
const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS spooled (
    number INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, entries INTEGER NOT NULL, body BLOB NOT NULL) STRICT;
PRAGMA user_version = 1;";

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// Entries that wait.
    pub entries: u64,
    /// Since when the oldest waits.
    pub oldest: Option<Time>,
}

/// The oldest entries of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Oldest {
    /// All up to this number.
    pub number: u64,
    /// The entries, in order.
    pub bodies: Vec<Body>,
}

/// A spool's file.
#[derive(Debug)]
pub struct SpoolFile {
    connection: SqliteConnection,
}

impl SpoolFile {
    /// Opens the file, created if it is missing.
    ///
    /// # Errors
    /// When it cannot be opened, is no SQLite database, or is of a newer program.
    pub async fn open(path: &Path) -> Result<Self, LogError> {
        let connection = durable::open(&durable::options(path), SCHEMA, LAYOUT).await?;
        Ok(Self { connection })
    }

    /// What it holds.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn held(&mut self) -> Result<Held, LogError> {
        let row = sqlx::query("SELECT COALESCE(SUM(entries), 0), MIN(at) FROM spooled").fetch_one(&mut self.connection).await?;
        let entries: i64 = row.try_get(0)?;
        let oldest: Option<i64> = row.try_get(1)?;
        Ok(Held { entries: u64::try_from(entries).unwrap_or(0), oldest: oldest.map(Time::from_micros) })
    }

    /// Writes deliveries, each as a row of its own, in one transaction; on disk when this returns. The number is the
    /// last one's.
    ///
    /// # Errors
    /// What SQLite says; none of them is written then.
    pub async fn write(&mut self, at: Time, deliveries: &[Vec<Body>]) -> Result<u64, LogError> {
        let mut transaction = self.connection.begin().await?;
        let mut number = 0;
        for bodies in deliveries {
            number = sqlx::query_scalar::<_, i64>("INSERT INTO spooled (at, entries, body) VALUES (?, ?, ?) RETURNING number")
                .bind(at.micros())
                .bind(i64::try_from(bodies.len()).unwrap_or(i64::MAX))
                .bind(codec::encode(bodies)?)
                .fetch_one(&mut *transaction)
                .await?;
        }
        transaction.commit().await?;
        Ok(u64::try_from(number).unwrap_or(0))
    }

    /// The oldest deliveries: at least one, and no more than `limit` entries beyond it; `None` when it is empty.
    ///
    /// # Errors
    /// [`LogError::Unreadable`], or what SQLite says.
    pub async fn oldest(&mut self, limit: u64) -> Result<Option<Oldest>, LogError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = sqlx::query("SELECT number, body FROM spooled ORDER BY number LIMIT ?")
            .bind(limit)
            .fetch_all(&mut self.connection)
            .await?;
        let mut oldest: Option<Oldest> = None;
        for row in rows {
            let number = u64::try_from(row.try_get::<i64, _>(0)?).unwrap_or(0);
            let (_, bodies) = codec::decode(row.try_get(1)?).map_err(|source| LogError::Unreadable { number, source })?;
            match &mut oldest {
                None => oldest = Some(Oldest { number, bodies }),
                Some(taken) if (taken.bodies.len() + bodies.len()) as u64 <= limit.unsigned_abs() => {
                    taken.number = number;
                    taken.bodies.extend(bodies);
                }
                Some(_) => break,
            }
        }
        Ok(oldest)
    }

    /// Forgets all up to a number.
    ///
    /// # Errors
    /// What SQLite says; nothing is forgotten then.
    pub async fn forget(&mut self, number: u64) -> Result<(), LogError> {
        sqlx::query("DELETE FROM spooled WHERE number <= ?")
            .bind(i64::try_from(number).unwrap_or(i64::MAX))
            .execute(&mut self.connection)
            .await?;
        Ok(())
    }

    /// Closes the file in order.
    ///
    /// # Errors
    /// What SQLite says; nothing in it is lost.
    pub async fn close(self) -> Result<(), LogError> {
        Ok(self.connection.close().await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merchant(name: &str) -> Body {
        Body::MerchantConfigured { profile: crate::domain::ProfileId::parse(name).unwrap(), priority: Vec::new() }
    }

    #[tokio::test]
    async fn what_was_written_is_there_after_a_reopening_in_order_and_numbers_go_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("spool.db");
        let mut file = SpoolFile::open(&path).await.unwrap();
        assert_eq!(file.held().await.unwrap(), Held { entries: 0, oldest: None });
        let deliveries = [vec![merchant("a"), merchant("b")], vec![merchant("c")], vec![merchant("d")]];
        assert_eq!(file.write(Time::from_secs(5), &deliveries).await.unwrap(), 3);
        drop(file);
        let mut file = SpoolFile::open(&path).await.unwrap();
        assert_eq!(file.held().await.unwrap(), Held { entries: 4, oldest: Some(Time::from_secs(5)) });
        let oldest = file.oldest(3).await.unwrap().unwrap();
        assert_eq!(oldest, Oldest { number: 2, bodies: vec![merchant("a"), merchant("b"), merchant("c")] });
        file.forget(3).await.unwrap();
        assert_eq!(file.oldest(3).await.unwrap(), None);
        assert_eq!(file.write(Time::from_secs(6), &[vec![merchant("e")]]).await.unwrap(), 4, "no number twice");
    }
}
