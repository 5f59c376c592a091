//! The questions the API asks the tables.

use sqlx::FromRow;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;

use super::records::{ActionRecord, AnomalyRecord, Counts, DecisionRecord, PaymentHistory};
use super::table::{ANOMALY_RECORDS, AUTONOMOUS_DECISIONS, HEALING_ACTIONS, PAYMENT_EVENTS, ROUTING_DECISIONS, Table};
use super::value::{self, Value};
use super::{StoreError, Tables};
use crate::domain::{PaymentId, Position, ProfileId};

/// Rows about one payment at most; a payment has a handful, a mistaken sender might make thousands.
const HISTORY: u32 = 1_000;

impl Tables {
    /// Up to where the log has been written here; the zero position before anything was.
    ///
    /// # Errors
    /// What the database says.
    pub async fn cursor(&self) -> Result<Position, StoreError> {
        self.one("SELECT record, entry FROM projection").await
    }

    /// The latest autonomous decisions, the newest first.
    ///
    /// # Errors
    /// What the database says.
    pub async fn recent_decisions(&self, limit: u32) -> Result<Vec<DecisionRecord>, StoreError> {
        self.recent(&AUTONOMOUS_DECISIONS, "at", limit).await
    }

    /// The latest anomalies, the newest first.
    ///
    /// # Errors
    /// What the database says.
    pub async fn recent_anomalies(&self, limit: u32) -> Result<Vec<AnomalyRecord>, StoreError> {
        self.recent(&ANOMALY_RECORDS, "detected_at", limit).await
    }

    /// The latest healing actions, the newest first.
    ///
    /// # Errors
    /// What the database says.
    pub async fn recent_actions(&self, limit: u32) -> Result<Vec<ActionRecord>, StoreError> {
        self.recent(&HEALING_ACTIONS, "proposed_at", limit).await
    }

    /// What is known of one payment; empty lists for one that is not known, or no longer.
    ///
    /// # Errors
    /// What the database says.
    pub async fn payment(&self, profile: &ProfileId, payment: &PaymentId) -> Result<PaymentHistory, StoreError> {
        Ok(PaymentHistory {
            events: self.about(&PAYMENT_EVENTS, profile, payment).await?,
            decisions: self.about(&ROUTING_DECISIONS, profile, payment).await?,
        })
    }

    /// Rows in each table. Counts them, so that a full table takes a while: not for a screen's every frame.
    ///
    /// # Errors
    /// What the database says.
    pub async fn counts(&self) -> Result<Counts, StoreError> {
        let each = [&AUTONOMOUS_DECISIONS, &ANOMALY_RECORDS, &HEALING_ACTIONS, &ROUTING_DECISIONS, &PAYMENT_EVENTS]
            .map(|table| format!("(SELECT COUNT(*) FROM {0}) AS {0}", table.name));
        self.one(&format!("SELECT {}", each.join(", "))).await
    }

    async fn recent<T: Readable>(&self, table: &'static Table, by: &str, limit: u32) -> Result<Vec<T>, StoreError> {
        let ([most], select) = (self.dialect().plain(), table.select(self.dialect()));
        // By the table's own column: the selected one of that name is a number, not what the index orders.
        let sql = format!("{select} ORDER BY {0}.{by} DESC, {0}.record DESC, {0}.entry DESC LIMIT {most}", table.name);
        self.fetch(&sql, vec![value::int(limit)]).await
    }

    async fn about<T: Readable>(
        &self,
        table: &'static Table,
        profile: &ProfileId,
        payment: &PaymentId,
    ) -> Result<Vec<T>, StoreError> {
        let ([merchant, id, most], select) = (self.dialect().plain(), table.select(self.dialect()));
        let sql = format!("{select} WHERE profile = {merchant} AND payment = {id} ORDER BY record, entry LIMIT {most}");
        self.fetch(&sql, vec![value::text(profile.as_str()), value::text(payment.as_str()), value::int(HISTORY)]).await
    }

    async fn one<T: Readable>(&self, sql: &str) -> Result<T, StoreError> {
        self.fetch(sql, Vec::new()).await?.pop().ok_or(StoreError::Database(sqlx::Error::RowNotFound))
    }

    async fn fetch<T: Readable>(&self, sql: &str, values: Vec<Value<'_>>) -> Result<Vec<T>, StoreError> {
        match self {
            Self::Sqlite(sqlite) => {
                let rows = value::sqlite(sql, values).fetch_all(&sqlite.readers).await?;
                Ok(rows.iter().map(T::from_row).collect::<Result<_, _>>()?)
            }
            Self::Postgres(pool) => {
                let rows = value::postgres(sql, values).fetch_all(pool).await?;
                Ok(rows.iter().map(T::from_row).collect::<Result<_, _>>()?)
            }
        }
    }
}

/// What can be read from a row of either database.
trait Readable: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> {}

impl<T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow>> Readable for T {}
