//! The Redis Stream of payment events.
