//! The log: one total order of records; append, tail, checkpoint, trim, lease. In memory, SQLite, Redis Stream.
