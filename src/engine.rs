//! The engine: a pure function of the log.

pub mod snapshot;

pub use snapshot::Snapshot;
