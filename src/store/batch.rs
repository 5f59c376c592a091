//! One transaction that writes rows and moves the cursor.

use sqlx::{Postgres, Row as _, Sqlite, Transaction};

use super::table::{Dialect, Table};
use super::value::{self, Value};
use super::{Row, StoreError, project};
use crate::domain::Position;

/// Most rows one statement inserts: beyond it the cost a row stays as it is. Less than PostgreSQL's 65,535 parameters.
const CHUNK: usize = 128;

/// An open transaction; dropped, it rolls back.
pub(super) enum Batch<'c> {
    Sqlite(Transaction<'c, Sqlite>),
    Postgres(Transaction<'c, Postgres>),
}

impl Batch<'_> {
    pub(super) async fn write(mut self, rows: &[Row], cursor: Position) -> Result<(), StoreError> {
        let done = self.cursor().await?;
        for (table, rows) in project::tables(rows.iter().filter(|row| row.position() > done)) {
            self.insert(table, rows).await?;
        }
        if cursor > done {
            self.advance(cursor).await?;
        }
        match self {
            Self::Sqlite(transaction) => transaction.commit().await?,
            Self::Postgres(transaction) => transaction.commit().await?,
        }
        Ok(())
    }

    /// The stored cursor; held, so that of two projectors the second waits for the first.
    async fn cursor(&mut self) -> Result<Position, StoreError> {
        const READ: &str = "SELECT record, entry FROM projection";
        let (record, entry): (i64, i64) = match self {
            Self::Sqlite(transaction) => {
                let row = sqlx::query(READ).fetch_one(&mut **transaction).await?;
                (row.try_get(0)?, row.try_get(1)?)
            }
            Self::Postgres(transaction) => {
                let row = value::postgres(&format!("{READ} FOR UPDATE"), Vec::new()).fetch_one(&mut **transaction).await?;
                (row.try_get(0)?, row.try_get(1)?)
            }
        };
        Ok(super::records::position(record, entry))
    }

    async fn advance(&mut self, cursor: Position) -> Result<(), StoreError> {
        let [record, entry] = self.dialect().plain();
        let sql = format!("UPDATE projection SET record = {record}, entry = {entry}");
        self.execute(&sql, vec![value::unsigned(cursor.record), value::int(cursor.index)]).await
    }

    /// In chunks whose sizes are powers of two: few statements, which the connection keeps prepared.
    async fn insert(&mut self, table: &'static Table, rows: Vec<Vec<Value<'_>>>) -> Result<(), StoreError> {
        let mut left = rows.len();
        let mut rows = rows.into_iter();
        while left > 0 {
            let size = CHUNK.min(1 << left.ilog2());
            let values: Vec<Value<'_>> = rows.by_ref().take(size).flatten().collect();
            assert_eq!(values.len(), size * table.width(), "every row of {} has a value for each column", table.name);
            self.execute(&table.insert(self.dialect(), size), values).await?;
            left -= size;
        }
        Ok(())
    }

    async fn execute(&mut self, sql: &str, values: Vec<Value<'_>>) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(transaction) => value::sqlite(sql, values).execute(&mut **transaction).await.map(drop)?,
            Self::Postgres(transaction) => value::postgres(sql, values).execute(&mut **transaction).await.map(drop)?,
        }
        Ok(())
    }

    const fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite(_) => Dialect::Sqlite,
            Self::Postgres(_) => Dialect::Postgres,
        }
    }
}
