//! The tables: projections of the log for queries and reports, on SQLite and PostgreSQL.
