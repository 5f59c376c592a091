//! The tables' columns, and the SQL made from them for either database.

/// Which database speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Sqlite,
    Postgres,
}

/// How a column is bound and read, where the databases differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    Uuid,
    Time,
    Json,
    Texts,
}

use Kind::{Json, Plain, Texts, Time, Uuid};

/// A table.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) name: &'static str,
    columns: &'static [(&'static str, Kind)],
    /// Whether rows have an id and are replaced by newer ones; else each position has one row, for good.
    replaced: bool,
}

pub(super) static AUTONOMOUS_DECISIONS: Table = Table {
    name: "autonomous_decisions",
    columns: &[
        ("id", Uuid),
        ("decision_type", Plain),
        ("confidence", Plain),
        ("executed", Plain),
        ("model_version", Plain),
        ("subject", Plain),
        ("at", Time),
        ("detail", Json),
        ("record", Plain),
        ("entry", Plain),
    ],
    replaced: true,
};

pub(super) static ANOMALY_RECORDS: Table = Table {
    name: "anomaly_records",
    columns: &[
        ("id", Uuid),
        ("anomaly_type", Plain),
        ("score", Plain),
        ("status", Plain),
        ("resolution_actions", Texts),
        ("slice", Plain),
        ("severity", Plain),
        ("detected_at", Time),
        ("resolved_at", Time),
        ("sentence", Plain),
        ("evidence", Json),
        ("record", Plain),
        ("entry", Plain),
    ],
    replaced: true,
};

pub(super) static HEALING_ACTIONS: Table = Table {
    name: "healing_actions",
    columns: &[
        ("id", Uuid),
        ("action_type", Plain),
        ("target_entity", Plain),
        ("status", Plain),
        ("recovery_time_ms", Plain),
        ("proposed_at", Time),
        ("decided_by", Plain),
        ("version", Plain),
        ("detail", Json),
        ("record", Plain),
        ("entry", Plain),
    ],
    replaced: true,
};

pub(super) static ROUTING_DECISIONS: Table = Table {
    name: "routing_decisions",
    columns: &[
        ("record", Plain),
        ("entry", Plain),
        ("at", Time),
        ("profile", Plain),
        ("payment", Plain),
        ("attempt", Plain),
        ("chosen", Plain),
        ("approach", Plain),
        ("expected", Plain),
        ("confidence", Plain),
        ("propensity", Plain),
        ("detail", Json),
    ],
    replaced: false,
};

pub(super) static PAYMENT_EVENTS: Table = Table {
    name: "payment_events",
    columns: &[
        ("record", Plain),
        ("entry", Plain),
        ("at", Time),
        ("occurred_at", Time),
        ("source", Plain),
        ("event_id", Plain),
        ("profile", Plain),
        ("payment", Plain),
        ("attempt", Plain),
        ("account", Plain),
        ("kind", Plain),
        ("decline_class", Plain),
        ("decline_code", Plain),
        ("amount_minor", Plain),
        ("currency", Plain),
        ("method", Plain),
        ("network", Plain),
        ("country", Plain),
        ("bin", Plain),
        ("latency_ms", Plain),
    ],
    replaced: false,
};

impl Table {
    /// Values a row has.
    pub(super) const fn width(&self) -> usize {
        self.columns.len()
    }

    /// Inserts so many rows. A row that is there already is left alone, or replaced by one of a later position.
    pub(super) fn insert(&self, dialect: Dialect, rows: usize) -> String {
        let mut number = 0;
        let mut row = || {
            let values: Vec<String> = self.columns.iter().map(|(_, kind)| dialect.parameter(*kind, &mut number)).collect();
            format!("({})", values.join(", "))
        };
        let values: Vec<String> = (0..rows).map(|_| row()).collect();
        let names: Vec<&str> = self.columns.iter().map(|(name, _)| *name).collect();
        let (table, names, values) = (self.name, names.join(", "), values.join(", "));
        format!("INSERT INTO {table} ({names}) VALUES {values} {}", self.conflict())
    }

    fn conflict(&self) -> String {
        if !self.replaced {
            // The same entry again, or the same event in another entry.
            return "ON CONFLICT DO NOTHING".to_owned();
        }
        let table = self.name;
        let set: Vec<String> = self.columns[1..].iter().map(|(name, _)| format!("{name} = excluded.{name}")).collect();
        let newer = format!("(excluded.record, excluded.entry) >= ({table}.record, {table}.entry)");
        format!("ON CONFLICT (id) DO UPDATE SET {} WHERE {newer}", set.join(", "))
    }

    /// Selects every column, in types both databases share: UUIDs and JSON as text, times as microseconds.
    pub(super) fn select(&self, dialect: Dialect) -> String {
        let columns: Vec<String> = self.columns.iter().map(|(name, kind)| dialect.column(name, *kind)).collect();
        format!("SELECT {} FROM {}", columns.join(", "), self.name)
    }
}

/// Deletes a step's worth of old rows each time it runs, so that writers wait for one step at most.
pub(super) fn prune_sql(dialect: Dialect) -> [String; 3] {
    let mut number = 0;
    let before = dialect.parameter(Time, &mut number);
    let by = |table: &str, key: &str, also: &str| {
        format!(
            "DELETE FROM {table} WHERE ({key}) IN (SELECT {key} FROM {table} WHERE at < {before}{also} ORDER BY at LIMIT 5000)"
        )
    };
    [
        by(PAYMENT_EVENTS.name, "record, entry", ""),
        by(ROUTING_DECISIONS.name, "record, entry", ""),
        by(AUTONOMOUS_DECISIONS.name, "id", " AND decision_type LIKE 'routing%'"),
    ]
}

impl Dialect {
    /// The next parameter. SQLite's go without numbers: it looks a numbered one up by walking a list.
    fn parameter(self, kind: Kind, number: &mut usize) -> String {
        *number += 1;
        match (self, kind) {
            (Self::Sqlite, _) => "?".to_owned(),
            (Self::Postgres, Plain | Texts) => format!("${number}"),
            (Self::Postgres, Uuid) => format!("${number}::UUID"),
            (Self::Postgres, Json) => format!("${number}::JSONB"),
            (Self::Postgres, Time) => format!("TIMESTAMPTZ 'epoch' + ${number} * INTERVAL '1 microsecond'"),
        }
    }

    fn column(self, name: &str, kind: Kind) -> String {
        match (self, kind) {
            (Self::Sqlite, _) | (_, Plain) => name.to_owned(),
            (Self::Postgres, Uuid | Json) => format!("{name}::TEXT AS {name}"),
            (Self::Postgres, Texts) => format!("to_json({name})::TEXT AS {name}"),
            (Self::Postgres, Time) => format!("(EXTRACT(EPOCH FROM {name}) * 1000000)::BIGINT AS {name}"),
        }
    }

    /// The parameters of a query, which binds plain values only.
    pub(super) fn plain<const N: usize>(self) -> [String; N] {
        let mut number = 0;
        std::array::from_fn(|_| self.parameter(Plain, &mut number))
    }
}
