//! SQLite files that lose nothing: WAL and synchronous FULL, so that a write is on disk when it returns.

use std::path::Path;
use std::time::Duration;

use sqlx::Connection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};

use super::LogError;

/// How long a statement waits for another connection's lock: a checkpoint of the WAL holds it for well under a second, a
/// backup for longer.
pub(super) const BUSY: Duration = Duration::from_secs(5);

/// How such a file is opened.
pub(super) fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY)
}

/// Opens a file and lays it out, unless it is of a newer program, whose layout is greater.
pub(super) async fn open(
    options: &SqliteConnectOptions,
    schema: &'static str,
    layout: i64,
) -> Result<SqliteConnection, LogError> {
    let mut connection = SqliteConnection::connect_with(options).await?;
    let found: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut connection).await?;
    if found > layout {
        return Err(LogError::NewerLayout { found, known: layout });
    }
    let tables: i64 = sqlx::query_scalar("SELECT count(*) FROM sqlite_schema").fetch_one(&mut connection).await?;
    if found == 0 && tables > 0 {
        return Err(LogError::ForeignFile);
    }
    sqlx::raw_sql(schema).execute(&mut connection).await?;
    Ok(connection)
}

/// Whether a file cannot be read because those beside it cannot be made: `SQLITE_READONLY_DIRECTORY` and its kin, or
/// `SQLITE_CANTOPEN`.
pub(super) fn is_read_only_folder(error: &LogError) -> bool {
    let LogError::Sqlite(error) = error else { return false };
    primary_code(error).is_some_and(|code| matches!(code, 8 | 14))
}

/// Whether the file's own pages are at fault: `SQLITE_IOERR`, `SQLITE_CORRUPT`, `SQLITE_NOTADB`, by their primary codes.
pub(super) fn is_damage(error: &sqlx::Error) -> bool {
    primary_code(error).is_some_and(|code| matches!(code, 10 | 11 | 26))
}

fn primary_code(error: &sqlx::Error) -> Option<u32> {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code)?;
    Some(code.parse::<u32>().ok()? & 0xff)
}
