//! Values on their way into a statement, whichever database it goes to.

use std::borrow::Cow;

use serde::Serialize;
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Postgres, Sqlite};
use uuid::Uuid;

use crate::domain::{Position, Time};

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value<'a> {
    /// A whole number, or a time in microseconds.
    Int(Option<i64>),
    /// A number.
    Real(f64),
    /// Yes or no.
    Bool(bool),
    /// A text, a JSON text, or a UUID as text.
    Text(Option<Cow<'a, str>>),
    /// A list of texts: an array, or JSON where there are none.
    Texts(Vec<String>),
}

pub(super) fn int(number: impl Into<i64>) -> Value<'static> {
    Value::Int(Some(number.into()))
}

pub(super) fn maybe_int(number: Option<impl Into<i64>>) -> Value<'static> {
    Value::Int(number.map(Into::into))
}

pub(super) fn unsigned(number: u64) -> Value<'static> {
    Value::Int(Some(i64::try_from(number).unwrap_or(i64::MAX)))
}

pub(super) fn text(text: &str) -> Value<'_> {
    maybe_text(Some(text))
}

/// Without NUL, which PostgreSQL's texts cannot hold: one bad row must not stop the projector.
pub(super) fn maybe_text(text: Option<&str>) -> Value<'_> {
    Value::Text(text.map(|text| if text.contains('\0') { text.replace('\0', "").into() } else { text.into() }))
}

pub(super) fn owned(text: String) -> Value<'static> {
    Value::Text(Some(text.into()))
}

/// A text cut to what a `VARCHAR(most)` holds.
pub(super) fn clipped(text: &str, most: usize) -> Value<'static> {
    owned(text.chars().filter(|c| *c != '\0').take(most).collect())
}

/// Between 1970 and 9999: what both databases can show.
pub(super) fn time(time: Time) -> Value<'static> {
    maybe_time(Some(time))
}

pub(super) fn maybe_time(time: Option<Time>) -> Value<'static> {
    const LAST: i64 = 253_402_300_799_999_999;
    Value::Int(time.map(|time| time.micros().clamp(0, LAST)))
}

/// A value as JSON text. Ours always serialise; `null` stands for one that would not.
pub(super) fn json(value: &impl Serialize) -> Value<'static> {
    let text = serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned());
    // As in `maybe_text`: PostgreSQL refuses an escaped NUL too. The backslash before the escape may be one itself.
    owned(if text.contains("\\u0000") { text.replace("\\u0000", "\\ufffd") } else { text })
}

/// What a UUID names; part of it, so that ids of two kinds never meet.
#[derive(Debug, Clone, Copy)]
pub(super) enum Named {
    /// An incident or an action, by its number.
    Incident(u64),
    Action(u64),
    /// A routing decision, by its position.
    Decision(Position),
}

/// A UUID (version 8) that says what it names, so that it is the same whenever it is made; ordered as the log is.
pub(super) fn uuid(named: Named) -> Value<'static> {
    let (kind, number, index) = match named {
        Named::Incident(number) => (1, number, 0),
        Named::Action(number) => (2, number, 0),
        Named::Decision(Position { record, index }) => (3, record, index),
    };
    let mut bytes = [0; 16];
    // 48 bits of the number: 2.8 × 10¹⁴, longer than any log.
    bytes[..6].copy_from_slice(&number.to_be_bytes()[2..]);
    bytes[7] = kind;
    bytes[12..].copy_from_slice(&index.to_be_bytes());
    owned(Uuid::new_v8(bytes).to_string())
}

/// A statement for SQLite. The SQL is put together from this program's own words only, never from values.
pub(super) fn sqlite<'q>(sql: &str, values: Vec<Value<'_>>) -> Query<'q, Sqlite, <Sqlite as sqlx::Database>::Arguments> {
    let query = sqlx::query(AssertSqlSafe(sql.to_owned()));
    values.into_iter().fold(query, |query, value| match value {
        Value::Int(number) => query.bind(number),
        Value::Real(number) => query.bind(number),
        Value::Bool(yes) => query.bind(yes),
        Value::Text(text) => query.bind(text.map(Cow::into_owned)),
        Value::Texts(texts) => query.bind(serde_json::Value::from(texts).to_string()),
    })
}

/// A statement for PostgreSQL; as [`sqlite`].
pub(super) fn postgres<'q>(sql: &str, values: Vec<Value<'_>>) -> Query<'q, Postgres, <Postgres as sqlx::Database>::Arguments> {
    let query = sqlx::query(AssertSqlSafe(sql.to_owned()));
    values.into_iter().fold(query, |query, value| match value {
        Value::Int(number) => query.bind(number),
        Value::Real(number) => query.bind(number),
        Value::Bool(yes) => query.bind(yes),
        Value::Text(text) => query.bind(text.map(Cow::into_owned)),
        Value::Texts(texts) => query.bind(texts),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuids_are_the_same_each_time_and_differ_by_what_they_name() {
        let at = |record, index| Named::Decision(Position { record, index });
        let id = |named| match uuid(named) {
            Value::Text(Some(text)) => text.into_owned(),
            other => panic!("{other:?}"),
        };
        assert_eq!(id(at(1042, 3)), "00000000-0412-8003-8000-000000000003");
        let ids = [Named::Incident(1), Named::Action(1), at(1, 0), at(1, 1), Named::Action(2)].map(id);
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]), "{ids:?}");
    }

    #[test]
    fn what_postgresql_cannot_hold_is_left_out() {
        assert_eq!(text("a\0b"), text("ab"));
        assert_eq!(json(&"a\0b"), owned("\"a\\ufffdb\"".to_owned()));
        assert_eq!(json(&"a\\u0000b"), owned("\"a\\\\ufffdb\"".to_owned()));
        assert_eq!(clipped("üüü", 2), text("üü"));
        assert_eq!(time(Time::from_micros(i64::MAX)), Value::Int(Some(253_402_300_799_999_999)));
    }
}
