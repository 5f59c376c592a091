//! One suite for the tables on SQLite and on PostgreSQL.
