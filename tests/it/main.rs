//! Integration tests: one binary, one file a subject.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a test that cannot go on has failed")]

mod abuse;
mod api;
mod arrows;
mod backtest;
mod commands;
mod config;
mod dashboard;
mod engine;
mod explained;
mod hidden;
mod live;
mod log;
mod model;
mod past;
mod peer;
mod poison;
mod rehearsal;
mod routing;
mod scenario_schema;
mod shadow;
mod spool;
mod start;
mod store;
mod stream;
mod support;
mod telemetry;
mod terminal;
mod weaknesses;
mod webhooks;
mod whatif;
mod world;
