//! Integration tests: one binary, one file a subject.

mod api;
mod arrows;
mod commands;
mod config;
mod dashboard;
mod engine;
mod live;
mod log;
mod peer;
mod store;
mod stream;
mod support;
mod telemetry;
mod terminal;
mod webhooks;
mod world;
