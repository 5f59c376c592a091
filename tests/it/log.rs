//! One suite for the log in memory, on SQLite and on a Redis Stream.
