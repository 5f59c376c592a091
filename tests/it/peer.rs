//! The peer's API, by the recorded fixtures.
